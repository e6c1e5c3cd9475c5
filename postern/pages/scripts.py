"""The setup scripts for sh and PowerShell.

Their values come from outside: a display name that ends a quotation would run as a command, with
the rights of the tenant's admin. So the name stands in a script only inside JSON of plain ASCII
without any quote, dollar or backquote of its own, which az reads from a file and never as an
argument; every other value is quoted; and a template that forgets to quote one cannot be rendered.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from postern.model.permissions import GRAPH_APP_ID
from postern.model.setup import SIGN_IN_AUDIENCE, Setup

_HERE = Path(__file__).parent
# Everything that any shell, batch file or code page might read as more than itself.
_DANGEROUS = re.compile(r"[^\w .,:/+=()\[\]{}\"\\\n-]", re.ASCII)
_ESCAPED = re.compile(r"\\([\"\\])")


class Quoted(str):
    """Text that is safe at its place in a script."""

    __slots__ = ()


def sh(text: str) -> Quoted:
    """Return *text* as one word of a POSIX shell."""
    return Quoted("'" + text.replace("'", "'\\''") + "'")


def powershell(text: str) -> Quoted:
    """Return *text* as a single-quoted string of PowerShell.

    Raises:
        ValueError: there is more than printable ASCII in it. PowerShell takes typographic quotes
            for quotes, and Windows PowerShell reads a script without a mark in the machine's code
            page, in which parts of other letters turn into such quotes.
    """
    if not (text.isascii() and text.isprintable()):
        msg = "only printable ASCII can be quoted for PowerShell"
        raise ValueError(msg)
    return Quoted("'" + text.replace("'", "''") + "'")


def plain_json(value: Mapping[str, object]) -> Quoted:
    """Return JSON whose strings hold letters, digits and blanks as they are, all else as \\u…."""
    text = json.dumps(value, indent=2, ensure_ascii=True)
    text = _ESCAPED.sub(_by_number, text)
    return Quoted(_DANGEROUS.sub(_by_number, text))


def _by_number(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0][-1]):04x}"


class Scripts:
    """Renders the scripts."""

    def __init__(self) -> None:
        # Not HTML; `finalize` demands of every value that it was quoted for its own language.
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates" / "setup", encoding="utf-8"),
            autoescape=False,  # noqa: S701
            undefined=StrictUndefined,
            auto_reload=False,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_only_quoted,
        )
        self._templates.filters.update(sh=sh, powershell=powershell, json=plain_json)

    def sh(self, setup: Setup) -> str:
        """Return the script for a POSIX shell."""
        return self._render("setup.sh", setup)

    def powershell(self, setup: Setup) -> str:
        """Return the script for PowerShell: plain ASCII, whatever the name holds."""
        return self._render("setup.ps1", setup)

    def _render(self, template: str, setup: Setup) -> str:
        return self._templates.get_template(template).render(
            setup=setup,
            graph=f"{setup.graph_url}/v1.0",
            graph_app_id=GRAPH_APP_ID,
            sign_in_audience=SIGN_IN_AUDIENCE[setup.audience],
            permissions=" ".join(setup.permissions.values()),
            scopes=" ".join(setup.permissions),
            # The client id is put before it by the script.
            activation=Quoted(plain_json(setup.activation).removeprefix("{\n")),
        )


def _only_quoted(value: object) -> object:
    if isinstance(value, Quoted):
        return value
    msg = "a value of a script was not quoted"
    raise ValueError(msg)

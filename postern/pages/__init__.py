"""The pages that a mailbox owner sees: a stranger who decides in ten seconds.

They carry the agency's name and never ours. They need no script, and the policy that comes with
each allows none: a page that shows who asks for a mailbox must show nothing that was slipped in.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from postern.model.branding import Branding
from postern.pages.addresses import mailto, outward, own_or_outward
from postern.pages.colour import accent
from postern.pages.permissions import abilities, sentences
from postern.pages.reasons import REASONS

__all__ = ["Branding", "Page", "Pages", "policy", "style"]

_HERE = Path(__file__).parent
_DEFAULT_ACCENT = Branding(product="").accent


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A finished page, the policy it must be sent with, and the HTTP status that fits it."""

    html: str
    content_security_policy: str
    status: int = 200


class Pages:
    """Renders every page. Holds templates only, so one instance serves all requests."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates", encoding="utf-8"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["moment"] = _moment
        self._templates.filters["mailto"] = mailto

    @property
    def reasons(self) -> frozenset[str]:
        """Return every reason that `ended` can explain."""
        return frozenset(REASONS)

    def connect(
        self,
        branding: Branding,
        *,
        action: str,
        link: str,
        form_token: str,
        scopes: Sequence[str],
        expected_address: str | None,
        expires: datetime,
    ) -> Page:
        """Return the link's page: who asks, for what, and the one button that starts.

        Args:
            action: where the button posts to.
            link: comes back in the form, so that the address of the button holds none.
            form_token: matches the cookie that is set along with this page.
            scopes: what is asked of the owner, shown in plain words.
            expected_address: the only address that the link accepts, if it names one.
            expires: until when the link works.
        """
        return self._page(
            "connect.html",
            branding,
            action=own_or_outward(action),
            link=link,
            form_token=form_token,
            permissions=sentences(scopes),
            expected_address=expected_address,
            expires=expires.astimezone(UTC),
        )

    def leaving(self, branding: Branding, *, url: str) -> Page:
        """Return the page that goes on to Microsoft by itself.

        A redirect from the form's POST would be stopped by `form-action 'self'`.
        """
        return self._page("leaving.html", branding, url=outward(url))

    def connected(
        self,
        branding: Branding,
        *,
        address: str,
        protocols: Sequence[str],
        missing: Sequence[str],
        return_url: str | None,
    ) -> Page:
        """Return the good end: which mailbox, what works now, what was not allowed."""
        return self._page(
            "connected.html",
            branding,
            address=address,
            abilities=abilities(protocols),
            missing=abilities(missing),
            return_url=outward(return_url) if return_url else None,
        )

    def ended(
        self,
        branding: Branding | None,
        *,
        reason: str,
        correlation_id: str | None = None,
        detail: Mapping[str, str] | None = None,
        retry_url: str | None = None,
    ) -> Page:
        """Return every other end: what happened, who can put it right, and how.

        Args:
            branding: None when nobody knows whose link it was (`link-unknown`).
            reason: a key of `REASONS`.
            correlation_id: Entra's id of the refusal, for support.
            detail: facts of this case: `expected` and `actual` (masked addresses), `missing`
                (protocols or scopes, separated by spaces or commas), `admin_url` (where the
                tenant's administrator approves).
            retry_url: where the owner starts again, if that can help.

        Raises:
            KeyError: *reason* is not in the table: a blank page would help nobody.
        """
        row = REASONS[reason]
        detail = detail or {}
        product = branding.product if branding else "the sender of your link"
        admin_url = detail.get("admin_url")
        return self._page(
            "ended.html",
            branding,
            status=row.status,
            reason=row.told(product),
            correlation_id=correlation_id,
            facts=[(label, detail[key]) for key, label in row.facts if detail.get(key)],
            missing=abilities(detail.get("missing", "").replace(",", " ").split()),
            admin_url=outward(admin_url) if admin_url else None,
            retry_url=own_or_outward(retry_url) if retry_url else None,
        )

    def _page(
        self, template: str, branding: Branding | None, *, status: int = 200, **values: object
    ) -> Page:
        styled = style(branding.accent if branding else _DEFAULT_ACCENT)
        html = self._templates.get_template(template).render(
            # Our own file and checked colours: the only text that is not escaped.
            style=Markup(styled),  # noqa: S704
            product=branding.product if branding else None,
            support=branding.support if branding else None,
            **values,
        )
        return Page(html=html, content_security_policy=policy(styled), status=status)


@lru_cache(maxsize=256)
def style(colour: str) -> str:
    """Return the style sheet with an accent colour."""
    shades = accent(colour)
    variables = (
        f":root{{--accent:{shades.fill};--on-accent:{shades.text};"
        f"--accent-on-light:{shades.on_light};--accent-on-dark:{shades.on_dark}}}\n"
    )
    return variables + (_HERE / "style.css").read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def policy(styled: str) -> str:
    """Return the policy that allows this style sheet and nothing else."""
    digest = base64.b64encode(hashlib.sha256(styled.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def _moment(moment: datetime) -> str:
    """Return *moment* for a reader; the month's name does not hang on the server's locale."""
    months = "January February March April May June July August September October November December"
    return f"{moment.day} {months.split()[moment.month - 1]} {moment:%Y, %H:%M} UTC"

"""Reads the source and its documentation, so that a test can hold the two together.

The codes of the API are found where they are raised, without running anything: a code that is made
up at run time has to be explained here.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from functions._http import STATUS
from postern.model.explanations import EXPLANATIONS
from postern.model.mailbox import MailboxState

PROJECT = Path(__file__).parents[2]

# The states of which `lost()` speaks, since no sender is told of the others.
_LOST = {f"mailbox-{state}" for state in (MailboxState.RECONNECT_NEEDED, MailboxState.PARKED)}


def table(document: str, head: str) -> list[list[str]]:
    """Return the rows of the table whose first row begins with *head*, without backquotes."""
    lines = (PROJECT / document).read_text().splitlines()
    (start,) = [n for n, line in enumerate(lines) if line.startswith(f"| {head} |")]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
    return rows


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for top in ("postern", "functions"):
        for path in sorted((PROJECT / top).rglob("*.py")):
            yield path.relative_to(PROJECT), ast.parse(path.read_text())


def strings(node: ast.expr | None) -> set[str]:
    """Return the texts that an expression may be, of those forms that need no running."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=one, orelse=other):
            return strings(one) | strings(other)
        case _:
            return set()


def assigned(module: ast.Module, name: str) -> set[str]:
    """Return the texts that a module anywhere gives to *name*."""
    return {
        text
        for node in ast.walk(module)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
        for text in strings(node.value)
    }


def named_guids(module: ast.Module) -> set[str]:
    """Return the fields that forms.py checks with `_guid`, as they stand in its code."""
    return {
        f"{text.replace('_', '-')}-malformed"
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_guid"
        for text in strings(node.args[0])
    }


def resolve(module: ast.Module, code: ast.expr) -> set[str]:
    """Return the codes that an expression may be; empty when it cannot be told."""
    match code:
        case ast.Attribute(attr="code" | "cause"):
            return set(EXPLANATIONS)  # a cause of Entra's, or what another place raised
        case ast.Name(id=name):
            causes = {"cause", "problem"} & {name}
            return assigned(module, name) or (set(EXPLANATIONS) if causes else set())
        case ast.JoinedStr(values=parts):
            constant = [part.value if isinstance(part, ast.Constant) else "{}" for part in parts]
            known = {"mailbox-{}": _LOST, "{}-malformed": named_guids(module)}
            return known.get("".join(map(str, constant)), set())
        case _:
            return strings(code)


@cache
def codes() -> dict[str, set[int]]:
    """Return each code that the source writes, with its statuses."""
    found: dict[str, set[int]] = {"internal": {500}}
    for path, module in sources():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            status = _statuses().get(node.func.id)
            if status is None:
                continue
            several = resolve(module, node.args[0])
            assert several, f"{path}:{node.lineno}: teach source_reading how this code is made"
            for code in several:
                found.setdefault(code, set()).add(status)
    return found


def _statuses() -> dict[str, int]:
    """Return the classes that carry a code, by name."""
    return {
        kind.__name__: status
        for kind, status in STATUS.items()
        if "code" in getattr(kind, "__dataclass_fields__", ())
    }

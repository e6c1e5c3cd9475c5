"""The error tree: whoever catches a branch catches what belongs to it, and no text tells more."""

import ast

import pytest

from functions._http import STATUS
from postern import errors
from postern.errors import (
    AlreadyThere,
    Conflicting,
    ConsentLost,
    PageError,
    PosternError,
    ProviderRefused,
    Rejected,
    StoreError,
    Unavailable,
    Unreadable,
)
from tests.unit.source_reading import sources

TREE = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, PosternError) and not name.startswith("_")
}


def test_the_docstring_draws_the_tree_that_is_there():
    drawn = [line.split(maxsplit=1) for line in (errors.__doc__ or "").splitlines()]
    names = [
        word.lstrip("│├└─ ")
        for line in drawn
        for word in [" ".join(line)]
        if word.startswith(("PosternError", "├", "│", "└"))
    ]
    assert {name.split()[0] for name in names} == set(TREE)


def test_only_the_caller_is_ever_rejected():
    rejected = {name for name, kind in TREE.items() if issubclass(kind, Rejected)}
    assert rejected == {
        *("Rejected", "Malformed", "TooLarge", "Unauthenticated", "Forbidden"),
        *("NotFound", "Conflict", "Unprocessable"),
    }


def test_every_failure_that_a_caller_reads_has_a_status():
    read = {kind for kind in TREE.values() if issubclass(kind, Rejected)} - {Rejected}
    assert read | {ConsentLost, Unavailable} <= set(STATUS)
    assert all(400 <= status < 600 for status in STATUS.values())


@pytest.mark.parametrize("kind", [Conflicting, AlreadyThere, Unreadable])
def test_what_the_records_did_is_never_the_callers_fault(kind):
    assert issubclass(kind, StoreError)
    assert not issubclass(kind, Rejected)


def test_the_text_of_a_failure_is_its_code_alone():
    assert str(Unavailable("busy", "try again")) == "busy"
    assert str(ConsentLost("mailbox-parked", "why", {"mailbox": "x"})) == "mailbox-parked"
    assert str(PageError("link-used", "correlation", {"actual": "a…@b"})) == "link-used"


def test_the_text_of_a_refusal_is_its_error_and_number():
    assert str(ProviderRefused("invalid_grant", 400, 700082)) == "invalid_grant (700082)"
    assert str(ProviderRefused("invalid_grant", 400)) == "invalid_grant (400)"
    assert "description" not in ProviderRefused.__dataclass_fields__


def test_failures_are_equal_only_to_themselves():
    assert Unavailable("busy", "") != Unavailable("busy", "")
    assert len({Unavailable("busy", ""), Unavailable("busy", "")}) == 2


def test_no_failure_is_made_once_and_raised_many_times():
    """An exception keeps the traceback of every raise: a shared one would hold all requests."""
    shared = [
        f"{path}:{node.lineno}"
        for path, module in sources()
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call)
        if ast.unparse(node.value.func) in TREE
    ]
    assert shared == []


def test_every_failure_of_the_app_belongs_to_the_tree():
    """A class of errors beside the tree would be answered as our fault, whatever it means."""
    builtin = {"Exception", "BaseException", "RuntimeError", "ValueError", "KeyError", "TypeError"}
    roots = [
        node.name
        for _, module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and builtin & {ast.unparse(base) for base in node.bases}
    ]
    assert roots == ["PosternError"]

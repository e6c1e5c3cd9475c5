"""The reader of Bicep reads what bicep_check's parser reads, and works values out as Bicep does."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scripts.bicep import Either, NotUnderstood, Ref, Unknown, deploy, variable
from scripts.bicep.syntax import Node, parse
from tests.infra.reading import PROJECT, log_lines, sdk_calls

BICEP_CHECK = PROJECT.parent / "shared" / "bicep_check"
INFRA = [*sorted((PROJECT / "infra").rglob("*.bicep")), PROJECT / "infra" / "main.bicepparam"]


@pytest.fixture(scope="module")
def second() -> ModuleType:
    """The parser of bicep_check, when it is there."""
    file = BICEP_CHECK / "bicep_syntax.py"
    if not file.is_file():
        pytest.skip("bicep_check is not beside this checkout: no second reader to compare with")
    spec = importlib.util.spec_from_file_location("bicep_syntax", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


def ours(file: Path) -> set[tuple[str, str]]:
    """Return what a file declares, and every property and name in it, as our reader has it."""
    found: set[tuple[str, str]] = set()

    def walk(part: object) -> None:
        if isinstance(part, Node):
            if part.kind in {"param", "var", "resource", "module", "output", "func"}:
                found.add((part.kind, part["name"]))
            if part.kind == "property" and isinstance(part["key"], str):
                found.add(("property", part["key"]))
            if part.kind in {"name", "call", "dot", "method"}:
                found.add((part.kind, part["name"]))
            for each in part.part.values():
                walk(each)
        elif isinstance(part, list | tuple):
            for each in part:
                walk(each)

    for statement in parse(file.read_text()):
        if statement.kind not in {"type"}:
            statement.part.pop("decorators")
            walk(statement)
    return found


def theirs(second: ModuleType, file: Path) -> set[tuple[str, str]]:
    params = file.suffix == ".bicepparam"
    tree = second.parse(file.read_text(), params)
    assert tree.problems == []
    found = set()
    for statement in tree.statements:
        if statement.kind == "type":
            continue
        statement.decorators = []
        for node in statement.walk():
            kind = {"assign": "param", "prop": "property"}.get(node.kind, node.kind)
            if kind in {"param", "var", "resource", "module", "output", "func"}:
                found.add((kind, node.name))
            if kind == "property" and isinstance(node.key, str):
                found.add((kind, node.key))
            if kind in {"name", "call", "dot", "method"}:
                found.add((kind, node.name))
    return found


@pytest.mark.parametrize("file", INFRA, ids=lambda file: file.name)
def test_both_readers_read_the_same(second, file):
    types = {("name", each) for each in ("string", "bool", "int", "object", "array")}
    assert ours(file) == theirs(second, file) - types


def written(tmp_path: Path, text: str, **others: str) -> Path:
    for name, other in others.items():
        (tmp_path / f"{name}.bicep").write_text(other)
    (tmp_path / "main.bicep").write_text(text)
    return tmp_path / "main.bicep"


@pytest.mark.parametrize(
    ("expression", "worth"),
    [
        ("'a${1}b'", "a1b"),
        ("[for (x, i) in ['a', 'b']: '${i}${x}']", ["0a", "1b"]),
        ("map(filter(['a', 'bb'], x => length(x) > 1), x => toUpper(x))", ["BB"]),
        ("union({ a: 1 }, { b: 2 })", {"a": 1, "b": 2}),
        ("{ ...{ a: 1 }, b: true }", {"a": 1, "b": True}),
        ("flatten([[1], [2, 3]])", [1, 2, 3]),
        ("empty('') ? 'none' : 'some'", "none"),
        ("false && missing", False),
        ("null ?? 'default'", "default"),
        ("items({ b: 2, a: 1 })[0].key", "a"),
        ("substring('abc', 0, length('abc') - 1)", "ab"),
        ("string({ a: [1, true] })", '{"a": [1, true]}'),
        ("[1, 2][^1]", 2),
        ("!contains(['x'], 'y')", True),
        ("environment().suffixes.storage", "core.windows.net"),
    ],
)
def test_what_is_known_is_worked_out(tmp_path, expression, worth):
    file = written(tmp_path, f"var missing = resourceGroup().id == 'x'\nvar v = {expression}\n")
    assert variable(file, "v") == worth


def test_what_only_azure_knows_stays_unknown_and_the_same_for_the_same(tmp_path):
    text = """
param given string
var one = uniqueString(given)
var two = uniqueString(given)
var chosen = empty(given) ? 'a' : 'b'
var same = one == two
"""
    file = written(tmp_path, text)
    assert isinstance(variable(file, "one"), Unknown)
    assert variable(file, "one") == variable(file, "two")
    assert variable(file, "same") is True
    assert isinstance(variable(file, "chosen"), Either)
    assert variable(file, "chosen", given="x") == "b"


def test_modules_conditions_loops_and_children_are_followed(tmp_path):
    text = """
param more bool = false
module part 'part.bicep' = [for name in ['x', 'y']: {
  name: name
  params: { name: name }
}]
module extra 'part.bicep' = if (more) {
  params: { name: 'z' }
}
output first string = part[0].outputs.address
"""
    part = """
param name string
resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  resource service 'tableServices' = {
    name: 'default'
    resource table 'tables' = [for t in ['a', 'b']: {
      name: t
    }]
  }
}
output address string = account.properties.primaryEndpoints.table
"""
    file = written(tmp_path, text, part=part)
    plain, more = deploy(file), deploy(file, more=True)
    tables = "Microsoft.Storage/storageAccounts/tableServices/tables"
    assert [each.name for each in plain.of(tables)] == [
        "x/default/a",
        "x/default/b",
        "y/default/a",
        "y/default/b",
    ]
    assert len(more.of(tables)) == 6
    address = ("properties", "primaryEndpoints", "table")
    assert plain.outputs["first"] == Ref("Microsoft.Storage/storageAccounts", "x", address)


@pytest.mark.parametrize(
    "text",
    ["resource", "var x = ", "var x = [1 2]\n", "var x = 'open\n", "var x = y\n", "§", "foo = 1"],
)
def test_what_is_not_understood_is_refused(tmp_path, text):
    file = written(tmp_path, text)
    with pytest.raises(NotUnderstood):
        variable(file, "x")


def test_the_source_is_really_read():
    """The checks would be content with nothing."""
    assert len(sdk_calls()) >= 20
    assert ("KeysKeyVault", "sign") in sdk_calls()
    assert any(line.startswith("breaker opened") for line, _ in log_lines())

"""What the app's source says of its surroundings: read without running any of it."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
ADAPTERS = PROJECT / "postern" / "adapters"

# Made and closed without a request.
_NO_REQUEST = {"close", "get_table_client"}


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the parsed modules below *folders*."""
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def sdk_calls() -> set[tuple[str, str]]:
    """Return (class, operation) for every call that an adapter makes on a client of Azure's SDKs.

    A client is what a class keeps of a constructor imported from `azure`, or what a method of its
    own returns that gives one out.
    """
    found = set()
    for path in sorted(ADAPTERS.rglob("*.py")):
        module = ast.parse(path.read_text())
        clients = _client_names(module)
        for kind in ast.walk(module):
            if isinstance(kind, ast.ClassDef):
                found |= {(kind.name, operation) for operation in _operations(kind, clients)}
    return found


def _client_names(module: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("azure.")
        for alias in node.names
        if alias.name.endswith(("Client", "Credential")) and alias.name != "AsyncTokenCredential"
    }


def _operations(kind: ast.ClassDef, clients: set[str]) -> set[str]:
    kept = {
        target.attr
        for node in ast.walk(kind)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and _makes(node.value, clients)
    }
    givers = {
        method.name
        for method in kind.body
        if isinstance(method, ast.FunctionDef)
        and any(isinstance(n, ast.Return) and n.value for n in ast.walk(method))
        and (
            any(_makes(n, clients) for n in ast.walk(method) if isinstance(n, ast.expr))
            or any(
                isinstance(n, ast.Attribute) and n.attr == "get_table_client"
                for n in ast.walk(method)
            )
        )
    }
    return {
        node.func.attr
        for node in ast.walk(kind)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and _is_client(node.func.value, kept, givers)
        and node.func.attr not in _NO_REQUEST
    }


def _makes(node: ast.expr | None, clients: set[str]) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in clients


def _is_client(node: ast.expr, kept: set[str], givers: set[str]) -> bool:
    text = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    return text.removeprefix("self.") in (givers if isinstance(node, ast.Call) else kept)


def constants(pattern: str, *folders: str) -> set[str]:
    """Return the texts that module-level names matching *pattern* are given."""
    return {
        node.value.value
        for _, module in modules(*folders)
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and re.fullmatch(pattern, ast.unparse(node.targets[0]))
    }


def tables() -> set[str]:
    """Return the tables that the stores read and write, by what they give the port first."""
    found = set()
    for _, module in modules("postern/stores"):
        named = {
            ast.unparse(node.targets[0]): node.value.value
            for node in module.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        }
        found |= {
            str(named[ast.unparse(node.args[0])])
            for node in ast.walk(module)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).startswith("self._records.")
            and node.args
        }
    return found


@cache
def log_lines() -> tuple[tuple[str, frozenset[str]], ...]:
    """Return every text that is logged, with all texts of the module that logs it."""
    found = []
    for _, module in modules("postern", "functions"):
        texts = frozenset(
            node.value
            for node in ast.walk(module)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        found += [
            (node.args[0].value, texts)
            for node in ast.walk(module)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).startswith("log.")
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ]
    return tuple(found)


def function_names() -> set[str]:
    """Return the names of the functions, as the host logs them."""
    return {
        ast.literal_eval(node.args[0])
        for _, module in modules("functions")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "bp.function_name"
    }


def python_versions() -> set[str]:
    """Return the versions that CI tests."""
    (line,) = re.findall(
        r"^supported=\((.*)\)$", (PROJECT / "scripts/test-all.sh").read_text(), re.M
    )
    return set(line.split())


def documented_settings() -> dict[str, str]:
    """Return the settings of docs/settings.md with what stands for their default."""
    lines = (PROJECT / "docs/settings.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1].strip("`") for row in rows}


def host() -> dict[str, object]:
    """Return host.json."""
    return dict(json.loads((PROJECT / "host.json").read_text()))

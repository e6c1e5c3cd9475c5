"""What is deployed runs: the package alone, with the locked packages alone."""

import ast
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.api import Api
from local.processes import PROJECT, Processes, Program, free_ports
from local.stack import Stack
from tests.infra import packaging
from tests.unit.test_function_app import ROUTES

# Where the remote build of Azure Functions puts packages.
TARGET = ".python_packages/lib/site-packages"
_CLEAN = "import sys; sys.path[:0] = [{app!r}, {packages!r}]; "
_LIST = """
import json, function_app
functions = function_app.app.get_functions()
print(json.dumps(sorted(each.get_function_name() for each in functions)))
"""
_EVERYTHING = """
import functions, importlib, json, pkgutil, postern
names = [
    each.name
    for top in (functions, postern)
    for each in pkgutil.walk_packages(top.__path__, f"{top.__name__}.")
]
for name in names:
    importlib.import_module(name)
from_elsewhere = [
    name
    for name, module in list(sys.modules.items())
    if name not in sys.stdlib_module_names
    and (path := getattr(module, "__file__", None))
    and not path.startswith(tuple(sys.path[:2]))
    and "lib-dynload" not in path
    and name.partition(".")[0] not in sys.stdlib_module_names
]
print(json.dumps({"modules": len(names), "from_elsewhere": from_elsewhere}))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, zipped and unpacked again, with its packages beside it."""
    folder = tmp_path_factory.mktemp("package")
    packaging.build(PROJECT, folder / "package.zip")
    with zipfile.ZipFile(folder / "package.zip") as zipped:
        zipped.extractall(folder / "wwwroot")
    subprocess.run(
        (
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--no-compile", "--target"),
            *(folder / "wwwroot" / TARGET, "-r", folder / "wwwroot" / "requirements.txt"),
        ),
        check=True,
        timeout=240,
    )
    return folder / "wwwroot"


def clean(unpacked: Path, program: str) -> str:
    """Run *program* where nothing can be imported but the package and its packages."""
    start = _CLEAN.format(app=str(unpacked), packages=str(unpacked / TARGET))
    ran = subprocess.run(
        (sys.executable, "-I", "-S", "-B", "-c", start + program),
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def names_in_the_source() -> list[str]:
    """Return the names that the source gives to its functions."""
    return sorted(
        ast.literal_eval(node.args[0])
        for path in (PROJECT / "functions").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "bp.function_name"
    )


def test_the_package_shows_all_its_functions_with_its_own_packages_only(unpacked):
    found = json.loads(clean(unpacked, _LIST))
    assert found == names_in_the_source()
    assert {route[2] for route in ROUTES} <= set(found)


def test_every_module_of_the_package_can_be_imported_with_its_own_packages_only(unpacked):
    """Also those that are imported at the first call only."""
    report = json.loads(clean(unpacked, _EVERYTHING))
    ours = [
        path
        for top in ("functions", "postern")
        for path in (unpacked / top).rglob("*.py")
        if path != unpacked / top / "__init__.py"
    ]
    assert report["modules"] == len(ours)
    assert report["from_elsewhere"] == []


def test_a_package_that_is_not_in_the_lock_cannot_be_imported(unpacked):
    """The other tests would pass in an interpreter that is not clean."""
    with pytest.raises(AssertionError, match="No module named 'starlette'"):
        clean(unpacked, "import starlette")


def test_whatever_tool_deploys_ships_the_same_sources():
    lines = packaging.funcignore(PROJECT)
    azd = set(packaging.files(PROJECT, packaging.as_azd(lines)))
    func = set(packaging.files(PROJECT, packaging.as_core_tools(lines)))
    # For Core Tools a line with `!` always wins, so it takes bytecode along. That is harmless.
    bytecode = {name for name in func if name.endswith(".pyc")}
    assert func - bytecode == azd
    assert azd & bytecode == set()


def test_the_package_holds_what_the_host_reads_and_no_secret():
    names = set(packaging.files(PROJECT, packaging.as_azd(packaging.funcignore(PROJECT))))
    assert {"function_app.py", "host.json", "requirements.txt"} <= names
    assert {name.partition("/")[0] for name in names if "/" in name} == {"functions", "postern"}


@pytest.fixture
def tempting(tmp_path: Path) -> Path:
    """A project folder that holds all kinds of things that must stay at home."""
    for name in (
        *("function_app.py", "host.json", "requirements.txt", "requirements-dev.txt"),
        *("local.settings.json", ".env", "functions/.env.py", "postern/a.py", "postern/page.html"),
        *("postern/deep/er/b.css", "tests/test_a.py", "local/seed.py", ".azure/prod/.env"),
        *("infra/main.bicep", "secret.pem", "package.json", "postern/__pycache__/a.pyc"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("reading", [packaging.as_azd, packaging.as_core_tools])
def test_only_the_app_is_shipped_from_a_folder_with_secrets(tempting, reading):
    shipped = set(packaging.files(tempting, reading(packaging.funcignore(PROJECT))))
    assert shipped - {"postern/__pycache__/a.pyc"} == {
        *("function_app.py", "host.json", "requirements.txt", "functions/.env.py"),
        *("postern/a.py", "postern/page.html", "postern/deep/er/b.css"),
    }


@pytest.fixture
def deployed(unpacked: Path, stack: Stack, tmp_path: Path) -> Iterator[Api]:
    """The package under the dev host, on the stack's services."""
    (port,) = free_ports(1)
    files = stack.certificates
    program = Program(
        name="package",
        command=(
            *(sys.executable, "-m", "local.devhost", str(unpacked), "--port", str(port)),
            *("--settings", "none", "--cert", str(files.cert), "--key", str(files.key)),
        ),
        environment={
            **files.environment,
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
            **stack.settings,
            "PYTHONPATH": str(unpacked / TARGET),
            "PYTHONDONTWRITEBYTECODE": "",
        },
    )
    processes = Processes(tmp_path / "logs")
    processes.start(program)
    try:
        yield Api(f"https://127.0.0.1:{port}", files.ca)
    finally:
        processes.stop()


@pytest.mark.e2e
def test_the_package_answers_under_the_dev_host(deployed, unpacked):
    answer = deployed.get("/api/health")
    assert answer.status == 200, answer.text
    assert answer.body["status"] == "ok"
    # Bytecode is written where a module was imported from: the package, not the checkout.
    assert list((unpacked / "postern" / "services").glob("__pycache__/health.*.pyc"))
    assert list((unpacked / TARGET / "azure" / "data" / "tables").glob("__pycache__/*.pyc"))

"""What is committed: pinned, from nowhere in particular, and only what may be shipped."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from local.stack import Stack

PROJECT = Path(__file__).parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt")

# Neither this pattern nor the examples below (cut in two) are found by it.
FORBIDDEN = re.compile(
    r"""
      (?P<registry> pypi\.(?:org|io) | pythonhosted\.org | registry\.(?:npmjs\.org|yarnpkg\.com)
        | pkgs\.dev\.azure\.com | --(?:extra-)?index-url[ =]\S | --find-links[ =]\S
        | "resolved"\s*: )
    | (?P<machine> (?: file:// | (?<![\w./}-]) ) / (?: root | work | Users | home/(?!site/)\w+
        | opt/(?:wheels|pypi)[\w-]* ) / | [A-Z]:\\Users\\ )
    """,
    re.VERBOSE,
)


def git(*arguments: str) -> list[str]:
    output = subprocess.run(
        ("git", *arguments, "-z"), cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout
    return [name for name in output.split("\0") if name]


def committed_or_about_to_be() -> list[str]:
    return git("ls-files", "--cached", "--others", "--exclude-standard")


def pins(lock: str) -> dict[str, str]:
    """Read a lock as {name and marker: version}, and insist on every line's meaning."""
    found = {}
    text = (PROJECT / lock).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        match = re.fullmatch(
            r"(?P<name>[\w.-]+)==(?P<version>[\w.]+)\s*(?P<marker>;[^#]*?)?\s+"
            r"(?P<hashes>(?:--hash=sha256:[0-9a-f]{64}\s*)+)",
            line,
        )
        assert match, f"{lock}: not a pin with hashes: {line[:80]}"
        found[f"{match['name']} {match['marker'] or ''}".strip()] = match["version"]
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_nothing_but_pins_with_hashes(lock):
    assert len(pins(lock)) > 10


def test_what_is_developed_with_is_what_is_shipped():
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


def test_the_npm_lock_pins_by_hash_and_says_nothing_of_where_from():
    packages = json.loads((PROJECT / "package-lock.json").read_text())["packages"]
    del packages[""]
    assert "node_modules/azurite" in packages
    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert [name for name, one in packages.items() if "integrity" not in one] == []


def test_npm_packages_are_pinned_exactly():
    wanted = json.loads((PROJECT / "package.json").read_text())["devDependencies"]
    assert [name for name, version in wanted.items() if not re.fullmatch(r"[\d.]+", version)] == []


def test_no_file_names_a_registry_or_a_machine():
    found = []
    for name in committed_or_about_to_be():
        path = PROJECT / name
        if not path.is_file():
            continue
        text = path.read_bytes().decode(errors="replace")
        found += [
            f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group().strip()}"
            for match in FORBIDDEN.finditer(text)
        ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "https://files.python" + "hosted.org/packages/x.whl",
        "https://pypi" + ".org/simple",
        '"resolved"' + ': "https://mirror.example/x.tgz"',
        "--extra-index" + "-url https://mirror.example/simple",
        "  /" + "root/.pyenv/versions/3.11.7",
        "see /" + "work/main/local",
        "/home/" + "someone/postern",
        "file:///" + "opt/wheels/x.whl",
        "C:" + "\\Users\\someone",
    ],
)
def test_the_search_finds(line):
    assert FORBIDDEN.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "/home/" + "site/wwwroot/.python_packages",
        "https://example.com/" + "work/home",
        "from https://login.microsoftonline.com/organizations",
        "usr/local/" + "root/x",
    ],
)
def test_the_search_leaves_alone(line):
    assert not FORBIDDEN.search(line)


def test_the_licence_is_there():
    assert "MIT License" in (PROJECT / "LICENSE").read_text()


def test_only_the_app_is_shipped():
    """Read as git reads an ignore file, which is how the tools read `.funcignore`."""
    everything = set(committed_or_about_to_be())
    left_out = set(
        git("ls-files", "--cached", "--others", "--ignored", "--exclude-from=.funcignore")
    )
    shipped = everything - left_out
    tops = {name.partition("/")[0] for name in shipped}
    assert tops == {"function_app.py", "host.json", "requirements.txt", "functions", "postern"}
    of_the_app = {name for name in everything if name.startswith(("functions/", "postern/"))}
    assert of_the_app <= shipped


def test_local_settings_are_never_committed():
    answer = subprocess.run(("git", "check-ignore", "--quiet", "local.settings.json"), cwd=PROJECT)
    assert answer.returncode == 0


def test_the_example_settings_are_those_that_the_local_stack_gives(tmp_path):
    example = json.loads((PROJECT / "local.settings.json.example").read_text())
    given = Stack(tmp_path).settings
    assert example["IsEncrypted"] is False
    has_a_default = {
        "POSTERN_KEEP_ALIVE_SECONDS",
        "POSTERN_MARGIN_SECONDS",
        "POSTERN_INTAKE_SECONDS",
    }
    trust = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
    assert set(example["Values"]) == {*given, *has_a_default, *trust}

"""The documentation says what the source says: codes, numbers, reasons, settings, routes, links."""

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from postern.errors import SettingWrong
from postern.model.explanations import EXPLANATIONS
from postern.model.failure import _ERRORS, _NUMBERS
from postern.pages.reasons import REASONS
from postern.services.sign_in import _BY_ERROR, _BY_NUMBER
from postern.settings import AUTHORITY_HOSTS, GRAPH_HOSTS, read
from tests.unit.source_reading import PROJECT, codes, sources, strings, table
from tests.unit.test_function_app import ROUTES
from tests.unit.test_settings import GIVEN

ERRORS, SETTINGS = "docs/errors.md", "docs/settings.md"

_BEFORE_LINKS = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


# --- codes of the API ---------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["Code", "Cause", "AADSTS", "`error`", "Reason", "Entra's answer"])
def test_no_row_is_there_twice(head):
    keys = [row[0] for row in table(ERRORS, head)]
    assert keys
    assert len(keys) == len(set(keys))


def literal(code: str) -> set[int]:
    """Return the statuses of a code, leaving out what every cause may come as."""
    return codes()[code] - ({422, 503} if code in EXPLANATIONS else set())


def test_every_code_of_the_source_is_documented_and_no_other():
    documented = {row[0] for row in table(ERRORS, "Code")}
    causes = {row[0] for row in table(ERRORS, "Cause")}
    assert documented | causes == set(codes()) | set(EXPLANATIONS)
    # What is a cause and nothing else stands in the other table only.
    alone = {code for code in codes() if code not in EXPLANATIONS or literal(code)}
    assert alone <= documented


def test_every_code_comes_with_the_statuses_that_are_documented():
    for code, status, *_ in table(ERRORS, "Code"):
        documented = {int(each) for each in status.split(", ")}
        optional = {422, 503} if code in EXPLANATIONS else set()
        assert literal(code) <= documented <= literal(code) | optional, code


def test_codes_are_kebab_case():
    every = {*codes(), *EXPLANATIONS, *REASONS}
    assert [code for code in every if not re.fullmatch("[a-z]+(-[a-z]+)*", code)] == []


# --- Entra --------------------------------------------------------------------------------------


def test_every_cause_is_documented_in_the_words_that_admins_read():
    documented = {row[0]: row[2:] for row in table(ERRORS, "Cause")}
    assert documented == {code: [each.cause, each.repair] for code, each in EXPLANATIONS.items()}


def test_every_cause_is_documented_with_its_class():
    classes: dict[str, set[str]] = {cause: set() for cause in EXPLANATIONS} | {
        "unknown": {"unknown"}
    }
    for kind, cause in _NUMBERS.values():
        classes[cause].add(kind.value)
    for kinds, cause in _ERRORS.values():
        classes[cause].add(kinds[0].value)
    documented = {row[0]: set(row[1].split(", ")) - {"-"} for row in table(ERRORS, "Cause")}
    assert documented == classes


def test_the_table_of_numbers_is_the_sources():
    documented = {int(row[0]): (row[1], row[2]) for row in table(ERRORS, "AADSTS")}
    assert documented == {n: (kind.value, cause) for n, (kind, cause) in _NUMBERS.items()}


def test_every_number_names_a_source_that_is_listed():
    text = (PROJECT / ERRORS).read_text()
    for number, *_, source in table(ERRORS, "AADSTS"):
        assert text.count(f"{source} ") > text.count(f"| {source} |"), number


def test_the_table_of_errors_is_the_sources():
    documented = {row[0]: (row[1], row[2]) for row in table(ERRORS, "`error`")}
    assert documented == {
        error: (", ".join(kind.value for kind in kinds), cause)
        for error, (kinds, cause) in _ERRORS.items()
    }


# --- pages --------------------------------------------------------------------------------------


def test_every_reason_of_a_page_is_documented_with_its_status_and_title():
    documented = {row[0]: (int(row[1]), row[2]) for row in table(ERRORS, "Reason")}
    assert documented == {code: (each.status, each.title) for code, each in REASONS.items()}


def test_the_way_from_entras_answer_to_a_page_is_the_sources():
    documented = {row[0]: row[1] for row in table(ERRORS, "Entra's answer")}
    assert documented == {str(n): reason for n, reason in _BY_NUMBER.items()} | _BY_ERROR


def test_every_reason_that_the_source_gives_has_a_page():
    given = {*_BY_NUMBER.values(), *_BY_ERROR.values()}
    for _, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"PageError", "Ending"}:
                named = [each.value for each in node.keywords if each.arg == "reason"]
                given |= {text for each in (*node.args[:1], *named) for text in strings(each)}
    assert given <= set(REASONS)


# --- settings -----------------------------------------------------------------------------------


def settings() -> dict[str, tuple[str, str]]:
    """Return the documented settings with their default and form."""
    lines = (PROJECT / SETTINGS).read_text().splitlines()
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): (row[1].strip("`"), row[2]) for row in rows}


def settings_read() -> set[str]:
    """Return the settings that the app reads, and those that its triggers name."""
    reader = ast.parse((PROJECT / "postern/settings.py").read_text())
    found = {
        text
        for node in ast.walk(reader)
        if isinstance(node, ast.Call)
        for each in node.args
        for text in strings(each)
        if re.fullmatch("[A-Z][A-Z_]+", text)
    }
    for path in (PROJECT / "functions").glob("*.py"):
        found |= set(re.findall("%([A-Z_]+)%", path.read_text()))
    return found


def test_the_settings_that_are_read_are_documented_and_no_other():
    ours = {name for name in settings() if name.startswith("POSTERN_")}
    assert ours == settings_read()


def test_the_example_has_every_documented_setting_and_no_other():
    example: dict[str, Any] = json.loads((PROJECT / "local.settings.json.example").read_text())
    assert set(example["Values"]) == set(settings())


def test_defaults_are_those_of_the_reader():
    unset, every = read(GIVEN), settings()
    assert {name for name in GIVEN if every[name][0] != "required"} == set()
    assert every["POSTERN_AUTHORITY_HOST"][0] == unset.authority_host
    assert every["POSTERN_GRAPH_URL"][0] == unset.graph_url
    seconds = {
        "POSTERN_KEEP_ALIVE_SECONDS": unset.keep_alive,
        "POSTERN_MARGIN_SECONDS": unset.margin,
        "POSTERN_INTAKE_SECONDS": unset.intake_life,
    }
    for name, default in seconds.items():
        assert every[name][0] == str(int(default.total_seconds()))


def test_ranges_are_those_of_the_reader():
    ranges = {
        name: [int(bound) for bound in form.split(" to ")]
        for name, (_, form) in settings().items()
        if name.endswith("_SECONDS")
    }
    assert len(ranges) == 3
    for name, (least, most) in ranges.items():
        for inside in (least, most):
            read(GIVEN | {name: str(inside)})
        for outside in (least - 1, most + 1):
            with pytest.raises(SettingWrong):
                read(GIVEN | {name: str(outside)})


def test_the_hosts_that_are_taken_are_named():
    text = (PROJECT / SETTINGS).read_text()
    assert [host for host in AUTHORITY_HOSTS | GRAPH_HOSTS if f"`{host}`" not in text] == []


# --- links and routes ---------------------------------------------------------------------------


def documents() -> list[Path]:
    names = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"),
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return [PROJECT / name for name in names if name and (PROJECT / name).is_file()]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


def test_every_relative_link_leads_somewhere():
    broken = []
    for document in documents():
        prose = _BEFORE_LINKS.sub("", document.read_text())
        for target in _LINK.findall(prose):
            if re.match(r"[a-z][a-z+.-]*:", target):
                continue
            name, _, anchor = target.partition("#")
            goal = (document.parent / name).resolve() if name else document
            there = goal.is_file() if anchor else goal.exists()
            if not there or (anchor and anchor not in anchors(goal)):
                broken.append(f"{document.relative_to(PROJECT)}: {target}")
    assert broken == []


def test_the_readme_lists_the_routes_of_the_app():
    if not (PROJECT / "README.md").exists():
        return
    documented = [(row[0], row[1].strip("/")) for row in table("README.md", "Method")]
    assert sorted(documented) == sorted((method, route) for method, route, *_ in ROUTES)

"""Alerts and the workbook rest on lines that the app writes and on names that exist."""

import json
import re
from collections.abc import Iterator

from scripts.bicep import Deployment, shown
from tests.infra.checks import STORAGE, Infra
from tests.infra.reading import function_names, log_lines

RULES = "Microsoft.Insights/scheduledQueryRules"
WORKBOOKS = "Microsoft.Insights/workbooks"
GROUPS = "Microsoft.Insights/actionGroups"

_TEXT = r"'((?:[^'\\]|\\.)*)'"
_BEGINS = re.compile(rf"Message\s+(?:startswith|has|contains|startswith_cs|has_cs)\s+{_TEXT}")
_PARSED = re.compile(r"parse\s+Message\s+with\s+([^\n|]*)")
_EXTRACTED = re.compile(r"(?:\\b|@'| )([a-z_]+)=\(")
_FUNCTIONS = re.compile(rf"\bName\s*(?:==|in)\s*(\([^)]*\)|{_TEXT})")
_QUEUE = re.compile(r"Uri contains '/([^/']+)/")

# What the issue asks to be told of, by a word of the query or of the metric.
WANTED = {
    "a secret past its deadline": "SecretPurge",
    "an open breaker": "breaker opened",
    "mailboxes that need a reconnect": "lost=",
    "a backlog of refreshes": "oldest_seconds",
    "a poisoned message": "-poison",
    "the end of a credential": "credential ends",
    "answers of 5xx": ">= 500",
    "a vault that throttles": "429",
}


def queries(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Yield every query of alerts and workbook, with the name of where it is."""
    for rule in deployment.of(RULES):
        for criterion in rule.properties["criteria"]["allOf"]:
            yield rule.name.rpartition(">-")[2], str(criterion["query"])
    for workbook in deployment.of(WORKBOOKS):
        yield from _queries_in(json.loads(workbook.properties["serializedData"]))


def _queries_in(item: object) -> Iterator[tuple[str, str]]:
    if isinstance(item, dict):
        if isinstance(item.get("query"), str):
            yield "workbook", item["query"]
        for each in item.values():
            yield from _queries_in(each)
    elif isinstance(item, list):
        for each in item:
            yield from _queries_in(each)


def what_they_look_for_is_logged(infra: Infra) -> Iterator[str]:
    """A query that looks for a line which nobody writes never says anything."""
    for name, query in queries(infra.plain):
        yield from (f"{name}: {each}" for each in _not_logged(query))


def _not_logged(query: str) -> Iterator[str]:
    asked = [each for each in _BEGINS.findall(query) if each.strip()]
    for text in asked:
        if not any(text in line for line, _ in log_lines()):
            yield f"nobody logs {text!r}"
    for parsed in _PARSED.findall(query):
        parts = re.findall(_TEXT, parsed)
        if not any(_in_order(parts, line) for line, _ in log_lines()):
            yield f"no line reads like {parts}"
    lines = [(line, texts) for line, texts in log_lines() if any(a in line for a in asked)]
    for key in _EXTRACTED.findall(query):
        if lines and not any(f"{key}=" in line or key in texts for line, texts in lines):
            yield f"no such line says {key}="


def _in_order(parts: list[str], line: str) -> bool:
    at = 0
    # What has no letter may stand inside a value, such as the dot in a mailbox's id.
    for part in [each for each in parts if re.search("[a-z]", each)]:
        at = line.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def functions_and_queues_are_those_of_the_code(infra: Infra) -> Iterator[str]:
    """The host logs a request under its function's name."""
    made = {
        each.name.rpartition("/")[2] for each in infra.plain.of(f"{STORAGE}/queueServices/queues")
    }
    for name, query in queries(infra.plain):
        for names, _ in _FUNCTIONS.findall(query):
            for each in re.findall(_TEXT, names):
                if each not in function_names():
                    yield f"{name}: there is no function {each}"
        yield from (
            f"{name}: no queue {each}" for each in _QUEUE.findall(query) if each not in made
        )


def all_that_matters_is_watched(infra: Infra) -> Iterator[str]:
    """Each of the issue's alarms is there."""
    rules = [
        *(query for name, query in queries(infra.plain) if name != "workbook"),
        *(shown(dict(each.body)) for each in infra.plain.of("Microsoft.Insights/metricAlerts")),
    ]
    for what, word in WANTED.items():
        if not any(word in each for each in rules):
            yield f"nothing tells of {what}"


def alerts_reach_somebody(infra: Infra) -> Iterator[str]:
    """Every rule is on and calls the group, whose receivers are those of the parameters."""
    deployment = infra.deployed(
        alertEmails=["ops@contoso.example"], alertWebhooks=["https://hook.example/postern"]
    )
    (group,) = deployment.of(GROUPS)
    told = shown(group.properties)
    for wanted in ("ops@contoso.example", "https://hook.example/postern"):
        if wanted not in told:
            yield f"{wanted} is not told"
    identity = f"<{GROUPS} {group.name}.id>"
    for rule in (*deployment.of(RULES), *deployment.of("Microsoft.Insights/metricAlerts")):
        if rule.properties.get("enabled") is not True:
            yield f"{rule.name} is off"
        if identity not in shown(rule.properties.get("actions")):
            yield f"{rule.name} calls nobody"


CHECKS = [
    what_they_look_for_is_logged,
    functions_and_queues_are_those_of_the_code,
    all_that_matters_is_watched,
    alerts_reach_somebody,
]

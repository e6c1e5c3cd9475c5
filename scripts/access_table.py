"""What the app's identity can do, worked out from infra/modules/access.bicep.

python -m scripts.access_table            print the table
python -m scripts.access_table --write    put it into docs/security.md
python -m scripts.access_table --check    fail when the page is not fresh
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.bicep import Deployment, Ref, deploy, variable
from scripts.roles import BUILT_IN, Role

PROJECT = Path(__file__).resolve().parents[1]
ACCESS = Path("modules") / "access.bicep"
PAGE = PROJECT / "docs" / "security.md"
BEGIN, END = "<!-- access: begin -->", "<!-- access: end -->"

# Names that read as prose, in place of those that a deployment gives.
NAMES = {
    "storageName": "storage account",
    "intakeVaultName": "intake vault",
    "keysVaultName": "keys vault",
    "insightsName": "Application Insights",
    "principalId": "the app's identity",
    "suffix": "",
}
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
_DEFINITION = "Microsoft.Authorization/roleDefinitions"
_BEGINNING = re.compile(r"Microsoft\.\w+/((storageAccounts|vaults)/)?")
_INSIDE = {"tables": "table", "queues": "queue"}


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for one principal on one thing."""

    role: Role
    on: Ref
    principal: object


def grants(deployment: Deployment) -> Iterator[Grant]:
    """Yield every role assignment. Raises `KeyError` naming a role that nobody knows."""
    custom = {each.name: _custom(each.properties) for each in deployment.of(_DEFINITION)}
    for each in deployment.of(_ASSIGNMENT):
        role_id = str(each.properties["roleDefinitionId"]).partition("/roleDefinitions/")[2]
        role = custom.get(role_id) or BUILT_IN[role_id]
        assert each.under is not None, f"{each.where}: a role on the whole resource group"  # noqa: S101
        yield Grant(role, each.under, each.properties["principalId"])


def _custom(properties: dict[str, object] | object) -> Role:
    given = dict(properties) if isinstance(properties, dict) else {}
    permissions = given["permissions"]
    return Role(
        str(given["roleName"]).strip(),
        tuple(action for each in permissions for action in each.get("dataActions", [])),
        tuple(action for each in permissions for action in each.get("actions", [])),
    )


def table(infra: Path) -> str:
    """Return the table, a row for each role."""
    given = list(grants(deploy(infra / ACCESS, **NAMES)))
    why = {each["role"]: each["why"] for each in variable(infra / ACCESS, "rights", **NAMES)}
    rows = ["| Role | On | It may | Through Resource Manager | Why |", "|---|---|---|---|---|"]
    for role in dict.fromkeys(each.role for each in given):
        on = [each.on for each in given if each.role == role]
        rows.append(
            f"| {role.name} | {_places(on)} | {_actions(role.data)} |"
            f" {_actions(role.management) or 'nothing'} | {why[role.name]} |"
        )
    return "\n".join(rows) + "\n"


def _places(on: list[Ref]) -> str:
    first = on[0]
    kind = _INSIDE.get(first.type.rpartition("/")[2])
    if kind is None:
        return f"the whole {first.name}"
    names = ", ".join(f"`{each.name.rpartition('/')[2]}`" for each in on)
    return f"{kind} {names}" if len(on) == 1 else f"{kind}s {names}"


def _actions(actions: tuple[str, ...]) -> str:
    """Return the actions without what all of them begin with."""
    return ", ".join(f"`{_BEGINNING.sub('', each)}`" for each in actions)


def renewed(page: str, generated: str) -> str:
    """Return *page* with *generated* between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        msg = f"docs/security.md has no {BEGIN} … {END}"
        raise SystemExit(msg)
    return f"{before}{BEGIN}\n{generated}{END}{after}"


def main() -> None:
    """Print, write or check the table."""
    page = PAGE.read_text()
    generated = table(PROJECT / "infra")
    fresh = renewed(page, generated)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(fresh)
    elif "--check" not in sys.argv[1:]:
        sys.stdout.write(generated)
    elif fresh != page:
        sys.exit("docs/security.md is not fresh: run python -m scripts.access_table --write")


if __name__ == "__main__":
    main()

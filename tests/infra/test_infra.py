"""infra/ is held against the app: settings, rights, names, hardening, alerts."""

import pytest

from scripts import access_table
from scripts.bicep import deploy
from tests.infra.checks import (
    Check,
    Infra,
    access,
    entra,
    exposure,
    hardening,
    running,
    settings,
    watching,
)
from tests.infra.reading import PROJECT, sdk_calls

FOLDER = PROJECT / "infra"
CHECKS: list[Check] = [
    *settings.CHECKS,
    *access.CHECKS,
    *hardening.CHECKS,
    *exposure.CHECKS,
    *running.CHECKS,
    *entra.CHECKS,
    *watching.CHECKS,
]


@pytest.fixture(scope="module")
def infra() -> Infra:
    return Infra(FOLDER)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_infra_is_as_the_app_needs_it(infra, check):
    assert list(check(infra)) == [], check.__doc__


def test_every_call_of_an_adapter_has_its_right_written_down():
    """A new call needs a row in tests/infra/checks/access.py, and so a right in access.bicep."""
    assert sdk_calls() == set(access.CALLS)


def test_the_table_of_rights_is_fresh():
    page = access_table.PAGE.read_text()
    assert access_table.renewed(page, access_table.table(FOLDER)) == page, (
        "run python -m scripts.access_table --write"
    )


def test_the_table_names_everything_that_the_deployment_gives(infra):
    """It is made from access.bicep alone: nobody may give a right elsewhere."""
    everywhere = {grant.role.data for grant in access_table.grants(infra.plain)}
    alone = deploy(FOLDER / access_table.ACCESS, **access_table.NAMES)
    assert everywhere == {grant.role.data for grant in access_table.grants(alone)}
    given = "Microsoft.Authorization/roleAssignments"
    assert len(infra.plain.of(given)) == len(alone.of(given))

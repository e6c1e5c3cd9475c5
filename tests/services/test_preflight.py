"""Preflight claims nothing that it did not see, and each fault comes with its repair."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from postern.errors import NotFound, ProviderRefused
from postern.model.config import Audience, Config
from postern.model.preflight import Check, Result
from postern.model.scopes import Protocol
from postern.services.registered import NAMES
from tests.fakes import (
    CERTIFICATE,
    CLIENT_ID,
    HOME,
    FakeWorld,
    Password,
    Registration,
    wanted,
)

OK, FAILED, NOT_CHECKED = Result.OK, Result.FAILED, Result.NOT_CHECKED
EXCHANGE = ("tenant", "app", "credential")
REDIRECT_URI = "https://mail.agency.example/api/callback"


async def run(world: FakeWorld, config: Config) -> dict[str, Check]:
    report = await world.app.preflight.run(config.id)
    found = {check.name: check for check in report.checks}
    assert len(found) == len(report.checks)
    for check in report.checks:
        assert check.why
        assert (check.result is not FAILED) or check.repair, check
    return found


def results(checks: dict[str, Check]) -> dict[str, Result]:
    return {name: check.result for name, check in checks.items()}


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    """Return a config whose app may read itself, with nothing wrong."""
    config = await world.active()
    registration(world).may_change_itself = True
    registration(world).consented = registration(world).permissions
    return config


def registration(world: FakeWorld) -> Registration:
    return world.directory.registrations[CLIENT_ID]


async def test_where_all_is_right_all_is_ok(world: FakeWorld, config: Config):
    report = await world.app.preflight.run(config.id)
    names = [check.name for check in report.checks]
    assert names == [*EXCHANGE, "credential-end", *NAMES]
    assert {check.result for check in report.checks} == {OK}
    assert report.correlation_id
    assert report.checked == world.clock.now()


async def test_it_changes_nothing(world: FakeWorld, config: Config):
    before = [world.records.all(table) for table in ("configs", "audit")]
    world.tape.calls.clear()
    await run(world, config)
    assert [world.records.all(table) for table in ("configs", "audit")] == before
    changing = ("directory.add*", "directory.remove*", "records.put", "records.replace")
    assert [world.tape.count(each) for each in changing] == [0] * 4


async def test_a_config_that_is_not_there(world: FakeWorld):
    with pytest.raises(NotFound, match="config-unknown"):
        await world.app.preflight.run("zzzzzzzz")


# --- the exchange -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "error", "expected"),
    [
        (90002, "invalid_request", (FAILED, NOT_CHECKED, NOT_CHECKED)),
        (900023, "invalid_request", (FAILED, NOT_CHECKED, NOT_CHECKED)),
        (700016, "unauthorized_client", (OK, FAILED, NOT_CHECKED)),
        (7000112, "unauthorized_client", (OK, FAILED, NOT_CHECKED)),
        (7000229, "unauthorized_client", (OK, FAILED, NOT_CHECKED)),
        (700027, "invalid_client", (OK, OK, FAILED)),
        (70021, "invalid_client", (OK, OK, FAILED)),
        (700213, "invalid_client", (OK, OK, FAILED)),
        (700236, "invalid_client", (NOT_CHECKED, NOT_CHECKED, FAILED)),
        (None, "invalid_client", (NOT_CHECKED, NOT_CHECKED, FAILED)),
        (None, "something_new", (NOT_CHECKED,) * 3),
        (90033, "temporarily_unavailable", (NOT_CHECKED,) * 3),
    ],
)
async def test_a_refusal_tells_how_far_entra_came(
    world: FakeWorld, config: Config, number: int | None, error: str, expected: tuple[Result, ...]
):
    world.provider.refuse(error=error, number=number, operation="prove_assertion")
    report = await world.app.preflight.run(config.id)
    found = {check.name: check.result for check in report.checks}
    assert tuple(found[name] for name in EXCHANGE) == expected
    assert {found[name] for name in NAMES} == {NOT_CHECKED}, "there was no token to look with"
    assert report.correlation_id == "c0ffee"
    assert world.tape.count("directory.registration") == 0


@pytest.mark.fault
@pytest.mark.parametrize("call", ["provider.prove_assertion", "keys.sign"])
async def test_what_does_not_answer_is_not_checked(world: FakeWorld, call: str):
    world.register(secret=None)
    waiting = await world.app.activation.activate("admin", wanted(credential=CERTIFICATE), None)
    world.tape.fail(call)
    report = await world.another_process().preflight.run(waiting.id)
    found = {check.name: check.result for check in report.checks}
    assert {found[name] for name in (*EXCHANGE, *NAMES)} == {NOT_CHECKED}


async def test_a_credential_that_is_not_trusted_yet_is_a_fault_with_its_repair(world: FakeWorld):
    world.register(secret=None)
    config = await world.app.activation.activate("admin", wanted(credential=CERTIFICATE), None)
    found = await run(world, config)
    assert found["credential"].result is FAILED
    assert found["app"].result is OK


# --- the end of the credential ------------------------------------------------------------------


@pytest.mark.parametrize(("before", "expected"), [(31, OK), (30, FAILED), (-1, FAILED)])
async def test_a_certificate_that_ends_soon_is_told(
    world: FakeWorld, before: int, expected: Result
):
    world.register(secret=None)
    config = await world.app.activation.activate("admin", wanted(credential=CERTIFICATE), None)
    assert config.certificate is not None
    world.clock.advance(config.certificate.not_after - timedelta(days=before) - world.clock.now())
    assert (await run(world, config))["credential-end"].result is expected


# --- what Graph shows ---------------------------------------------------------------------------


@pytest.mark.rights
@pytest.mark.parametrize("status", [403, 404, 401])
async def test_what_graph_does_not_show_is_not_checked(
    world: FakeWorld, config: Config, status: int
):
    world.tape.fail(
        "directory.registration", lambda: ProviderRefused(error="denied", status=status)
    )
    found = await run(world, config)
    assert {found[name].result for name in NAMES} == {NOT_CHECKED}
    assert all(str(status) in found[name].why and found[name].repair for name in NAMES)
    assert {found[name].result for name in EXCHANGE} == {OK}


@pytest.mark.fault
async def test_a_graph_that_does_not_answer_is_not_checked(world: FakeWorld, config: Config):
    world.tape.fail("directory.registration")
    found = await run(world, config)
    assert {found[name].result for name in NAMES} == {NOT_CHECKED}


async def test_an_app_without_rights_is_told_so(world: FakeWorld, config: Config):
    registration(world).may_change_itself = False
    found = await run(world, config)
    assert {found[name].result for name in NAMES} == {NOT_CHECKED}


async def only(world: FakeWorld, config: Config, name: str) -> Check:
    """Return the one check that is not ok."""
    found = await run(world, config)
    assert [n for n, result in results(found).items() if result is not OK] == [name]
    return found[name]


async def test_a_client_secret_that_is_still_there_is_a_fault(world: FakeWorld, config: Config):
    ends = world.clock.now() + timedelta(days=100)
    registration(world).passwords = [Password("another-secret", key_id="abc", ends=ends)]
    check = await only(world, config, "client-secrets")
    assert check.result is FAILED
    assert f"'abc' (ends {ends:%Y-%m-%d})" in check.why


async def test_a_client_secret_that_has_ended_is_none(world: FakeWorld, config: Config):
    registration(world).passwords = [Password("another-secret", ends=world.clock.now())]
    assert set(results(await run(world, config)).values()) == {OK}


async def test_other_peoples_trust_is_listed_and_not_judged(world: FakeWorld, config: Config):
    registration(world).federated["https://issuer.example", "repo:x"] = world.clock.now()
    check = await only(world, config, "other-credentials")
    assert check.result is NOT_CHECKED
    assert "repo:x of https://issuer.example" in check.why


async def test_our_certificates_are_ours_and_others_are_listed(world: FakeWorld, config: Config):
    theirs = await world.app.renewal._assertions.new_certificate("theirs")
    ours = await world.app.activation.activate("admin", wanted(credential=CERTIFICATE), None)
    assert ours.certificate is not None
    shelf = registration(world).certificates
    shelf[base64.b64decode(ours.certificate.der)] = world.clock.now()
    found = await run(world, ours)
    # It stays trusted through our identity too, which is ours as well.
    assert found["other-credentials"].result is OK
    shelf[base64.b64decode(theirs.der)] = world.clock.now()
    check = (await run(world, ours))["other-credentials"]
    assert check.result is NOT_CHECKED
    assert f"ends {theirs.not_after:%Y-%m-%d}" in check.why


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"web": ()}, "missing"),
        ({"web": (REDIRECT_URI + "/",)}, "not the same"),
        ({"web": (REDIRECT_URI.replace("api", "API"),)}, "not the same"),
        ({"web": (), "spa": (REDIRECT_URI,)}, "single-page"),
    ],
)
async def test_a_redirect_uri_is_compared_letter_for_letter(
    world: FakeWorld, config: Config, changes: dict[str, Any], word: str
):
    for name, value in changes.items():
        setattr(registration(world), name, value)
    check = await only(world, config, "redirect-uri")
    assert check.result is FAILED
    assert word in check.why


@pytest.mark.parametrize("missing", ["SMTP.Send", "IMAP.AccessAsUser.All", "Mail.Send"])
async def test_a_permission_that_is_not_listed_is_named(
    world: FakeWorld, config: Config, missing: str
):
    registration(world).permissions -= {missing}
    check = await only(world, config, "permissions")
    assert check.result is FAILED
    assert missing in check.why


async def test_only_the_configured_protocols_need_permissions(world: FakeWorld):
    config = await world.active(protocols=(Protocol.SMTP,))
    registration(world).may_change_itself = True
    registration(world).permissions = frozenset({"SMTP.Send", "offline_access"})
    assert (await run(world, config))["permissions"].result is OK
    registration(world).permissions = frozenset({"SMTP.Send"})
    check = (await run(world, config))["permissions"]
    assert "offline_access" in check.why, "without it nothing lasts"


async def test_a_consent_that_cannot_be_read_is_not_claimed(world: FakeWorld, config: Config):
    registration(world).consented = None
    check = await only(world, config, "consent")
    assert check.result is NOT_CHECKED
    assert check.repair


async def test_a_consent_that_is_missing_is_named(world: FakeWorld, config: Config):
    registration(world).consented = registration(world).permissions - {"SMTP.Send"}
    check = await only(world, config, "consent")
    assert check.result is FAILED
    assert "SMTP.Send" in check.why
    assert "Mail.Send" not in check.why
    assert HOME in check.why


@pytest.mark.parametrize(
    ("listed", "audience", "expected"),
    [
        ("AzureADMyOrg", Audience.TENANT, OK),
        ("AzureADMultipleOrgs", Audience.ORGANIZATIONS, OK),
        ("AzureADandPersonalMicrosoftAccount", Audience.ORGANIZATIONS, OK),
        ("AzureADMyOrg", Audience.ORGANIZATIONS, FAILED),
        ("AzureADMultipleOrgs", Audience.TENANT, FAILED),
        ("PersonalMicrosoftAccount", Audience.ORGANIZATIONS, FAILED),
        ("SomethingNew", Audience.TENANT, FAILED),
    ],
)
async def test_the_audience_is_what_was_activated(
    world: FakeWorld, listed: str, audience: Audience, expected: Result
):
    config = await world.active(audience=audience)
    registration(world).may_change_itself = True
    registration(world).audience = listed
    assert (await run(world, config))["audience"].result is expected

"""Every road of an activation, and what a death at each step leaves: never a readable secret."""

import asyncio
import base64
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from postern.errors import Conflict, Malformed, NotFound, PosternError, Unavailable, Unprocessable
from postern.model.branding import Branding
from postern.model.config import Audience, Config, ConfigState
from postern.model.scopes import Protocol
from postern.model.secret import Secret
from tests.fakes import (
    CERTIFICATE,
    CLIENT_ID,
    ELSEWHERE,
    HOME,
    MANAGED_IDENTITY,
    PASTED,
    FakeWorld,
    down,
    wanted,
)

ACTIVE, FAILED = ConfigState.ACTIVE, ConfigState.FAILED
AWAITING, HANDING_OVER = ConfigState.AWAITING_TRUST, ConfigState.HANDING_OVER
VALIDATING = ConfigState.VALIDATING


async def activate(world: FakeWorld, secret: str | None = PASTED, **changes: Any) -> Config:
    pasted = Secret(secret) if secret is not None else None
    return await world.app.activation.activate("admin", wanted(**changes), pasted)


async def stored(world: FakeWorld, config: Config) -> Config:
    found = await world.configs.get(config.id)
    assert found is not None
    return found


# --- the roads ----------------------------------------------------------------------------------


async def test_with_a_right_on_graph_everything_is_handed_over(world: FakeWorld):
    registration = world.register(may_change_itself=True)
    config = await activate(world)
    assert (config.state, config.credential) == (ACTIVE, MANAGED_IDENTITY)
    assert list(registration.federated) == [world.trust]
    assert registration.passwords == []
    assert world.intake.secrets() == {}
    assert (config.intake, config.intake_deadline) == (None, None)
    assert await stored(world, config) == config


async def test_without_a_right_an_admin_adds_the_trust_and_verifies(world: FakeWorld):
    registration = world.register()
    config = await activate(world)
    assert config.state is AWAITING
    assert world.intake.secrets() == {}
    world.clock.advance(seconds=1)
    registration.federated[world.trust] = world.clock.now()
    assert (await world.app.activation.verify("admin", config.id)).state is ACTIVE
    assert [event["result"] for event in world.events()] == ["awaiting-trust", "active"]


async def test_verifying_too_early_changes_nothing(world: FakeWorld):
    world.register()
    config = await activate(world)
    assert (await world.app.activation.verify("admin", config.id)).state is AWAITING
    assert len(world.events()) == 1


async def test_trust_that_is_there_before_the_secret_is_not_added_again(world: FakeWorld):
    world.register(trusts_us=True, may_change_itself=True)
    assert (await activate(world)).state is ACTIVE
    assert world.tape.count("directory.add_*") == 0


async def test_slow_replication_is_waited_for(world: FakeWorld):
    world.directory.replication = timedelta(seconds=20)
    world.register(may_change_itself=True)
    assert (await activate(world)).state is ACTIVE


async def test_very_slow_replication_is_left_to_the_timer_and_the_answer_comes_in_a_minute(
    world: FakeWorld,
):
    world.directory.replication = timedelta(minutes=5)
    registration = world.register(may_change_itself=True)
    started = world.clock.now()
    config = await activate(world)
    assert config.state is HANDING_OVER
    assert world.clock.now() - started < timedelta(seconds=60)
    assert world.intake.secrets() == {}, "the secret does not wait for replication"
    world.clock.advance(timedelta(minutes=5))
    await world.app.sweeper.sweep()
    assert (await stored(world, config)).state is ACTIVE
    assert registration.passwords == [], "the password is removed once the credential is proven"


async def test_the_password_stays_in_entra_until_another_credential_is_proven(world: FakeWorld):
    world.directory.replication = timedelta(minutes=5)
    registration = world.register(may_change_itself=True)
    await activate(world)
    assert len(registration.passwords) == 1


async def test_an_app_of_another_tenant_gets_a_certificate(world: FakeWorld):
    registration = world.register(tenant=ELSEWHERE, may_change_itself=True)
    config = await activate(world, tenant_id=ELSEWHERE)
    assert (config.state, config.credential) == (ACTIVE, CERTIFICATE)
    assert len(registration.certificates) == 1
    assert registration.passwords == []


async def test_a_certificate_is_uploaded_by_hand_where_graph_is_closed(world: FakeWorld):
    registration = world.register()
    config = await activate(world, credential=CERTIFICATE)
    assert config.state is AWAITING
    assert config.certificate is not None
    registration.certificates[base64.b64decode(config.certificate.der)] = world.clock.now()
    assert (await world.app.activation.verify("admin", config.id)).state is ACTIVE


async def test_a_certificate_is_added_beside_the_ones_that_are_there(world: FakeWorld):
    registration = world.register(may_change_itself=True)
    registration.certificates[b"another system's"] = world.clock.now()
    assert (await activate(world, credential=CERTIFICATE)).state is ACTIVE
    assert len(registration.certificates) == 2


async def test_without_a_secret_a_trusted_app_is_active_at_once(world: FakeWorld):
    world.register(secret=None, trusts_us=True)
    assert (await activate(world, None)).state is ACTIVE
    assert world.tape.count("intake.*") == 0


async def test_without_a_secret_and_without_trust_it_waits(world: FakeWorld):
    world.register(secret=None)
    assert (await activate(world, None)).state is AWAITING


async def test_the_kind_of_credential_follows_the_tenant_unless_it_is_chosen(world: FakeWorld):
    world.register(secret=None)
    home = await activate(world, None)
    chosen = await activate(world, None, credential=CERTIFICATE)
    assert (home.credential, home.credential_reason) == (
        MANAGED_IDENTITY,
        "the app is registered in our own tenant",
    )
    assert (chosen.credential, chosen.credential_reason) == (CERTIFICATE, "as asked")


# --- what goes wrong ----------------------------------------------------------------------------


async def test_a_wrong_secret_fails_with_its_repair_and_is_still_removed(world: FakeWorld):
    world.register()
    config = await activate(world, "Wrong8Q~secret-that-nobody-knows")
    assert config.state is FAILED
    assert config.problem is not None
    assert config.problem.code == "credential-wrong"
    assert "Secret ID" in config.problem.description
    assert config.problem.correlation_id
    assert world.intake.secrets() == {}
    assert config.intake is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"}, "app-unknown"),
        ({"tenant_id": ELSEWHERE}, "app-unknown"),
    ],
)
async def test_an_app_that_is_not_there_fails(world: FakeWorld, changes: dict[str, Any], code: str):
    world.register()
    config = await activate(world, **changes)
    assert config.state is FAILED
    assert config.problem is not None
    assert config.problem.code == code
    assert world.intake.secrets() == {}


async def test_a_failed_config_becomes_active_once_its_trust_is_there(world: FakeWorld):
    registration = world.register()
    config = await activate(world, "Wrong8Q~secret-that-nobody-knows")
    registration.federated[world.trust] = world.clock.now()
    verified = await world.app.activation.verify("admin", config.id)
    assert (verified.state, verified.problem) == (ACTIVE, None)


async def test_a_vault_that_takes_no_secret_stops_before_entra_sees_it(world: FakeWorld):
    world.register()
    world.tape.fail("intake.put")
    with pytest.raises(Unavailable):
        await activate(world)
    assert world.tape.count("provider.*") == 0
    (row,) = world.records.all("configs", "")[:1]
    assert world.intake.secrets() == {}
    config = await world.configs.get(row.key)
    assert config is None or config.state is FAILED


async def test_an_entra_that_does_not_answer_fails_and_keeps_no_secret(world: FakeWorld):
    world.register()
    world.tape.fail("provider.prove_secret")
    with pytest.raises(Unavailable, match="not-there"):
        await activate(world)
    (config,) = [known.value async for known in world.configs.all()]
    assert config.state is FAILED
    assert world.intake.secrets() == {}


async def test_a_throttled_entra_fails_with_that_cause(world: FakeWorld):
    world.register()
    world.provider.refuse(
        error="temporarily_unavailable", status=429, operation="prove_secret", times=999
    )
    config = await activate(world)
    assert config.problem is not None
    assert config.problem.code == "throttled"


async def test_a_moment_of_throttling_fails_nothing(world: FakeWorld):
    world.register(may_change_itself=True)
    world.provider.refuse(
        error="temporarily_unavailable", status=429, operation="prove_secret", times=2
    )
    assert (await activate(world)).state is ACTIVE


@pytest.mark.parametrize("operation", ["add_federated_credential", "password_id"])
async def test_a_graph_that_does_not_answer_leaves_the_admins_road(
    world: FakeWorld, operation: str
):
    world.register(may_change_itself=True)
    world.tape.fail(f"directory.{operation}")
    config = await activate(world)
    assert config.state in (ACTIVE, AWAITING)
    assert world.intake.secrets() == {}


async def test_a_password_that_cannot_be_removed_does_not_undo_the_activation(world: FakeWorld):
    world.register(may_change_itself=True)
    world.tape.fail("directory.remove_password", times=2)
    config = await activate(world)
    assert config.state is ACTIVE
    receipt = await world.app.configurations.receipt(config.id)
    assert "still valid in Entra" in receipt.entra_note


async def test_an_active_config_whose_trust_was_taken_away_says_so(world: FakeWorld):
    config = await world.active()
    world.directory.registrations[CLIENT_ID].federated.clear()
    with pytest.raises(Unprocessable, match="trust-lost"):
        await world.app.activation.verify("admin", config.id)
    assert (await stored(world, config)).state is ACTIVE


async def test_an_active_config_whose_app_is_disabled_says_so(world: FakeWorld):
    config = await world.active()
    world.directory.registrations[CLIENT_ID].disabled = True
    with pytest.raises(Unprocessable, match="app-disabled") as refused:
        await world.app.activation.verify("admin", config.id)
    assert refused.value.details["correlation_id"]


async def test_a_running_activation_is_not_verified_by_others(world: FakeWorld):
    world.register()
    refused: list[PosternError] = []

    async def meddle() -> None:
        (known,) = [known async for known in world.configs.all()]
        try:
            await world.another_process().activation.verify("admin", known.value.id)
        except Conflict as exc:
            refused.append(exc)

    world.tape.before("provider.prove_secret", meddle)
    await activate(world)
    assert [str(each) for each in refused] == ["activation-under-way"]


async def test_of_two_verifications_at_once_one_is_told_to_look_again(world: FakeWorld):
    registration = world.register()
    config = await activate(world)
    registration.federated[world.trust] = world.clock.now()

    async def other() -> None:
        await world.another_process().activation.verify("other", config.id)

    world.records.before("replace", other)
    with pytest.raises(Conflict, match="changed-meanwhile"):
        await world.app.activation.verify("admin", config.id)
    assert (await stored(world, config)).state is ACTIVE


async def test_verifying_what_is_not_there_is_told(world: FakeWorld):
    with pytest.raises(NotFound, match="config-unknown"):
        await world.app.activation.verify("admin", "zzzzzzzz")


# --- the form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "  "}, "name-malformed"),
        ({"name": "two\nlines"}, "name-malformed"),
        ({"client_id": "not-a-guid"}, "client-id-malformed"),
        ({"tenant_id": "contoso.example"}, "tenant-id-malformed"),
        ({"allowed_tenants": (HOME, "x")}, "allowed-tenants-malformed"),
        ({"protocols": ()}, "protocols-missing"),
        ({"branding": Branding(product="x", accent="red")}, "accent-malformed"),
        ({"branding": Branding(product="x", support="nobody")}, "support-malformed"),
        ({"return_urls": ("http://agency.example/done",)}, "return-url-malformed"),
        ({"return_urls": ("https://agency.example\\@evil.example/",)}, "return-url-malformed"),
        ({"return_urls": ("https://user@agency.example/",)}, "return-url-malformed"),
        ({"return_urls": ("javascript:alert(1)",)}, "return-url-malformed"),
        ({"return_urls": ("https://[::1",)}, "return-url-malformed"),
        ({"return_urls": ("//agency.example/",)}, "return-url-malformed"),
        ({"return_urls": ("https://agency.example/\n",)}, "return-url-malformed"),
    ],
)
async def test_a_form_error_is_told_before_anything_is_stored(
    world: FakeWorld, changes: dict[str, Any], code: str
):
    with pytest.raises(Malformed) as refused:
        await activate(world, **changes)
    assert refused.value.code == code
    assert world.tape.calls == []


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ("6f1b0c1e-3c55-4f6e-9d1a-0c6f1f1f0001", "secret-id-pasted"),
        (" 6F1B0C1E-3C55-4F6E-9D1A-0C6F1F1F0001\n", "secret-id-pasted"),
        ("short", "secret-malformed"),
        ("two words of a secret", "secret-malformed"),
        ("a-secret-with-a-newline\n", "secret-malformed"),
        ("x" * 513, "secret-malformed"),
        ("geheim-mit-ümlaut", "secret-malformed"),
    ],
)
async def test_what_cannot_be_a_secrets_value_is_told_and_goes_nowhere(
    world: FakeWorld, secret: str, code: str
):
    with pytest.raises(Malformed) as refused:
        await activate(world, secret)
    assert refused.value.code == code
    assert secret.strip() not in refused.value.description
    assert world.tape.calls == []


async def test_ids_are_compared_as_entra_writes_them(world: FakeWorld):
    world.register(secret=None, trusts_us=True)
    config = await activate(world, None, client_id=CLIENT_ID.upper(), tenant_id=HOME.upper())
    assert (config.client_id, config.tenant_id, config.state) == (CLIENT_ID, HOME, ACTIVE)


async def test_a_single_tenant_app_has_an_authority_of_its_own(world: FakeWorld):
    world.register(secret=None, trusts_us=True)
    single = await activate(world, None, audience=Audience.TENANT)
    many = await activate(world, None, protocols=(Protocol.SMTP,))
    assert (single.app.authority, many.app.authority) == (HOME, "organizations")


# --- dying anywhere -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Road:
    """A way through an activation, to be cut off at each of its steps."""

    secret: str | None
    prepare: Callable[[FakeWorld], object]
    changes: dict[str, Any]


ROADS = {
    "handed over": Road(PASTED, lambda w: w.register(may_change_itself=True), {}),
    "certificate": Road(
        PASTED, lambda w: w.register(may_change_itself=True), {"credential": CERTIFICATE}
    ),
    "by hand": Road(PASTED, lambda w: w.register(), {}),
    "wrong secret": Road("Wrong8Q~secret-that-nobody-knows", lambda w: w.register(), {}),
    "without a secret": Road(None, lambda w: w.register(secret=None, trusts_us=True), {}),
}
DEATHS: dict[str, Callable[[], BaseException]] = {
    "unavailable": down,
    "cancelled": asyncio.CancelledError,
}


async def _steps(road: Road) -> int:
    world = FakeWorld()
    road.prepare(world)
    await activate(world, road.secret, **road.changes)
    return len(world.tape.calls)


@pytest.mark.crash
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("name", ROADS)
async def test_whatever_dies_where_no_secret_outlives_its_deadline_and_one_sweep(
    name: str, death: str, lasting: bool, after: bool
):
    """Cut off at every call of every port, before its effect and right after it.

    Lasting: nothing answers from then on, as when the process is killed and no `finally` helps.
    """
    road = ROADS[name]
    for step in range(await _steps(road)):
        world = FakeWorld()
        road.prepare(world)
        world.tape.fail("*", DEATHS[death], skip=step, after=after)
        if lasting:
            world.tape.fail("*", DEATHS[death], skip=step, times=1000)
        with contextlib.suppress(Unavailable, asyncio.CancelledError):
            await activate(world, road.secret, **road.changes)
        where = f"{death} at {world.tape.calls[step]} ({step})"
        world.tape.heal()
        world.clock.advance(timedelta(minutes=11))
        await world.another_process().sweeper.sweep()
        assert world.intake.secrets() == {}, where
        assert world.shows(PASTED) == [], where
        states = {known.value.state async for known in world.configs.all()}
        assert VALIDATING not in states, where
        assert all([known.value.intake is None async for known in world.configs.all()]), where


@pytest.mark.crash
async def test_an_activation_that_was_cut_off_says_so_and_can_be_verified(world: FakeWorld):
    registration = world.register()
    world.tape.fail("provider.prove_secret", asyncio.CancelledError)
    with pytest.raises(asyncio.CancelledError):
        await activate(world)
    world.clock.advance(timedelta(minutes=11))
    await world.app.sweeper.sweep()
    (config,) = [known.value async for known in world.configs.all()]
    assert config.state is FAILED
    assert config.problem is not None
    assert config.problem.code == "activation-interrupted"
    registration.federated[world.trust] = world.clock.now()
    assert (await world.app.activation.verify("admin", config.id)).state is ACTIVE


@pytest.mark.crash
async def test_a_cut_off_activation_still_removes_its_secret_at_once(world: FakeWorld):
    """A caller that hangs up cancels the handler; the removal in `finally` runs all the same."""
    world.register()
    world.tape.fail("provider.prove_secret", asyncio.CancelledError)
    with pytest.raises(asyncio.CancelledError):
        await activate(world)
    assert world.intake.secrets() == {}


async def test_a_secret_that_entra_does_not_know_everywhere_yet_is_tried_again(world: FakeWorld):
    world.register(may_change_itself=True)
    world.provider.refuse(
        error="invalid_client", number=7000215, status=401, times=3, operation="prove_secret"
    )
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert config.state is ACTIVE
    assert world.tape.count("provider.prove_secret") == 4


async def test_a_wrong_secret_is_given_up_within_seconds(world: FakeWorld):
    world.register()
    world.provider.refuse(
        error="invalid_client", number=7000215, status=401, times=999, operation="prove_secret"
    )
    begun = world.clock.now()
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert config.problem is not None
    assert config.problem.code == "credential-wrong"
    assert timedelta(seconds=10) <= world.clock.now() - begun < timedelta(seconds=20)


async def test_what_nobody_knows_is_passed_on_readable(world: FakeWorld):
    world.register()
    world.provider.refuse(
        error="strange_thing", number=424242, status=400, times=1, operation="prove_secret"
    )
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert config.problem is not None
    assert (config.problem.code, config.problem.aadsts) == ("unknown", 424242)
    assert "strange_thing (424242)" in config.problem.description


async def test_of_two_re_activations_at_once_one_wins_and_one_is_told(world: FakeWorld):
    world.register(may_change_itself=True)
    config = await activate(world)
    begin = world.app.succession.begin
    ends = await asyncio.gather(
        *(begin("admin", config, wanted(), None, confirmed=False) for _ in range(5)),
        return_exceptions=True,
    )
    lost = [each for each in ends if isinstance(each, Conflict)]
    won = [each for each in ends if isinstance(each, Config)]
    assert len(won) + len(lost) == 5
    assert won
    assert {each.code for each in lost} <= {"activation-under-way", "changed-meanwhile"}
    found = await world.app.configurations.show(config.id)
    assert found[0].state is ACTIVE
    assert found[0].activation in {each.activation for each in won}
    assert await world.app.succession.of(config.id) is None


async def test_a_sweep_during_an_activation_leaves_it_alone(world: FakeWorld):
    world.register(may_change_itself=True)
    world.tape.before("provider.prove_secret", world.app.sweeper.sweep)
    config = await activate(world)
    assert config.state is ACTIVE
    assert world.intake.secrets() == {}


async def test_verify_during_an_activation_is_told_to_wait(world: FakeWorld):
    world.register(may_change_itself=True)
    told: list[str] = []

    async def verify() -> None:
        (config,) = [known.value async for known in world.configs.all()]
        with pytest.raises(Conflict) as caught:
            await world.app.activation.verify("admin", config.id)
        told.append(caught.value.code)

    world.tape.before("provider.prove_secret", verify)
    assert (await activate(world)).state is ACTIVE
    assert told[0] == "activation-under-way"


async def test_a_lost_answer_to_the_removal_is_looked_up(world: FakeWorld):
    """Graph removed the password and its answer was lost: the receipt must not say otherwise."""
    world.register(may_change_itself=True)
    world.tape.fail("directory.remove_password", after=True)
    config = await activate(world)
    claims = world.app.custody.claims(await world.app.configurations.receipt(config.id))
    assert claims["entra_removed_at"]
    assert claims["not_done"] == []


async def test_a_cut_off_activation_tells_that_the_password_stays(world: FakeWorld):
    world.register(may_change_itself=True)
    world.tape.fail("directory.password_id", asyncio.CancelledError)
    with pytest.raises(asyncio.CancelledError):
        await activate(world)
    (config,) = [known.value async for known in world.configs.all()]
    world.clock.advance(timedelta(hours=1))
    await world.app.sweeper.sweep()
    receipt = await world.app.configurations.receipt(config.id)
    assert "ended before" in receipt.entra_note
    assert "still valid in Entra" in receipt.entra_note

"""Custody of a pasted secret and its receipt, which may say less than was done but never more."""

import json
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest

from postern.errors import NotFound, Unavailable
from postern.model.config import ConfigState
from postern.model.secret import Secret
from tests.fakes import CLIENT_ID, HOME, PASTED, FakeWorld, wanted

ALL_STEPS = [
    "deleted from the intake vault",
    "purged from the intake vault",
    "read back as gone",
    "removed from the app registration in Entra",
    "replaced by a proven credential",
]


async def activated(world: FakeWorld, **registration: Any) -> str:
    world.register(**registration)
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    return config.id


async def verified(world: FakeWorld, config: str) -> dict[str, Any]:
    """Return the receipt's claims as a stranger with PyJWT and our JWKS reads them."""
    custody = await world.app.configurations.receipt(config)
    assert custody.receipt is not None
    served = json.dumps(await world.app.custody.key_set())
    keys = jwt.PyJWKSet.from_json(served)
    key = keys[jwt.get_unverified_header(custody.receipt)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        custody.receipt,
        key,
        algorithms=["RS256"],
        issuer="https://mail.agency.example",
        options={"verify_iat": False},
    )
    return claims


async def test_the_receipt_of_a_whole_hand_over_lists_nothing_as_undone(world: FakeWorld):
    config = await activated(world, may_change_itself=True)
    claims = await verified(world, config)
    assert claims["not_done"] == []
    assert (claims["sub"], claims["client_id"], claims["tenant_id"]) == (config, CLIENT_ID, HOME)
    assert claims["vault"] == world.intake.url
    assert claims["secret_name"] == f"intake-{claims['jti']}"
    assert (claims["closed_by"], claims["replaced_by"]) == ("activation", "managed-identity")
    assert claims["proof_correlation_id"]
    assert claims["recoverable_until"] is None


async def test_the_times_of_a_receipt_are_when_each_fact_was_seen(world: FakeWorld):
    world.intake.delay = timedelta(seconds=5)
    claims = await verified(world, await activated(world, may_change_itself=True))
    times = [
        datetime.fromisoformat(claims[name])
        for name in ("held_from", "deleted_at", "purged_at", "gone_at", "proven_at")
    ]
    assert times == sorted(times)
    assert times[1] - times[0] >= timedelta(seconds=5)
    assert times[2] - times[1] >= timedelta(seconds=5)
    assert claims["seconds_held"] == (times[3] - times[0]).total_seconds()
    assert claims["held_until"] == claims["gone_at"]


async def test_an_altered_receipt_does_not_verify(world: FakeWorld):
    config = await activated(world)
    custody = await world.app.configurations.receipt(config)
    assert custody.receipt is not None
    head, body, signature = custody.receipt.split(".")
    altered = f"{head}.{body[:-4]}AAAA.{signature}"
    keys = jwt.PyJWKSet.from_json(json.dumps(await world.app.custody.key_set()))
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(altered, keys.keys[0], algorithms=["RS256"])


async def test_a_receipt_still_verifies_after_its_key_was_rotated(world: FakeWorld):
    config = await activated(world)
    world.keys.rotate("receipts")
    assert (await verified(world, config))["sub"] == config
    served = await world.app.custody.key_set()
    assert len(served["keys"]) == 2  # type: ignore[arg-type]


async def test_the_served_keys_hold_no_private_part(world: FakeWorld):
    served = await world.app.custody.key_set()
    keys: Any = served["keys"]
    assert len(keys) == 1
    assert set(keys[0]) == {"kty", "use", "alg", "kid", "n", "e"}


async def test_purge_protection_makes_the_receipt_say_until_when_it_is_recoverable(
    world: FakeWorld,
):
    world.intake.purge_protection = True
    claims = await verified(world, await activated(world, may_change_itself=True))
    assert claims["not_done"] == ["purged from the intake vault", "read back as gone"]
    assert (claims["purged_at"], claims["gone_at"]) == (None, None)
    deleted = datetime.fromisoformat(claims["deleted_at"])
    until = datetime.fromisoformat(claims["recoverable_until"])
    assert timedelta(days=6) < until - deleted <= timedelta(days=7)


async def test_without_a_right_on_graph_the_receipt_says_that_the_password_is_still_valid(
    world: FakeWorld,
):
    claims = await verified(world, await activated(world))
    assert "removed from the app registration in Entra" in claims["not_done"]
    assert "replaced by a proven credential" in claims["not_done"]
    assert "still valid in Entra" in claims["entra_note"]
    assert len(world.directory.registrations[CLIENT_ID].passwords) == 1


async def test_of_two_passwords_that_look_alike_none_is_removed_and_the_receipt_says_so(
    world: FakeWorld,
):
    """Graph shows three characters of a password: guessing could remove another system's."""
    registration = world.register(may_change_itself=True)
    registration.passwords.append(type(registration.passwords[0])(PASTED[:3] + "-of-another"))
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    claims = await verified(world, config.id)
    assert len(registration.passwords) == 2
    assert "cannot be told" in claims["entra_note"]
    assert claims["entra_removed_at"] is None


async def test_a_removal_that_takes_too_long_is_not_called_done(world: FakeWorld):
    world.intake.delay = timedelta(minutes=5)
    config = await activated(world)
    claims = await verified(world, config)
    assert claims["not_done"] == ALL_STEPS
    assert (claims["held_until"], claims["seconds_held"]) == (None, None)


async def test_a_removal_finished_later_is_told_with_the_later_time(world: FakeWorld):
    world.intake.delay = timedelta(minutes=5)
    config = await activated(world)
    world.clock.advance(timedelta(minutes=11))
    world.intake.delay = timedelta(seconds=1)
    await world.app.sweeper.sweep()
    claims = await verified(world, config)
    assert set(ALL_STEPS[:3]).isdisjoint(claims["not_done"])
    assert claims["seconds_held"] >= 660
    assert world.intake.secrets() == {}


async def test_a_vault_that_fails_at_the_removal_leaves_no_receipt_until_the_sweep(
    world: FakeWorld,
):
    world.tape.fail("intake.remove")
    config = await activated(world)
    with pytest.raises(NotFound, match="receipt-not-yet"):
        await world.app.configurations.receipt(config)
    world.clock.advance(timedelta(minutes=11))
    await world.app.sweeper.sweep()
    assert (await verified(world, config))["closed_by"] == "swept"


async def test_a_failed_signature_keeps_no_secret(world: FakeWorld):
    world.tape.fail("keys.sign", skip=0)
    config = await activated(world)
    assert world.intake.secrets() == {}
    world.clock.advance(timedelta(minutes=11))
    await world.app.sweeper.sweep()
    assert "read back as gone" not in (await verified(world, config))["not_done"]


async def test_an_activation_without_a_secret_has_no_receipt(world: FakeWorld):
    config = await world.active()
    with pytest.raises(NotFound, match="receipt-none"):
        await world.app.configurations.receipt(config.id)


async def test_the_record_names_the_secret_before_the_vault_gets_it(world: FakeWorld):
    """A crash right after the secret arrived must leave its name where the sweeper looks."""
    world.register()
    seen: list[list[object]] = []

    async def look() -> None:
        rows = world.records.all("configs")
        seen.append([row.values.get("secret_name") or row.values.get("intake") for row in rows])

    world.tape.before("intake.put", look)
    await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    (names,) = seen
    assert len(names) == 2
    assert len(set(names)) == 1
    assert str(names[0]).startswith("intake-")


async def test_the_secret_stands_in_no_record(world: FakeWorld):
    await activated(world, may_change_itself=True)
    assert world.shows(PASTED) == []
    assert world.shows(PASTED[:8]) == []


async def test_a_secret_waits_no_longer_than_the_settings_say(world: FakeWorld):
    short = FakeWorld(POSTERN_INTAKE_SECONDS="60")
    short.register()
    held = []

    async def look() -> None:
        held.extend([each async for each in short.intake.held()])

    short.tape.before("provider.prove_secret", look)
    await short.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert held[0].expires == datetime.fromisoformat("2025-06-02T12:01:00+00:00")


async def test_records_that_fail_after_the_removal_are_told(world: FakeWorld):
    world.register()
    world.tape.fail("records.put", skip=2, times=9)
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert config.state is ConfigState.AWAITING_TRUST
    assert config.intake is not None, "the sweeper must look at it again"
    assert world.intake.secrets() == {}


async def test_a_custody_that_cannot_be_written_takes_no_secret(world: FakeWorld):
    world.register()
    world.tape.fail("records.put")
    with pytest.raises(Unavailable):
        await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert world.tape.count("intake.put") == 0

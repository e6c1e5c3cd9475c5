"""Certificates are renewed with overlap: the present one works until the next one is proven."""

import asyncio
import base64
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from postern.errors import Unavailable
from postern.model.caller import Role
from postern.model.config import Config, ConfigState
from postern.model.scopes import Protocol
from postern.model.secret import Secret
from postern.model.trust import certificate_to_add
from postern.services.renewal import PATIENCE, RENEW_BEFORE_END, SETTLE
from postern.stores.codec import decode
from tests.fakes import (
    CERTIFICATE,
    CLIENT_ID,
    MANAGED_IDENTITY,
    PASTED,
    FakeWorld,
    Password,
    caller,
    down,
    wanted,
)

SWEEP = timedelta(minutes=5)


async def certified(world: FakeWorld, *, may_change_itself: bool = True) -> Config:
    """Return an active config whose credential is a certificate."""
    registration = world.register(may_change_itself=True)
    config = await world.app.activation.activate(
        "admin", wanted(credential=CERTIFICATE), Secret(PASTED)
    )
    assert config.state is ConfigState.ACTIVE
    registration.may_change_itself = may_change_itself
    return config


async def stored(world: FakeWorld, config: Config) -> Config:
    found = await world.configs.get(config.id)
    assert found is not None
    return found


def near_the_end(world: FakeWorld, config: Config, before: timedelta = RENEW_BEFORE_END) -> None:
    assert config.certificate is not None
    world.clock.advance(config.certificate.not_after - before - world.clock.now())


async def sweep(world: FakeWorld, config: Config, after: timedelta = SWEEP) -> Config:
    """Let the next sweep come, in a process of its own, and return the config then."""
    world.clock.advance(after)
    await world.another_process().sweeper.sweep()
    return await stored(world, config)


def upload(world: FakeWorld, config: Config) -> None:
    """Add the next certificate by hand, as it is shown."""
    shown = certificate_to_add(config)
    assert shown is not None
    body = "".join(str(shown["certificate"]).splitlines()[1:-1])
    registration = world.directory.registrations[CLIENT_ID]
    registration.certificates[base64.b64decode(body)] = world.clock.now()


# --- when ---------------------------------------------------------------------------------------


async def test_nothing_happens_until_sixty_days_before_the_end(world: FakeWorld):
    config = await certified(world)
    near_the_end(world, config, RENEW_BEFORE_END + timedelta(seconds=1))
    assert await sweep(world, config, timedelta()) == config
    renewing = await sweep(world, config, timedelta(seconds=1))
    assert renewing.next_certificate is not None
    assert renewing.certificate == config.certificate


async def test_a_managed_identity_is_not_renewed(world: FakeWorld):
    config = await world.active()
    assert config.credential is MANAGED_IDENTITY
    assert await sweep(world, config, timedelta(days=800)) == config


@pytest.mark.parametrize("changes", [{"deleting": True}, {"state": ConfigState.FAILED}])
async def test_what_serves_nobody_is_not_renewed(world: FakeWorld, changes):
    config = await certified(world)
    known = await world.configs.find(config.id)
    assert known is not None
    await world.configs.save(known, replace(config, **changes))
    near_the_end(world, config)
    counts = await world.app.renewal.renew_all()
    assert counts.total() == 0


async def test_a_paused_config_is_renewed_since_its_mailboxes_stay_fresh(world: FakeWorld):
    config = await certified(world)
    known = await world.configs.find(config.id)
    assert known is not None
    await world.configs.save(known, replace(config, paused=True))
    near_the_end(world, config)
    assert (await sweep(world, config)).next_certificate is not None


# --- with a right on Graph ----------------------------------------------------------------------


async def test_an_app_that_may_change_itself_gets_its_certificate_by_itself(world: FakeWorld):
    config = await certified(world)
    registration = world.directory.registrations[CLIENT_ID]
    old, theirs = set(registration.certificates), world.clock.now()
    registration.certificates[b"another system's"] = theirs
    world.keys.rotate("client-assertion")
    near_the_end(world, config)

    offered = await sweep(world, config)
    assert offered.next_certificate is not None
    assert offered.next_certificate.added is not None
    assert certificate_to_add(offered) is None, "there is nothing for an admin to do"
    assert offered.certificate == config.certificate

    proven = await sweep(world, config)
    assert proven.next_certificate is not None
    assert proven.next_certificate.proven is not None
    assert proven.certificate == config.certificate, "one server of Entra is not all of them"

    renewed = await sweep(world, config, SETTLE)
    assert renewed.certificate == offered.next_certificate.certificate
    assert renewed.next_certificate is None
    newest = (await world.keys.public_keys("client-assertion"))[0]
    assert renewed.certificate.key_version == newest.version
    assert renewed.certificate.not_after - world.clock.now() > timedelta(days=360)
    assert old < set(registration.certificates), "what was there is never taken away"
    assert registration.certificates[b"another system's"] == theirs
    did = [event["did"] for event in world.events()]
    assert did[-2:] == ["made the next certificate", "renewed the certificate"]


async def test_sweeping_on_changes_nothing_more(world: FakeWorld):
    config = await certified(world)
    near_the_end(world, config)
    for _ in range(30):
        await sweep(world, config)
    settled = await stored(world, config)
    assert settled.next_certificate is None
    assert len(world.directory.registrations[CLIENT_ID].certificates) == 2
    assert world.tape.count("directory.add_certificate") == 2, "one at activation, one now"
    assert await sweep(world, config) == settled


async def test_slow_replication_is_waited_for_and_the_old_one_used(world: FakeWorld):
    config = await certified(world)
    near_the_end(world, config)
    world.directory.replication = timedelta(hours=3)
    for _ in range(30):
        assert (await sweep(world, config)).certificate == config.certificate
    for _ in range(30):
        await sweep(world, config)
    assert (await stored(world, config)).certificate != config.certificate
    assert world.tape.count("directory.add_certificate") == 2


async def test_mailboxes_are_refreshed_all_along_also_where_the_old_one_is_remembered(
    world: FakeWorld,
):
    config = await certified(world)
    mailbox = await world.connect(config, protocols=(Protocol.SMTP,))
    near_the_end(world, config)
    used = set()
    for _ in range(12):
        present = await sweep(world, config, timedelta(minutes=6))
        assert present.certificate is not None
        used.add(present.certificate.der)
        before = world.tape.count("provider.refresh")
        for app in (world.app, world.another_process()):
            world.clock.advance(timedelta(seconds=1))
            token = await app.delivery.token(caller(Role.SENDER), str(mailbox), Protocol.SMTP, 3300)
            assert token.warning is None
        assert world.tape.count("provider.refresh") > before
    assert len(used) == 2


# --- without ------------------------------------------------------------------------------------


async def test_without_a_right_an_admin_adds_it_and_the_clock_finds_it(world: FakeWorld):
    config = await certified(world, may_change_itself=False)
    near_the_end(world, config)
    waiting = await sweep(world, config)
    assert waiting.next_certificate is not None
    assert waiting.certificate == config.certificate
    upload(world, waiting)
    proven = await sweep(world, config, PATIENCE)
    assert certificate_to_add(proven) is None
    renewed = await sweep(world, config, SETTLE)
    assert renewed.certificate == waiting.next_certificate.certificate


async def test_an_admin_who_calls_verify_need_not_wait_for_the_clock(world: FakeWorld):
    config = await certified(world, may_change_itself=False)
    near_the_end(world, config)
    upload(world, await sweep(world, config))
    await world.app.renewal.look(config.id)
    proven = await stored(world, config)
    assert proven.next_certificate is not None
    assert proven.next_certificate.proven is not None


async def test_looking_where_nothing_waits_does_nothing(world: FakeWorld):
    config = await certified(world)
    await world.app.renewal.look("zzzzzzzz")
    await world.app.renewal.look(config.id)
    assert await stored(world, config) == config


async def test_waiting_for_an_admin_is_patient(world: FakeWorld):
    """Every try in vain is a failed sign-in in the log of the app's tenant."""
    config = await certified(world, may_change_itself=False)
    near_the_end(world, config)
    waiting = await sweep(world, config)
    before = world.tape.count("provider.prove_assertion")
    for _ in range(11):
        assert await sweep(world, config) == waiting
    assert world.tape.count("provider.prove_assertion") == before


async def test_even_after_its_end_a_certificate_is_replaced_and_the_mailboxes_work_again(
    world: FakeWorld,
):
    config = await certified(world, may_change_itself=False)
    mailbox = await world.connect(config, protocols=(Protocol.SMTP,))
    near_the_end(world, config, timedelta(days=-3))

    async def fetch() -> object:
        sender = caller(Role.SENDER)
        return await world.another_process().delivery.token(sender, str(mailbox), Protocol.SMTP, 60)

    with pytest.raises(Unavailable, match="app-fault"):
        await fetch()
    assert await world.configs.breaker(config.id)
    waiting = await sweep(world, config)
    upload(world, waiting)
    renewed = await sweep(world, config, PATIENCE)
    assert waiting.next_certificate is not None
    assert renewed.certificate == waiting.next_certificate.certificate, "nothing works: no settling"
    assert await world.configs.breaker(config.id) is None
    assert await fetch()


async def test_a_next_certificate_that_nobody_wanted_is_made_anew_before_it_ends(
    world: FakeWorld,
):
    config = await certified(world, may_change_itself=False)
    near_the_end(world, config)
    first = await sweep(world, config)
    assert first.next_certificate is not None
    end = first.next_certificate.certificate.not_after
    world.clock.advance(end - RENEW_BEFORE_END - world.clock.now())
    second = await sweep(world, config)
    assert second.next_certificate is not None
    assert second.next_certificate.certificate.not_after > end


async def test_a_reactivation_brings_its_own_certificate_and_drops_the_one_that_waits(
    world: FakeWorld,
):
    config = await certified(world, may_change_itself=False)
    near_the_end(world, config)
    waiting = await sweep(world, config)
    registration = world.directory.registrations[CLIENT_ID]
    registration.may_change_itself = True
    registration.passwords.append(Password("new8Q~another-client-secret-of-forty-chars"))
    pasted = Secret("new8Q~another-client-secret-of-forty-chars")
    succeeded = await world.app.succession.begin(
        "admin", waiting, wanted(credential=CERTIFICATE), pasted, confirmed=False
    )
    assert succeeded.state is ConfigState.ACTIVE
    assert succeeded.next_certificate is None
    assert succeeded.certificate not in waiting.certificates


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.fault
@pytest.mark.parametrize(
    "call", ["directory.add_certificate", "provider.*", "keys.sign", "keys.public_keys"]
)
async def test_what_fails_leaves_the_old_one_in_use_and_is_tried_again(world: FakeWorld, call: str):
    config = await certified(world)
    near_the_end(world, config)
    world.tape.fail(call, times=100)
    for _ in range(15):
        assert (await sweep(world, config)).certificate == config.certificate
    world.tape.heal()
    await sweep(world, config, PATIENCE)
    for _ in range(6):
        await sweep(world, config)
    renewed = await stored(world, config)
    assert renewed.certificate != config.certificate
    assert renewed.next_certificate is None


@pytest.mark.fault
async def test_one_that_fails_does_not_stop_the_others(world: FakeWorld):
    first, second = await certified(world), await certified(world)
    near_the_end(world, second)
    world.tape.fail("keys.sign", times=1)
    await sweep(world, first)
    states = [(await stored(world, each)).next_certificate for each in (first, second)]
    assert sum(each is None for each in states) == 1


async def test_a_proof_that_is_lost_again_begins_anew(world: FakeWorld):
    """An admin removes it again, or another server of Entra does not know it."""
    config = await certified(world, may_change_itself=False)
    near_the_end(world, config)
    waiting = await sweep(world, config)
    upload(world, waiting)
    proven = await sweep(world, config, PATIENCE)
    assert proven.next_certificate is not None
    registration = world.directory.registrations[CLIENT_ID]
    registration.certificates.popitem()
    lost = await sweep(world, config, SETTLE)
    assert lost.certificate == config.certificate
    assert lost.next_certificate is not None
    assert lost.next_certificate.proven is None
    assert certificate_to_add(lost) is not None


async def test_an_admins_change_meanwhile_is_kept(world: FakeWorld):
    config = await certified(world)
    near_the_end(world, config)

    async def rename() -> None:
        known = await world.configs.find(config.id)
        assert known is not None
        await world.configs.save(known, replace(known.value, name="Renamed"))

    world.records.before("replace", rename)
    for _ in range(8):
        await sweep(world, config)
    renewed = await stored(world, config)
    assert renewed.name == "Renamed"
    assert renewed.certificate != config.certificate


async def run(world: FakeWorld, config: Config, sweeps: int = 5) -> int:
    """Let a few sweeps come; return how many calls they made. The old one must work all along."""
    before = len(world.tape.calls)
    trusted = world.directory.registrations[CLIENT_ID].certificates
    for _ in range(sweeps):
        world.clock.advance(SWEEP)
        with contextlib.suppress(asyncio.CancelledError):
            await world.another_process().sweeper.sweep()
        present = on_the_shelf(world, config).certificate
        assert present is not None
        assert trusted[base64.b64decode(present.der)] <= world.clock.now()
    return len(world.tape.calls) - before


def on_the_shelf(world: FakeWorld, config: Config) -> Config:
    """Read the row without a call on the tape."""
    (row,) = [r for r in world.records.all("configs", config.id) if r.partition == "config"]
    return decode(Config, row.values)


@pytest.mark.crash
@pytest.mark.parametrize("death", [down, asyncio.CancelledError], ids=["fails", "killed"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_cut_off_at_any_call_it_still_ends_well(
    death: Callable[[], BaseException], after: bool
):
    """Whatever call of the renewal dies, the old one works until the next one does."""
    world = FakeWorld()
    config = await certified(world)
    near_the_end(world, config)
    steps = await run(world, config)
    assert on_the_shelf(world, config).certificate != config.certificate
    for step in range(steps):
        world = FakeWorld()
        config = await certified(world)
        near_the_end(world, config)
        world.tape.fail("*", death, skip=step, after=after)
        await run(world, config)
        world.tape.heal()
        world.clock.advance(PATIENCE)
        await run(world, config)
        renewed = on_the_shelf(world, config)
        assert renewed.certificate != config.certificate, step
        assert renewed.next_certificate is None, step
        assert len(world.directory.registrations[CLIENT_ID].certificates) == 2, step

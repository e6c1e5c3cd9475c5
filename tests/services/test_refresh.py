"""Refreshing: one call however many ask, nothing lost, and each failure to whom it concerns."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from postern.assembly import Postern
from postern.errors import ConsentLost, NotFound, PosternError, Unavailable
from postern.model.caller import Role
from postern.model.config import Config
from postern.model.grant import Grant
from postern.model.mailbox import MailboxId, MailboxState
from postern.model.scopes import Protocol, Resource
from postern.services.delivery import Delivered
from tests.fakes import FakeWorld, caller

SENDER, ADMIN = caller(Role.SENDER), caller(Role.ADMIN)


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


@pytest.fixture
async def mailbox(world: FakeWorld, config: Config) -> MailboxId:
    """Return a mailbox whose access token has ended."""
    connected = await world.connect(config, protocols=(Protocol.SMTP,))
    world.clock.advance(timedelta(hours=2))
    return connected


def fetch(app: Postern, mailbox: MailboxId, minimum: int = 60) -> Awaitable[Delivered]:
    return app.delivery.token(SENDER, str(mailbox), Protocol.SMTP, minimum)


async def grant(world: FakeWorld, mailbox: MailboxId) -> Grant:
    known = await world.grants.find(mailbox)
    assert known is not None
    return known.value


def outage() -> Unavailable:
    """What the adapter raises when Entra does not answer in time."""
    return Unavailable("entra-unavailable", "Entra does not answer; try again.")


async def until_waiting(world: FakeWorld) -> None:
    for _ in range(10_000):
        if world.provider.waiting:
            return
        await asyncio.sleep(0)
    pytest.fail("nobody asked Entra")


# --- single flight ------------------------------------------------------------------------------


async def test_two_hundred_at_once_in_one_process_are_one_call(
    world: FakeWorld, mailbox: MailboxId
):
    writes = world.tape.count("records.replace")
    world.provider.hold()
    asking = [asyncio.ensure_future(fetch(world.app, mailbox)) for _ in range(200)]
    await until_waiting(world)
    world.provider.release()
    given = await asyncio.gather(*asking)
    assert world.tape.count("provider.refresh") == 1
    assert world.tape.count("records.replace") == writes + 1, "one lease, for which nobody queued"
    assert len({each.access_token.reveal() for each in given}) == 1


async def test_ten_processes_at_once_are_one_call(world: FakeWorld, mailbox: MailboxId):
    processes = [world.another_process() for _ in range(10)]
    given = await asyncio.gather(*(fetch(each, mailbox) for each in processes))
    assert world.tape.count("provider.refresh") == 1
    assert len({each.access_token.reveal() for each in given}) == 1


async def test_different_needs_at_once_are_one_call_when_one_answer_does(
    world: FakeWorld, mailbox: MailboxId
):
    given = await asyncio.gather(*(fetch(world.app, mailbox, 60 + n) for n in range(20)))
    assert world.tape.count("provider.refresh") == 1
    assert len({each.access_token.reveal() for each in given}) == 1


async def test_a_timer_and_a_sender_at_once_are_one_call(world: FakeWorld, mailbox: MailboxId):
    world.clock.advance(timedelta(days=1))
    (batch,) = await world.app.schedule.due_batches()
    other = world.another_process()
    await asyncio.gather(world.app.schedule.run_batch(batch), fetch(other, mailbox))
    assert world.tape.count("provider.refresh") == 1


async def test_a_process_that_died_holds_a_mailbox_for_half_a_minute_at_most(
    world: FakeWorld, mailbox: MailboxId
):
    world.tape.fail("provider.refresh", asyncio.CancelledError)
    with pytest.raises(asyncio.CancelledError):
        await fetch(world.app, mailbox)
    assert (await grant(world, mailbox)).lease is not None
    started = world.clock.now()
    assert (await fetch(world.another_process(), mailbox)).expires > started
    assert world.clock.now() - started <= timedelta(seconds=31)


async def test_a_holder_that_never_ends_makes_the_others_give_up(
    world: FakeWorld, mailbox: MailboxId
):
    known = await world.grants.find(mailbox)
    assert known is not None
    forever = world.clock.now() + timedelta(days=1)
    await world.grants.lease(known, replace(known.value, lease="another", lease_until=forever))
    with pytest.raises(Unavailable, match="busy"):
        await fetch(world.app, mailbox)
    assert world.tape.count("provider.refresh") == 0


async def test_a_caller_that_hangs_up_does_not_cut_off_the_refresh(
    world: FakeWorld, mailbox: MailboxId
):
    world.provider.hold()
    leaving = asyncio.ensure_future(fetch(world.app, mailbox))
    await until_waiting(world)
    leaving.cancel()
    world.provider.release()
    await asyncio.gather(leaving, return_exceptions=True)
    given = await fetch(world.app, mailbox)
    assert world.tape.count("provider.refresh") == 1
    assert given.expires > world.clock.now()


async def test_the_flight_is_over_after_a_failure(world: FakeWorld, mailbox: MailboxId):
    world.tape.fail("provider.refresh", outage)
    with pytest.raises(Unavailable):
        await fetch(world.app, mailbox)
    assert (await fetch(world.app, mailbox)).warning is None


# --- nothing lost -------------------------------------------------------------------------------


async def test_a_new_refresh_token_replaces_the_old_one(world: FakeWorld, mailbox: MailboxId):
    (old,) = world.provider.refresh_tokens
    await fetch(world.app, mailbox)
    del world.provider.refresh_tokens[old]
    world.clock.advance(timedelta(hours=2))
    assert (await fetch(world.app, mailbox)).expires > world.clock.now()


async def test_the_old_refresh_token_is_kept_when_no_new_one_came(
    world: FakeWorld, mailbox: MailboxId
):
    world.provider.rotates = False
    before = (await grant(world, mailbox)).refresh_token
    await fetch(world.app, mailbox)
    assert (await grant(world, mailbox)).refresh_token == before
    world.clock.advance(timedelta(hours=2))
    await fetch(world.app, mailbox)


async def test_a_refresh_moves_the_due_row_with_the_grant(world: FakeWorld, mailbox: MailboxId):
    (before,) = world.due(mailbox)
    await fetch(world.app, mailbox)
    (after,) = world.due(mailbox)
    due = (await grant(world, mailbox)).due
    assert due is not None
    assert after == due.strftime("%Y%m%dT%H%M%SZ") != before


async def test_a_due_row_that_is_missing_is_written_anew(world: FakeWorld, mailbox: MailboxId):
    (row,) = world.records.all("grants", "due~")
    await world.records.delete("grants", row)
    await fetch(world.app, mailbox)
    assert len(world.due(mailbox)) == 1


async def test_a_write_that_meets_a_new_consent_gives_the_new_consents_token(
    world: FakeWorld, config: Config, mailbox: MailboxId
):
    user = next(iter(world.provider.refresh_tokens.values()))[1]

    async def reconnects() -> None:
        app, world.app = world.app, world.another_process()
        await world.connect(config, user, protocols=(Protocol.SMTP,))
        world.app = app

    world.tape.before("provider.refresh", reconnects)
    given = await fetch(world.app, mailbox)
    assert len(world.due(mailbox)) == 1
    stored = await grant(world, mailbox)
    assert stored.outlook is not None
    assert stored.lease is None
    assert given.expires == stored.outlook.expires


async def test_a_mailbox_disconnected_meanwhile_stays_disconnected(
    world: FakeWorld, mailbox: MailboxId
):
    async def disconnects() -> None:
        await world.another_process().mailboxes.disconnect(ADMIN, str(mailbox))

    world.tape.before("provider.refresh", disconnects)
    with pytest.raises(NotFound):
        await fetch(world.app, mailbox)
    assert world.records.all("grants") == []
    assert world.records.all("mailboxes") == []


@pytest.mark.fault
async def test_an_answer_that_was_lost_costs_nothing(world: FakeWorld, mailbox: MailboxId):
    """Entra answered, we did not hear it: the old refresh token still works."""
    world.tape.fail("provider.refresh", outage, after=True)
    with pytest.raises(Unavailable):
        await fetch(world.app, mailbox)
    assert (await fetch(world.app, mailbox)).expires > world.clock.now()


@pytest.mark.fault
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_records_that_fail_at_the_write_lose_nothing(
    world: FakeWorld, mailbox: MailboxId, after: bool
):
    world.tape.fail("records.transact", after=after)
    with pytest.raises(Unavailable):
        await fetch(world.app, mailbox)
    assert (await fetch(world.another_process(), mailbox)).expires > world.clock.now()
    assert len(world.due(mailbox)) == 1


# --- whom a failure concerns --------------------------------------------------------------------


def refuse(world: FakeWorld, error: str, number: int | None = None, **more: Any) -> None:
    world.provider.refuse(error=error, number=number, operation="refresh", **more)


@pytest.mark.parametrize("number", [7000222, 700016, 700027, 7000112, 700213])
async def test_the_apps_fault_opens_its_breaker_and_changes_no_mailbox(
    world: FakeWorld, config: Config, mailbox: MailboxId, number: int
):
    before = await grant(world, mailbox), await world.mailbox(mailbox), world.due(mailbox)
    refuse(world, "invalid_client", number, status=401)
    with pytest.raises(Unavailable, match="app-fault"):
        await fetch(world.app, mailbox)
    after = await grant(world, mailbox), await world.mailbox(mailbox), world.due(mailbox)
    assert after == before
    _, breaker = await world.app.configurations.show(config.id)
    assert breaker is not None
    asked = world.tape.count("provider.refresh")
    with pytest.raises(Unavailable, match="app-fault"):
        await fetch(world.app, mailbox)
    assert world.tape.count("provider.refresh") == asked, "left alone while it is open"


async def test_the_apps_fault_passes_and_everything_revives(
    world: FakeWorld, config: Config, mailbox: MailboxId
):
    refuse(world, "invalid_client", 7000222, status=401)
    with pytest.raises(Unavailable):
        await fetch(world.app, mailbox)
    world.clock.advance(timedelta(minutes=5))
    assert (await fetch(world.app, mailbox)).expires > world.clock.now()
    _, breaker = await world.app.configurations.show(config.id)
    assert breaker is None


async def test_a_whole_batch_that_fails_for_the_app_is_one_alert(world: FakeWorld, config: Config):
    for _ in range(30):
        await world.connect(config, protocols=(Protocol.SMTP,))
    world.clock.advance(timedelta(days=1))
    refuse(world, "invalid_client", 7000222, status=401, times=1000)
    batches = await world.app.schedule.due_batches()
    await asyncio.gather(*(world.app.schedule.run_batch(each) for each in batches))
    opened = [e for e in world.events() if e["did"] == "opened the breaker"]
    assert len(opened) == 1
    assert {m.values["state"] for m in world.records.all("mailboxes")} == {"fresh"}


@pytest.mark.parametrize(
    ("error", "number", "cause"),
    [
        ("invalid_grant", 700082, "idle-too-long"),
        ("invalid_grant", 50173, "revoked"),
        ("interaction_required", 50076, "sign-in-again"),
        ("invalid_grant", 65001, "consent-missing"),
        ("invalid_grant", 70043, "sign-in-frequency"),
        ("invalid_grant", None, "grant-invalid"),
    ],
)
async def test_a_lost_grant_needs_its_owner_and_leaves_the_schedule(
    world: FakeWorld, mailbox: MailboxId, error: str, number: int | None, cause: str
):
    refuse(world, error, number)
    with pytest.raises(ConsentLost, match="mailbox-reconnect-needed") as lost:
        await fetch(world.app, mailbox)
    assert lost.value.details == {"mailbox": str(mailbox), "cause": cause}
    assert world.due(mailbox) == []
    shown = await world.mailbox(mailbox)
    assert (shown.state, shown.cause) == (MailboxState.RECONNECT_NEEDED, cause)
    asked = world.tape.count("provider.refresh")
    with pytest.raises(ConsentLost):
        await fetch(world.another_process(), mailbox)
    assert world.tape.count("provider.refresh") == asked


async def test_a_grant_that_is_lost_while_others_wait_is_asked_about_once(
    world: FakeWorld, mailbox: MailboxId
):
    """Those who waited for the lease read that a person must act; Entra is not asked again."""
    refuse(world, "invalid_grant", 50173)
    processes = [world.another_process() for _ in range(5)]
    ended = await asyncio.gather(
        *(fetch(each, mailbox) for each in processes), return_exceptions=True
    )
    assert {type(each) for each in ended} == {ConsentLost}
    assert world.tape.count("provider.refresh") == 1


@pytest.mark.parametrize(
    ("number", "cause"),
    [(50057, "account-disabled"), (50034, "account-gone"), (53003, "blocked-by-policy")],
)
async def test_an_account_fault_is_parked_and_tried_again_the_next_day(
    world: FakeWorld, mailbox: MailboxId, number: int, cause: str
):
    refuse(world, "invalid_grant", number)
    with pytest.raises(ConsentLost, match="mailbox-parked"):
        await fetch(world.app, mailbox)
    assert (await world.mailbox(mailbox)).cause == cause
    assert len(world.due(mailbox)) == 1
    asked = world.tape.count("provider.refresh")
    with pytest.raises(ConsentLost, match="mailbox-parked"):
        await fetch(world.app, mailbox)
    assert world.tape.count("provider.refresh") == asked, "however often a sender asks"
    world.clock.advance(timedelta(days=1, hours=7))
    for batch in await world.app.schedule.due_batches():
        await world.app.schedule.run_batch(batch)
    assert (await world.mailbox(mailbox)).state is MailboxState.FRESH


async def test_weather_waits_and_is_not_told_at_once(world: FakeWorld, mailbox: MailboxId):
    world.tape.fail("provider.refresh", outage)
    with pytest.raises(Unavailable, match="entra-unavailable"):
        await fetch(world.app, mailbox)
    stored = await grant(world, mailbox)
    assert stored.due is not None
    assert timedelta(minutes=1) <= stored.due - world.clock.now() <= timedelta(minutes=2)
    assert (await world.mailbox(mailbox)).state is MailboxState.FRESH
    assert len(world.due(mailbox)) == 1


async def test_entras_wish_to_wait_is_honoured_by_clock_and_senders(
    world: FakeWorld, mailbox: MailboxId
):
    refuse(world, "temporarily_unavailable", status=429, retry_after=600)
    with pytest.raises(Unavailable, match="throttled") as told:
        await fetch(world.app, mailbox)
    assert told.value.retry_after == 600
    stored = await grant(world, mailbox)
    assert stored.due is not None
    assert stored.due - world.clock.now() >= timedelta(seconds=600)
    for _ in range(5):
        with pytest.raises(Unavailable) as again:
            await fetch(world.another_process(), mailbox)
        assert again.value.retry_after is not None
    assert world.tape.count("provider.refresh") == 1
    world.clock.advance(timedelta(seconds=800))
    assert (await fetch(world.app, mailbox)).expires > world.clock.now()


async def test_an_unknown_answer_is_weather_four_times_and_parked_at_the_fifth(
    world: FakeWorld, mailbox: MailboxId
):
    states = []
    for _ in range(5):
        refuse(world, "never-heard-of", 123456)
        with pytest.raises((Unavailable, ConsentLost)):
            await fetch(world.app, mailbox)
        states.append((await grant(world, mailbox)).state.value)
        world.clock.advance(timedelta(hours=3))
    assert states == ["fresh", "fresh", "failing", "failing", "parked"]
    assert (await grant(world, mailbox)).refresh_token


async def test_a_success_wipes_the_failures_away(world: FakeWorld, mailbox: MailboxId):
    for _ in range(4):
        world.tape.fail("provider.refresh", outage)
        with pytest.raises(Unavailable):
            await fetch(world.app, mailbox)
        world.clock.advance(timedelta(hours=3))
    assert (await world.mailbox(mailbox)).state is MailboxState.FAILING
    await fetch(world.app, mailbox)
    stored = await grant(world, mailbox)
    assert (stored.state, stored.cause, stored.attempts, stored.failing_since) == (
        MailboxState.FRESH,
        None,
        0,
        None,
    )
    shown = await world.mailbox(mailbox)
    assert (shown.state, shown.cause) == (MailboxState.FRESH, None)


@pytest.mark.fault
@pytest.mark.parametrize("call", ["keys.unwrap", "identity.exchange_assertion"])
async def test_our_own_outage_is_no_mailboxs_fault_and_holds_no_lease(
    world: FakeWorld, mailbox: MailboxId, call: str
):
    process = world.another_process()
    before = await grant(world, mailbox)
    world.tape.fail(call)
    with pytest.raises(Unavailable):
        await fetch(process, mailbox)
    assert await grant(world, mailbox) == before
    started = world.clock.now()
    await fetch(process, mailbox)
    assert world.clock.now() == started, "nobody waited for a lease"


async def test_the_row_for_people_is_written_only_when_the_state_changes(
    world: FakeWorld, mailbox: MailboxId
):
    before = world.records.all("mailboxes")
    for _ in range(3):
        await fetch(world.app, mailbox)
        world.clock.advance(timedelta(hours=2))
    assert world.records.all("mailboxes") == before


async def test_no_failure_erases_a_refresh_token(world: FakeWorld, mailbox: MailboxId):
    answers: list[tuple[str, int | None, int]] = [
        ("invalid_client", 7000222, 401),
        ("invalid_grant", 50057, 400),
        ("temporarily_unavailable", None, 503),
        ("never-heard-of", None, 400),
        ("invalid_grant", 50173, 400),
    ]
    for error, number, status in answers:
        refuse(world, error, number, status=status)
        with pytest.raises(PosternError):
            await fetch(world.app, mailbox)
        assert (await grant(world, mailbox)).refresh_token
        world.clock.advance(timedelta(days=2))


async def test_each_resource_is_refreshed_for_itself(world: FakeWorld, config: Config):
    mailbox = await world.connect(config)
    world.clock.advance(timedelta(hours=2))
    asked = world.tape.count("provider.refresh")
    await fetch(world.app, mailbox)
    stored = await grant(world, mailbox)
    outlook, graph = stored.access(Resource.OUTLOOK), stored.access(Resource.GRAPH)
    assert outlook is not None
    assert graph is not None
    assert outlook.expires > world.clock.now() > graph.expires
    assert world.tape.count("provider.refresh") == asked + 1


async def test_a_probe_on_a_dead_grant_closes_the_breaker(
    world: FakeWorld, config: Config, mailbox: MailboxId
):
    """Entra refused the grant, so it took the app's credential: the others may go on."""
    healthy = await world.connect(config, world.user("healthy@contoso.example"))
    refuse(world, "invalid_client", 7000222, status=401)
    with pytest.raises(Unavailable):
        await fetch(world.app, mailbox, 3300)
    world.provider.accept()
    world.clock.advance(timedelta(minutes=6))
    refuse(world, "invalid_grant", 50173, status=400)
    with pytest.raises(ConsentLost):
        await fetch(world.app, mailbox, 3300)
    world.provider.accept()
    world.clock.advance(timedelta(seconds=11))
    assert (await fetch(world.app, healthy, 3300)).warning is None

"""The clock's work: what is due is queued once, refreshed once, and never forgotten."""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.errors import ConsentLost, PosternError, Unavailable
from postern.model.caller import Role
from postern.model.config import Config
from postern.model.mailbox import MailboxId, MailboxState
from postern.model.scopes import Protocol, Resource
from postern.ports import Change, Operation, Row
from postern.stores.grants import stamp
from tests.fakes import FakeWorld, caller

SENDER, ADMIN = caller(Role.SENDER), caller(Role.ADMIN)
DAY, FIVE_MINUTES = timedelta(days=1), timedelta(minutes=5)


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active(protocols=(Protocol.SMTP, Protocol.GRAPH))


async def connect(world: FakeWorld, config: Config, count: int) -> list[MailboxId]:
    return [await world.connect(config, protocols=(Protocol.SMTP,)) for _ in range(count)]


def keys(batches: list[str]) -> list[str]:
    return [key for batch in batches for key in json.loads(batch)["due"]]


async def work(world: FakeWorld) -> Counter[str]:
    """Let the timer run once, and the queue be worked through."""
    total: Counter[str] = Counter()
    for batch in await world.app.schedule.due_batches():
        total += await world.app.schedule.run_batch(batch)
    return total


# --- queueing -----------------------------------------------------------------------------------


async def test_what_is_not_due_is_not_queued(world: FakeWorld, config: Config):
    await connect(world, config, 5)
    assert await world.app.schedule.due_batches() == []


async def test_what_is_due_is_queued_and_the_message_holds_keys_only(
    world: FakeWorld, config: Config
):
    mailboxes = await connect(world, config, 5)
    world.clock.advance(DAY)
    batches = await world.app.schedule.due_batches()
    assert len(keys(batches)) == 5
    pattern = re.compile(r"due~\d{8}T\d{6}Z~[a-z2-9]{8}~[A-Za-z0-9_-]{43}")
    assert all(pattern.fullmatch(key) for key in keys(batches))
    assert {key.rpartition("~")[2] for key in keys(batches)} == {m.hash for m in mailboxes}
    assert all(len(batch.encode()) < 48 * 1024 for batch in batches)


async def test_a_batch_is_of_one_shard_and_has_a_hundred_keys_at_most(world: FakeWorld):
    now = world.clock.now()
    shard = "07"
    for start in range(0, 250, 50):
        rows = [
            Row(partition=shard, key=f"due~{stamp(now)}~abcdefgh~{n:043}")
            for n in range(start, start + 50)
        ]
        await world.records.transact("grants", [Operation(Change.PUT, row) for row in rows])
    batches = await world.app.schedule.due_batches()
    assert [len(json.loads(batch)["due"]) for batch in batches] == [100, 100, 50]


async def test_a_backlog_is_not_queued_again_every_run_but_after_a_quarter_of_an_hour(
    world: FakeWorld, config: Config
):
    await connect(world, config, 8)
    world.clock.advance(DAY)
    queued = []
    for _ in range(7):
        queued.append(len(keys(await world.app.schedule.due_batches())))
        world.clock.advance(FIVE_MINUTES)
    assert queued == [8, 0, 0, 8, 0, 0, 8]


async def test_what_comes_due_between_two_runs_is_queued_once(world: FakeWorld, config: Config):
    await connect(world, config, 30)
    world.clock.advance(timedelta(hours=17, minutes=55))
    seen: Counter[str] = Counter()
    for _ in range(6 * 12 + 2):  # the first are due after 18 hours, the last after 24
        world.clock.advance(FIVE_MINUTES)
        batches = await world.app.schedule.due_batches()
        seen.update(keys(batches))
        for batch in batches:
            await world.app.schedule.run_batch(batch)
    assert len(seen) == 30
    assert set(seen.values()) == {1}


async def test_of_two_timers_at_once_one_queues(world: FakeWorld, config: Config):
    await connect(world, config, 10)
    world.clock.advance(DAY)
    processes = [world.another_process().schedule for _ in range(3)]
    batches = await asyncio.gather(*(each.due_batches() for each in processes))
    queued = [key for each in batches for key in keys(each)]
    assert len(queued) == len(set(queued)) == 10


async def test_a_run_reads_one_key_range_per_shard_however_many_mailboxes_rest(
    world: FakeWorld, config: Config
):
    await world.app.schedule.due_batches()
    await connect(world, config, 40)
    before = len(world.tape.calls)
    world.clock.advance(FIVE_MINUTES)
    await world.app.schedule.due_batches()
    calls = Counter(world.tape.calls[before:])
    assert calls == {"records.rows": 64}


# --- working ------------------------------------------------------------------------------------


async def test_a_batch_refreshes_what_it_names(world: FakeWorld, config: Config):
    mailboxes = await connect(world, config, 6)
    world.clock.advance(DAY)
    assert await work(world) == {"refreshed": 6}
    for mailbox in mailboxes:
        (due,) = world.due(mailbox)
        assert due > stamp(world.clock.now())


async def test_a_batch_that_comes_twice_asks_entra_once(world: FakeWorld, config: Config):
    await connect(world, config, 6)
    world.clock.advance(DAY)
    batches = await world.app.schedule.due_batches()
    asked = world.tape.count("provider.refresh")
    for app in (world.app, world.another_process()):
        for batch in batches:
            await app.schedule.run_batch(batch)
    assert world.tape.count("provider.refresh") == asked + 6


async def test_the_same_batch_in_two_processes_at_once_asks_entra_once(
    world: FakeWorld, config: Config
):
    await connect(world, config, 6)
    world.clock.advance(DAY)
    batches = await world.app.schedule.due_batches()
    asked = world.tape.count("provider.refresh")
    runs = [
        app.schedule.run_batch(batch)
        for app in (world.app, world.another_process())
        for batch in batches
    ]
    await asyncio.gather(*runs)
    assert world.tape.count("provider.refresh") == asked + 6


async def test_what_was_disconnected_meanwhile_is_passed_over(world: FakeWorld, config: Config):
    one, _ = await connect(world, config, 2)
    world.clock.advance(DAY)
    batches = await world.app.schedule.due_batches()
    await world.app.mailboxes.disconnect(ADMIN, str(one))
    counts = [await world.app.schedule.run_batch(batch) for batch in batches]
    assert sum(counts, Counter()) == {"refreshed": 1, "moved-on": 1}


async def test_one_mailbox_that_fails_does_not_stop_the_others(world: FakeWorld, config: Config):
    await connect(world, config, 6)
    world.clock.advance(DAY)
    world.provider.refuse(error="invalid_grant", number=50173, operation="refresh")
    world.provider.refuse(error="invalid_grant", number=50057, operation="refresh")
    counts = await work(world)
    assert counts["refreshed"] == 4
    assert sum(counts.values()) == 6


@pytest.mark.fault
async def test_a_row_that_cannot_be_read_does_not_stop_the_others(world: FakeWorld, config: Config):
    await connect(world, config, 3)
    row = world.records.all("grants", "grant~")[0]
    await world.records.replace("grants", replace(row, values={**row.values, "state": "odd"}))
    world.clock.advance(DAY)
    counts = await work(world)
    assert (counts["refreshed"], sum(counts.values())) == (2, 3)


async def test_what_cannot_be_a_message_of_ours_is_refused(world: FakeWorld):
    for message in ('{"v": 1, "due": ["grant~x~y"]}', '{"v": 1, "due": ["x~1~2~3"]}'):
        with pytest.raises(ValueError, match=r"."):
            await world.app.schedule.run_batch(message)
    assert world.tape.calls == []


async def test_a_mailbox_at_rest_costs_one_token_request(world: FakeWorld, config: Config):
    await world.connect(config)
    asked = world.tape.count("provider.refresh")
    world.clock.advance(DAY)
    await work(world)
    assert world.tape.count("provider.refresh") == asked + 1


async def test_a_mailbox_in_use_is_kept_warm_and_one_at_rest_is_not(
    world: FakeWorld, config: Config
):
    used, resting = await connect(world, config, 2)
    world.clock.advance(timedelta(hours=2))
    await world.app.delivery.token(SENDER, str(used), Protocol.SMTP, 60)
    asked = world.tape.count("provider.refresh")
    for _ in range(12 * 4):
        world.clock.advance(FIVE_MINUTES)
        await work(world)
        for mailbox, warm in ((used, True), (resting, False)):
            known = await world.grants.find(mailbox)
            assert known is not None
            access = known.value.access(Resource.OUTLOOK)
            assert access is not None
            left = access.expires - world.clock.now()
            assert (left > timedelta(minutes=4)) is warm, "no token falls between two runs"
    assert 4 <= world.tape.count("provider.refresh") - asked <= 6


async def test_an_unused_mailbox_cools_down_after_a_day(world: FakeWorld, config: Config):
    (mailbox,) = await connect(world, config, 1)
    world.clock.advance(timedelta(hours=2))
    await world.app.delivery.token(SENDER, str(mailbox), Protocol.SMTP, 60)
    for _ in range(26 * 4):
        world.clock.advance(timedelta(minutes=15))
        await work(world)
    (due,) = world.due(mailbox)
    assert due > stamp(world.clock.now() + timedelta(hours=2))


async def test_every_mailbox_is_refreshed_at_least_every_day(world: FakeWorld, config: Config):
    mailboxes = await connect(world, config, 10)
    for _ in range(2 * 24 * 4):
        world.clock.advance(timedelta(minutes=15))
        await work(world)
        for mailbox in mailboxes:
            known = await world.grants.find(mailbox)
            assert known is not None
            assert world.clock.now() - known.value.refreshed <= DAY + timedelta(minutes=15)


# --- any sequence -------------------------------------------------------------------------------


class Life:
    """A few mailboxes to which anything may happen, in any order."""

    def __init__(self) -> None:
        self.world = FakeWorld()
        self.batches: list[str] = []

    async def begin(self) -> None:
        self.config = await self.world.active(protocols=(Protocol.SMTP, Protocol.GRAPH))
        self.users = [self.world.user() for _ in range(3)]
        self.mailboxes = [await self.world.connect(self.config, user) for user in self.users]

    async def hours_pass(self, n: int) -> None:
        self.world.clock.advance(timedelta(hours=1 + 3 * n))

    async def a_sender_asks(self, n: int) -> None:
        with contextlib.suppress(PosternError):
            await self.world.app.delivery.token(
                SENDER, str(self.mailboxes[n]), (Protocol.SMTP, Protocol.GRAPH)[n % 2], 60
            )

    async def the_timer_runs(self, n: int) -> None:
        self.batches += await self.world.app.schedule.due_batches()

    async def the_queue_is_worked(self, n: int) -> None:
        for batch in self.batches:
            with contextlib.suppress(Unavailable):
                await self.world.app.schedule.run_batch(batch)
        if n:  # or it comes again
            self.batches = []

    async def the_owner_reconnects(self, n: int) -> None:
        with contextlib.suppress(PosternError, AssertionError):
            await self.world.connect(self.config, self.users[n])

    async def an_admin_disconnects(self, n: int) -> None:
        with contextlib.suppress(PosternError):
            await self.world.app.mailboxes.disconnect(ADMIN, str(self.mailboxes[n]))

    async def entra_loses_a_grant(self, n: int) -> None:
        self.world.provider.refuse(error="invalid_grant", number=50173, operation="refresh")

    async def entra_blocks_an_account(self, n: int) -> None:
        self.world.provider.refuse(error="invalid_grant", number=53003, operation="refresh")

    async def entra_throttles(self, n: int) -> None:
        self.world.provider.refuse(
            error="temporarily_unavailable", status=429, operation="refresh", retry_after=60.0 * n
        )

    async def entra_refuses_the_app(self, n: int) -> None:
        self.world.provider.refuse(error="invalid_client", number=7000222, operation="refresh")

    async def a_write_fails(self, n: int) -> None:
        self.world.tape.fail("records.transact", after=bool(n % 2))

    async def a_process_ends(self, n: int) -> None:
        self.world.app = self.world.another_process()

    def check(self) -> None:
        """Every live grant has exactly one due row, which it names; nothing else has any."""
        expected = []
        for row in self.world.records.all("grants", "grant~"):
            mailbox = MailboxId(config=str(row.values["config"]), hash=str(row.values["hash"]))
            found = self.world.due(mailbox)
            due = str(row.values.get("due", ""))
            named = [re.sub(r"[-:]|\.\d+", "", due)] if due else []
            assert found == named, row.key
            assert bool(due) is (row.values["state"] != MailboxState.RECONNECT_NEEDED)
            expected += found
        assert len(self.world.records.all("grants", "due~")) == len(expected), "no orphans"


STEPS: list[Callable[[Life, int], Awaitable[None]]] = [
    Life.hours_pass,
    Life.a_sender_asks,
    Life.the_timer_runs,
    Life.the_queue_is_worked,
    Life.the_owner_reconnects,
    Life.an_admin_disconnects,
    Life.entra_loses_a_grant,
    Life.entra_blocks_an_account,
    Life.entra_throttles,
    Life.entra_refuses_the_app,
    Life.a_write_fails,
    Life.a_process_ends,
]


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2)), max_size=40))
async def test_whatever_happens_each_live_mailbox_has_one_due_row_and_revives(
    steps: list[tuple[Callable[[Life, int], Awaitable[None]], int]],
):
    life = Life()
    await life.begin()
    for step, n in steps:
        await step(life, n)
        life.check()
    life.world.tape.heal()
    life.world.provider.accept()
    for _ in range(8):
        life.world.clock.advance(timedelta(hours=5))
        await work(life.world)
        life.world.clock.advance(timedelta(minutes=16))
        await work(life.world)
    life.check()
    states = {row.values["state"] for row in life.world.records.all("grants", "grant~")}
    assert states <= {MailboxState.FRESH, MailboxState.RECONNECT_NEEDED}


async def test_a_lost_mailbox_is_asked_about_no_more(world: FakeWorld, config: Config):
    (mailbox,) = await connect(world, config, 1)
    world.clock.advance(DAY)
    world.provider.refuse(error="invalid_grant", number=50173, operation="refresh")
    await work(world)
    asked = world.tape.count("provider.refresh")
    for _ in range(10):
        world.clock.advance(DAY)
        assert await work(world) == {}
    assert world.tape.count("provider.refresh") == asked
    with pytest.raises(ConsentLost):
        await world.app.delivery.token(SENDER, str(mailbox), Protocol.SMTP, 60)


async def test_one_broken_shard_does_not_stop_the_others(world: FakeWorld, config: Config):
    await connect(world, config, 3)
    used = {row.partition for row in world.records.all("grants", "grant~")}
    free = next(f"{n:02}" for n in range(64) if f"{n:02}" not in used)
    await world.records.insert("grants", Row(partition=free, key="due~20200101T000000Z~odd"))
    world.clock.advance(DAY)
    batches = await world.app.schedule.due_batches()
    assert sum(len(json.loads(batch)["due"]) for batch in batches) == 3

"""The model of cost and limits counts what the code really does, and its page is fresh."""

import itertools
import json
import tracemalloc
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from postern.crypto import jws
from postern.model.caller import Role
from postern.model.mailbox import SHARDS, MailboxId
from postern.model.scopes import Protocol
from postern.ports import Change, Operation, Row
from postern.services import assertions, breakers, remembered, schedule
from postern.stores.grants import DueKey
from scripts import capacity
from scripts.capacity import Code, Limits, Load, Prices
from tests.fakes import FakeWorld, caller

CODE, LIMITS, PRICES = Code(), Limits(), Prices()
HOST = json.loads((Path(__file__).parents[2] / "host.json").read_text())


async def requests(world: FakeWorld, what: Awaitable[object]) -> list[str]:
    """Return the calls of ports that *what* makes."""
    before = len(world.tape.calls)
    await what
    return world.tape.calls[before:]


def due_key(world: FakeWorld, mailbox: MailboxId) -> str:
    """Return the key of the mailbox's one due row."""
    (stamp,) = world.due(mailbox)
    return str(DueKey(stamp=stamp, mailbox=mailbox))


async def refreshed_by_a_batch(count: int) -> list[str]:
    """Return the calls of a warm process that refreshes *count* mailboxes of one message."""
    world = FakeWorld()
    config = await world.active(protocols=(Protocol.SMTP,))
    mailboxes = [await world.connect(config, protocols=(Protocol.SMTP,)) for _ in range(count + 1)]
    due = [due_key(world, mailbox) for mailbox in mailboxes]
    world.clock.advance(timedelta(days=1))
    messages = [json.dumps({"due": [key]}) for key in due]
    await world.app.schedule.run_batch(messages[0])  # opens keys, looks up configuration, breaker
    batch = json.dumps({"due": due[1:]})
    return await requests(world, world.app.schedule.run_batch(batch))


async def test_a_refresh_takes_the_requests_that_the_model_counts():
    calls = await refreshed_by_a_batch(8)
    assert sum(call.startswith("records.") for call in calls) == 8 * CODE.requests_per_refresh
    assert calls.count("provider.refresh") == 8 * CODE.tokens_per_refresh
    assert [call for call in calls if call.startswith(("keys.", "intake."))] == []


async def test_a_refresh_writes_the_entities_that_the_model_counts(monkeypatch):
    world = FakeWorld()
    config = await world.active(protocols=(Protocol.SMTP,))
    mailbox = await world.connect(config, protocols=(Protocol.SMTP,))
    key = due_key(world, mailbox)
    world.clock.advance(timedelta(days=1))
    moved: list[int] = []
    transact = world.records.transact

    async def counted(table, operations):
        if table == "grants":
            moved.append(len(operations))
        await transact(table, operations)

    monkeypatch.setattr(world.records, "transact", counted)
    await world.app.schedule.run_batch(json.dumps({"due": [key]}))
    assert sum(moved) + CODE.requests_per_refresh - 1 == CODE.entities_per_refresh


async def test_a_run_of_the_timer_reads_each_shard_once_and_writes_where_something_is_due():
    world = FakeWorld()
    await world.app.schedule.due_batches()
    idle = await requests(world, world.app.schedule.due_batches())
    assert len(idle) == CODE.shards == SHARDS
    row = Row(partition="07", key=f"due~20200101T000000Z~abcdefgh~{'x' * 43}")
    await world.records.transact("grants", [Operation(Change.PUT, row)])
    world.clock.advance(timedelta(minutes=20))
    calls = await requests(world, world.app.schedule.due_batches())
    assert calls.count("records.rows") == SHARDS


async def test_a_sweep_takes_the_requests_that_the_model_counts():
    async def swept(clients: int) -> list[str]:
        world = FakeWorld()
        for number in range(clients):
            await world.active(f"aaaaaaaa-bbbb-cccc-dddd-{number:012}")
        return await requests(world, world.app.sweeper.sweep())

    none, three = await swept(0), await swept(3)
    assert sum(call.startswith("records.") for call in none) == CODE.requests_per_sweep
    more = sum(call.startswith("records.") for call in three) - CODE.requests_per_sweep
    assert more == 3 * CODE.requests_per_sweep_and_client
    # One call of the port lists what is live, then what is deleted.
    assert three.count("intake.held") * 2 == CODE.vault_per_sweep


async def test_a_warm_delivery_is_one_read():
    world = FakeWorld()
    config = await world.active(protocols=(Protocol.SMTP,))
    mailbox = await world.connect(config, protocols=(Protocol.SMTP,))
    ask, sender = world.app.delivery.token, caller(Role.SENDER)
    await ask(sender, str(mailbox), Protocol.SMTP, 300)
    calls = await requests(world, ask(sender, str(mailbox), Protocol.SMTP, 300))
    assert calls == ["records.get"] * CODE.requests_per_delivery


def test_a_due_row_takes_about_the_memory_that_the_model_counts():
    keys = [f"due~20261123T2000{n % 60:02}Z~abcdefgh~{n:043}" for n in range(5_000)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    held = [DueKey.parse("".join(key)) for key in keys]
    message = [json.dumps({"v": 1, "due": [str(key) for key in held]})]
    one = (tracemalloc.get_traced_memory()[0] - before) / len(held)
    tracemalloc.stop()
    # The message is there three times more: as the binding's list, its bytes and in the channel.
    copies = 3 * len(message[0]) / len(held)
    assert 0.75 * CODE.due_row_bytes < one + copies < 1.25 * CODE.due_row_bytes


def test_the_constants_are_those_of_the_code():
    queues = HOST["extensions"]["queues"]
    assert CODE.messages_at_once == queues["batchSize"] + queues["newBatchThreshold"]
    hours, minutes, seconds = (int(part) for part in HOST["functionTimeout"].split(":"))
    assert LIMITS.function_seconds == hours * 3600 + minutes * 60 + seconds
    assert CODE.batch == schedule._BATCH
    assert timedelta(seconds=CODE.remembered_seconds) == remembered.LIFE
    assert timedelta(seconds=CODE.breaker_seconds) == breakers._REMEMBER
    life = jws.ASSERTION_LIFE - assertions._RENEW_BEFORE_END
    assert timedelta(seconds=CODE.signature_seconds) == life


def test_the_page_is_fresh():
    page = capacity.PAGE.read_text()
    assert capacity.renewed(page, capacity.tables()) == page, "run scripts/capacity.py --write"


def test_the_page_says_when_the_prices_were_noted_and_that_nobody_checked_them():
    page = capacity.PAGE.read_text()
    assert "2026-11-23" in page
    assert "**not checked live**" in page
    assert "2026-11-23" in (Limits.__doc__ or "")
    assert "2026-11-23" in (Prices.__doc__ or "")


def test_every_limit_has_an_answer_and_the_largest_deployment_meets_one():
    largest = Load(mailboxes=10_000_000, hot_share=1.0)
    assert set(capacity.shares(largest, CODE, LIMITS)) == set(capacity.WHAT_THEN)
    assert capacity.nearest(largest, CODE, LIMITS)[0][1] > 1
    assert capacity.nearest(Load(mailboxes=10), CODE, LIMITS)[0][1] < 0.01


@pytest.mark.parametrize("size", capacity.SIZES)
def test_vault_operations_do_not_grow_with_mailboxes(size):
    assert (
        capacity.month(Load(mailboxes=size), CODE).vault
        == capacity.month(Load(mailboxes=1), CODE).vault
    )


@pytest.mark.parametrize("part", ["table", "executions", "stored_gb", "gb_seconds", "queue"])
def test_ten_times_the_mailboxes_never_cost_less_nor_much_more_than_ten_times(part):
    months = [capacity.month(Load(mailboxes=size), CODE) for size in (1_000, 10_000, 100_000)]
    for smaller, larger in itertools.pairwise(months):
        assert getattr(smaller, part) < getattr(larger, part) < 10.5 * getattr(smaller, part)


def test_the_steady_state_agrees_with_the_paper_model_of_the_shared_notes():
    """performance.md, section 6: a million mailboxes, one in a hundred in use: 15 refreshes/s."""
    load = Load(mailboxes=1_000_000, rest_hours=24)
    assert 14 < capacity.month(load, CODE).refreshes_per_second < 16
    all_hot = capacity.month(replace(load, hot_share=1.0), CODE)
    assert 330 < all_hot.refreshes_per_second < 336


def test_money_is_paid_for_what_is_above_the_free_grants_only():
    paid = capacity.month(Load(mailboxes=10), CODE).dollars(PRICES)
    assert paid["functions"] == paid["logs"] == 0
    assert 0 < paid["tables"] < paid["vaults"] < 1

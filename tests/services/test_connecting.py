"""Storing a mailbox: the grant and its due row together, and a death at any step is repairable."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from postern.crypto.sealing import SealBroken
from postern.errors import ConsentLost, Unavailable
from postern.model.caller import Role
from postern.model.config import Config
from postern.model.grant import Grant
from postern.model.mailbox import MailboxId, MailboxState
from postern.model.scopes import Protocol
from postern.ports import Row
from tests.fakes import FakeWorld, User, caller, down


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


async def test_a_new_grant_has_one_due_row_within_a_day_and_spread_by_jitter(
    world: FakeWorld, config: Config
):
    mailboxes = [await world.connect(config) for _ in range(20)]
    times = [(await _grant(world, each)).due for each in mailboxes]
    due = [each - world.clock.now() for each in times if each is not None]
    assert len(due) == 20
    assert all(timedelta(hours=18) <= each <= timedelta(hours=24) for each in due)
    assert len(set(due)) > 1
    assert all(len(world.due(each)) == 1 for each in mailboxes)


async def _grant(world: FakeWorld, mailbox: MailboxId) -> Grant:
    known = await world.grants.find(mailbox)
    assert known is not None
    return known.value


@pytest.mark.attack
async def test_a_token_copied_into_another_mailboxs_row_does_not_open(
    world: FakeWorld, config: Config
):
    one, two = await world.connect(config), await world.connect(config)
    rows = {row.key.rpartition("~")[2]: row for row in world.records.all("grants", "grant~")}
    mine, theirs = rows[one.hash], rows[two.hash]
    forged = {**mine.values, "outlook": theirs.values["outlook"]}
    await world.records.replace("grants", replace(mine, values=forged))
    with pytest.raises(SealBroken):
        await world.app.delivery.token(caller(Role.SENDER), str(one), Protocol.SMTP, 60)


@pytest.mark.attack
async def test_a_token_of_one_resource_does_not_open_as_that_of_another(
    world: FakeWorld, config: Config
):
    mailbox = await world.connect(config)
    (row,) = world.records.all("grants", "grant~")
    forged = {**row.values, "outlook": row.values["graph"]}
    await world.records.replace("grants", replace(row, values=forged))
    with pytest.raises(SealBroken):
        await world.app.delivery.token(caller(Role.SENDER), str(mailbox), Protocol.SMTP, 60)


async def test_a_new_consent_wins_over_a_refresh_that_writes_meanwhile(
    world: FakeWorld, config: Config
):
    ann = world.user()
    mailbox = await world.connect(config, ann)
    other = world.another_process()
    world.clock.advance(timedelta(hours=2))

    async def refreshes() -> None:
        await other.delivery.token(caller(Role.SENDER), str(mailbox), Protocol.SMTP, 60)

    world.records.before("transact", refreshes)
    before = set(world.provider.refresh_tokens)
    await world.connect(config, ann)
    assert len(world.due(mailbox)) == 1
    ann_tokens = set(world.provider.refresh_tokens) - before
    assert len(ann_tokens) >= 2
    grant = await _grant(world, mailbox)
    assert (grant.lease, grant.state) == (None, MailboxState.FRESH)


async def test_reconnecting_revives_a_mailbox_that_needed_it(world: FakeWorld, config: Config):
    ann = world.user()
    mailbox = await world.connect(config, ann)
    world.clock.advance(timedelta(hours=2))
    world.provider.refuse(error="invalid_grant", number=50173)
    with pytest.raises(ConsentLost, match="mailbox-reconnect-needed"):
        await world.app.delivery.token(caller(Role.SENDER), str(mailbox), Protocol.SMTP, 60)
    assert world.due(mailbox) == []
    assert await world.connect(config, ann) == mailbox
    assert (await world.mailbox(mailbox)).state is MailboxState.FRESH
    assert len(world.due(mailbox)) == 1
    given = await world.app.delivery.token(caller(Role.SENDER), str(mailbox), Protocol.SMTP, 60)
    assert given.username == ann.upn


@pytest.mark.crash
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("death", [down, asyncio.CancelledError], ids=["down", "cancelled"])
async def test_a_death_at_any_step_leaves_no_orphan_and_connecting_again_repairs(
    death: Any, after: bool
):
    async def attempt(world: FakeWorld, config: Config, ann: User, link: str) -> None:
        url = await world.begin(link)
        await world.complete(world.provider.sign_in(url, ann))

    rehearsal = FakeWorld()
    config = await rehearsal.active()
    link = await rehearsal.link(config, uses=2)
    before = len(rehearsal.tape.calls)
    await attempt(rehearsal, config, rehearsal.user(), link)
    for step in range(len(rehearsal.tape.calls) - before):
        world = FakeWorld()
        config, ann = await world.active(), world.user()
        link = await world.link(config, uses=2)
        world.tape.fail("*", death, skip=step, after=after)
        with contextlib.suppress(Unavailable, asyncio.CancelledError):
            await attempt(world, config, ann, link)
        where = f"step {step}: {world.tape.calls[-1]}"
        world.tape.heal()
        grants = {row.key.partition("~")[2] for row in world.records.all("grants", "grant~")}
        due = [row.key.split("~", 2)[2] for row in world.records.all("grants", "due~")]
        assert sorted(due) == sorted(grants), where
        world.app = world.another_process()
        mailbox = await world.connect(config, ann)
        assert len(world.due(mailbox)) == 1, where
        assert (await world.mailbox(mailbox)).state is MailboxState.FRESH, where


async def test_connecting_again_for_one_protocol_takes_no_other_away(
    world: FakeWorld, config: Config
):
    user = world.user()
    mailbox = await world.connect(config, user, protocols=(Protocol.SMTP, Protocol.IMAP))
    assert await world.connect(config, user, protocols=(Protocol.GRAPH,)) == mailbox
    assert (await world.mailbox(mailbox)).protocols == tuple(Protocol)
    for protocol in Protocol:
        sender = caller(Role.SENDER)
        delivered = await world.app.delivery.token(sender, str(mailbox), protocol, 300)
        assert delivered.warning is None


async def test_a_mailbox_whose_row_was_not_written_is_within_reach(
    world: FakeWorld, config: Config
):
    """The grant was stored and hands out tokens, so people must be able to see and erase it."""
    user = world.user()
    mailbox = await world.connect(config, user)
    found = await world.mailbox(mailbox)
    row = Row(partition=f"{config.id}~{mailbox.hash[0]}", key=mailbox.hash)
    await world.records.delete("mailboxes", row)
    admin = caller(Role.ADMIN)
    shown, grant = await world.app.mailboxes.show(admin, str(mailbox))
    assert shown.address == found.address
    assert grant is not None
    await world.app.mailboxes.disconnect(admin, str(mailbox))
    assert world.due(mailbox) == []
    assert world.records.all("grants", "grant~") == []
    assert world.records.all("addresses") == []

"""Mailboxes for people: listed by client, shown with their grant, and erased wholly."""

import contextlib
from datetime import timedelta

import pytest

from postern.errors import Conflict, Forbidden, Malformed, NotFound, Unavailable
from postern.model.caller import Caller, Role
from postern.model.config import Config
from tests.fakes import FakeWorld, caller

ADMIN, SENDER = caller(Role.ADMIN), caller(Role.SENDER)


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


async def every(
    world: FakeWorld, config: Config, by: Caller = ADMIN, limit: int = 100
) -> list[str]:
    found: list[str] = []
    mark = None
    while True:
        page = await world.app.mailboxes.page(by, config.id, limit=limit, mark=mark)
        found += [str(mailbox.id) for mailbox in page.mailboxes]
        if page.mark is None:
            return found
        mark = page.mark


async def test_pages_lead_through_all_mailboxes_of_the_config_once(
    world: FakeWorld, config: Config
):
    other = await world.active("bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee")
    ours = {str(await world.connect(config)) for _ in range(7)}
    await world.connect(other)
    for limit in (1, 3, 7, 100):
        found = await every(world, config, limit=limit)
        assert len(found) == 7
        assert set(found) == ours


@pytest.mark.rights
async def test_a_client_sees_its_own_only(world: FakeWorld, config: Config):
    mine = await world.connect(config, client="acme")
    theirs = await world.connect(config, client="rival")
    acme = caller(Role.CLIENT, config=config.id, client="acme")
    assert await every(world, config, acme) == [str(mine)]
    assert set(await every(world, config)) == {str(mine), str(theirs)}
    with pytest.raises(NotFound):
        await world.app.mailboxes.show(acme, str(theirs))
    with pytest.raises(NotFound):
        await world.app.mailboxes.disconnect(acme, str(theirs))
    assert (await world.app.mailboxes.show(acme, str(mine)))[0].client == "acme"


@pytest.mark.rights
async def test_another_configs_key_sees_nothing(world: FakeWorld, config: Config):
    mailbox = await world.connect(config)
    stranger = caller(Role.ADMIN, config="zzzzzzzz")
    with pytest.raises(NotFound):
        await world.app.mailboxes.page(stranger, config.id, limit=10, mark=None)
    with pytest.raises(NotFound):
        await world.app.mailboxes.show(stranger, str(mailbox))


@pytest.mark.rights
async def test_a_sender_sees_but_does_not_disconnect(world: FakeWorld, config: Config):
    mailbox = await world.connect(config)
    shown, grant = await world.app.mailboxes.show(SENDER, str(mailbox))
    assert shown.id == mailbox
    assert grant is not None
    with pytest.raises(Forbidden):
        await world.app.mailboxes.disconnect(SENDER, str(mailbox))


async def test_what_is_no_id_or_nobodys_is_told(world: FakeWorld, config: Config):
    with pytest.raises(Malformed, match="mailbox-malformed"):
        await world.app.mailboxes.show(ADMIN, "x")
    with pytest.raises(NotFound, match="mailbox-unknown"):
        await world.app.mailboxes.show(ADMIN, f"{config.id}.{'A' * 43}")


def left(world: FakeWorld) -> list[str]:
    """Return the keys of all that is still known of any mailbox."""
    rows = [row for table in ("mailboxes", "addresses") for row in world.records.all(table)]
    rows += world.records.all("grants", "grant~") + world.records.all("grants", "due~")
    return [row.key for row in rows]


async def test_a_disconnected_mailbox_leaves_nothing_but_the_audit(
    world: FakeWorld, config: Config
):
    mailbox = await world.connect(config)
    await world.app.mailboxes.disconnect(ADMIN, str(mailbox))
    assert left(world) == []
    assert "disconnected" in [event["did"] for event in world.events()]
    with pytest.raises(NotFound):
        await world.app.mailboxes.disconnect(ADMIN, str(mailbox))


async def test_its_address_is_free_for_another_account_afterwards(world: FakeWorld, config: Config):
    mailbox = await world.connect(config, world.user("ann@contoso.example"))
    await world.app.mailboxes.disconnect(ADMIN, str(mailbox))
    await world.connect(config, world.user("ann@contoso.example"))


async def test_a_mailbox_that_was_renamed_leaves_nothing_under_its_old_name(
    world: FakeWorld, config: Config
):
    ann = world.user("ann@contoso.example")
    await world.connect(config, ann)
    ann.upn = "ann.smith@contoso.example"
    mailbox = await world.connect(config, ann)
    await world.app.mailboxes.disconnect(ADMIN, str(mailbox))
    assert left(world) == []


async def test_the_other_mailboxes_stay(world: FakeWorld, config: Config):
    one, two = await world.connect(config), await world.connect(config)
    await world.app.mailboxes.disconnect(ADMIN, str(one))
    assert await every(world, config) == [str(two)]
    assert len(world.due(two)) == 1


async def test_a_refresh_meanwhile_does_not_stop_it(world: FakeWorld, config: Config):
    mailbox = await world.connect(config)
    world.clock.advance(timedelta(days=1))
    (batch,) = await world.app.schedule.due_batches()

    async def refreshes() -> None:
        await world.another_process().schedule.run_batch(batch)

    world.records.before("transact", refreshes)
    await world.app.mailboxes.disconnect(ADMIN, str(mailbox))
    assert left(world) == []


async def test_writes_that_never_end_are_told(world: FakeWorld, config: Config):
    mailbox = await world.connect(config)

    async def touch() -> None:
        known = await world.grants.find(mailbox)
        assert known is not None
        await world.grants.lease(known, known.value)
        world.records.before("transact", touch)

    world.records.before("transact", touch)
    with pytest.raises(Conflict, match="busy"):
        await world.app.mailboxes.disconnect(ADMIN, str(mailbox))


@pytest.mark.crash
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_death_at_any_step_leaves_no_token_once_it_is_called_again(after: bool):
    for step in range(20):
        world = FakeWorld()
        config = await world.active()
        mailbox = await world.connect(config)
        world.tape.fail("*", skip=step, after=after)
        try:
            await world.app.mailboxes.disconnect(ADMIN, str(mailbox))
        except Unavailable:
            world.tape.heal()
            with contextlib.suppress(NotFound):  # it was done already
                await world.app.mailboxes.disconnect(ADMIN, str(mailbox))
            assert left(world) == [], step
        else:
            assert step > 5, "fewer calls than there are steps"
            return
    pytest.fail("more calls than were tried")

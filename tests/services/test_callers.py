"""API keys, and the one question that every route begins with."""

import itertools

import pytest

from postern.crypto import bearer
from postern.errors import Conflict, Forbidden, NotFound, PosternError, Unauthenticated
from postern.model.caller import Action, Caller, Role, Thing, may, require
from postern.model.secret import Secret
from tests.fakes import FakeWorld, caller

pytestmark = pytest.mark.rights

OWN = Thing(config="aaaaaaaa", client="acme")
THINGS = {
    "own": OWN,
    "other client": Thing(config="aaaaaaaa", client="rival"),
    "other config": Thing(config="bbbbbbbb", client="acme"),
    "all of the config": Thing(config="aaaaaaaa"),
    "all": Thing(),
}
CALLERS = {
    "admin": caller(Role.ADMIN),
    "admin of a config": caller(Role.ADMIN, config="aaaaaaaa"),
    "sender": caller(Role.SENDER),
    "sender of a config": caller(Role.SENDER, config="aaaaaaaa"),
    "sender of a client": caller(Role.SENDER, config="aaaaaaaa", client="acme"),
    "client": caller(Role.CLIENT, config="aaaaaaaa", client="acme"),
}
# Written out by hand and not derived from RIGHTS: the table is what is being tested.
ACTIONS = {
    Role.ADMIN: "keys configs links direct-links mailboxes-see mailboxes-end",
    Role.SENDER: "mailboxes-see tokens",
    Role.CLIENT: "links mailboxes-see mailboxes-end tokens",
}
REACH = {
    "admin": "own, other client, other config, all of the config, all",
    "admin of a config": "own, other client, all of the config",
    "sender": "own, other client, other config, all of the config, all",
    "sender of a config": "own, other client, all of the config",
    "sender of a client": "own",
    "client": "own",
}


@pytest.mark.parametrize(
    ("who", "action", "what"), list(itertools.product(CALLERS, Action, THINGS))
)
def test_who_may_do_what_to_which(who: str, action: Action, what: str):
    by = CALLERS[who]
    allowed = action.value in ACTIONS[by.role].split() and what in REACH[who].split(", ")
    assert may(by, action, THINGS[what]) is allowed
    if allowed:
        require(by, action, THINGS[what])
    else:
        with pytest.raises((Forbidden, NotFound)):
            require(by, action, THINGS[what])


def test_a_revoked_key_may_nothing():
    revoked = Caller(
        hash="h", name="n", role=Role.ADMIN, created=CALLERS["admin"].created, revoked=True
    )
    assert not any(may(revoked, action, OWN) for action in Action)


def test_another_ones_thing_looks_like_nothing_there():
    with pytest.raises(NotFound):
        require(CALLERS["client"], Action.TOKENS, THINGS["other client"])


def test_a_missing_right_is_told_as_such():
    with pytest.raises(Forbidden):
        require(CALLERS["client"], Action.CONFIGS, OWN)
    with pytest.raises(Forbidden):
        require(CALLERS["client"], Action.LINKS, Thing())


async def admin(world: FakeWorld) -> tuple[Secret, Caller]:
    minted = await world.app.callers.bootstrap(again=False)
    return minted.key, minted.caller


async def test_a_minted_key_is_recognised_and_stored_as_its_hash_only(world: FakeWorld):
    key, minted = await admin(world)
    known = await world.app.callers.identify(key)
    assert (known.hash, known.role) == (bearer.digest(key), Role.ADMIN)
    assert world.shows(key.reveal()) == []
    assert world.shows(key.reveal().removeprefix("postern_")[:20]) == []
    assert minted == known


@pytest.mark.parametrize("key", ["", "postern_", "postern_" + "A" * 51, "x" * 60])
async def test_what_is_no_key_is_not_looked_up(world: FakeWorld, key: str):
    with pytest.raises(Unauthenticated, match="key-unknown"):
        await world.app.callers.identify(Secret(key))
    assert world.tape.count("records.*") == 0


async def test_an_unknown_key_and_none_are_refused(world: FakeWorld):
    with pytest.raises(Unauthenticated, match="key-unknown"):
        await world.app.callers.identify(bearer.new_api_key())
    with pytest.raises(Unauthenticated, match="key-missing"):
        await world.app.callers.identify(None)


async def test_a_refusal_repeated_keeps_nothing_of_the_one_before(world: FakeWorld):
    """An exception raised again and again as one instance would grow with every raise."""
    frames = []
    for _ in range(3):
        with pytest.raises(Unauthenticated) as refused:
            await world.app.callers.identify(None)
        frames.append(len(refused.traceback))
    assert frames[0] == frames[-1]


async def test_a_revoked_key_is_refused_at_once_here_and_within_a_minute_elsewhere(
    world: FakeWorld,
):
    _, by = await admin(world)
    minted = await world.app.callers.create(
        by, name="app", role=Role.SENDER, config=None, client=None
    )
    elsewhere = world.another_process().callers
    for process in (world.app.callers, elsewhere):
        await process.identify(minted.key)
    await world.app.callers.revoke(by, minted.caller.id)
    with pytest.raises(Unauthenticated):
        await world.app.callers.identify(minted.key)
    world.clock.advance(seconds=60)
    with pytest.raises(Unauthenticated):
        await elsewhere.identify(minted.key)


async def test_a_warm_call_reads_nothing(world: FakeWorld):
    key, _ = await admin(world)
    await world.app.callers.identify(key)
    reads = world.tape.count("records.*")
    for _ in range(10):
        await world.app.callers.identify(key)
    assert world.tape.count("records.*") == reads


async def test_the_first_key_is_minted_once(world: FakeWorld):
    await admin(world)
    with pytest.raises(Conflict, match="already-bootstrapped"):
        await world.app.callers.bootstrap(again=False)


async def test_a_lost_first_key_is_replaced_and_revoked(world: FakeWorld):
    key, _ = await admin(world)
    again = await world.app.callers.bootstrap(again=True)
    assert (await world.app.callers.identify(again.key)).role is Role.ADMIN
    with pytest.raises(Unauthenticated):
        await world.app.callers.identify(key)


@pytest.mark.parametrize("again", [False, True])
async def test_of_two_first_keys_at_once_one_is_minted(world: FakeWorld, again: bool):
    if again:
        await admin(world)

    async def other() -> None:
        await world.another_process().callers.bootstrap(again=again)

    world.records.before("replace" if again else "insert", other)
    with pytest.raises(Conflict):
        await world.app.callers.bootstrap(again=again)
    working = [each for each in await world.app.callers.all() if not each.revoked]
    assert len(working) == 1


async def test_keys_are_listed_oldest_first_with_every_minting_in_the_audit(world: FakeWorld):
    _, by = await admin(world)
    for name in ("one", "two"):
        world.clock.advance(seconds=1)
        await world.app.callers.create(by, name=name, role=Role.SENDER, config=None, client=None)
    assert [each.name for each in await world.app.callers.all()] == ["bootstrap", "one", "two"]
    assert [event["did"] for event in world.events()] == [
        "minted the first admin key",
        "minted a sender key",
        "minted a sender key",
    ]


async def test_a_key_of_an_unknown_config_is_not_minted(world: FakeWorld):
    _, by = await admin(world)
    with pytest.raises(NotFound, match="config-unknown"):
        await world.app.callers.create(
            by, name="x", role=Role.CLIENT, config="zzzzzzzz", client="c"
        )
    assert len(await world.app.callers.all()) == 1


async def test_revoking_an_unknown_key_is_told(world: FakeWorld):
    _, by = await admin(world)
    with pytest.raises(NotFound, match="key-not-found"):
        await world.app.callers.revoke(by, "nobody")


async def test_records_that_do_not_answer_refuse_nobody(world: FakeWorld):
    """Not knowing is no verdict: the caller is told to try again, and then recognised."""
    key, _ = await admin(world)
    world.tape.fail("records.get")
    with pytest.raises(PosternError) as failed:
        await world.app.callers.identify(key)
    assert not isinstance(failed.value, Unauthenticated)
    assert (await world.app.callers.identify(key)).role is Role.ADMIN

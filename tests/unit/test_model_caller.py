"""Who may do what to what: the whole table."""

import itertools
from datetime import UTC, datetime

import pytest

from postern.errors import Forbidden, NotFound
from postern.model.caller import RIGHTS, Action, Caller, Role, Thing, may, require

pytestmark = pytest.mark.rights

MINE = Thing(config="mine", client="me")
THINGS = {
    "all": Thing(),
    "my config": Thing(config="mine"),
    "mine": MINE,
    "my neighbour's": Thing(config="mine", client="neighbour"),
    "elsewhere": Thing(config="other", client="me"),
    "another config": Thing(config="other"),
    "my client everywhere": Thing(client="me"),
}
# What a key of each role has a right to, written out a second time.
ALLOWED = {
    Role.ADMIN: {
        *(Action.KEYS, Action.CONFIGS, Action.LINKS, Action.DIRECT_LINKS),
        *(Action.MAILBOXES_SEE, Action.MAILBOXES_END),
    },
    Role.SENDER: {Action.MAILBOXES_SEE, Action.TOKENS},
    Role.CLIENT: {Action.LINKS, Action.MAILBOXES_SEE, Action.MAILBOXES_END, Action.TOKENS},
}
# What a key reaches, by its bounds (config, client).
REACHED = {
    (None, None): set(THINGS),
    ("mine", None): {"my config", "mine", "my neighbour's"},
    (None, "me"): {"mine", "elsewhere", "my client everywhere"},
    ("mine", "me"): {"mine"},
}


def caller(
    role: Role, config: str | None = None, client: str | None = None, *, revoked: bool = False
) -> Caller:
    return Caller(
        hash="h" * 43,
        name="key",
        role=role,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        config=config,
        client=client,
        revoked=revoked,
    )


def test_the_rights_are_those_written_here():
    assert {role: set(actions) for role, actions in RIGHTS.items()} == ALLOWED


def test_an_operators_key_opens_no_mailbox():
    assert not any(may(caller(Role.ADMIN), Action.TOKENS, thing) for thing in THINGS.values())


@pytest.mark.parametrize("bounds", REACHED, ids=str)
@pytest.mark.parametrize("role", Role)
def test_every_cell_of_the_table(role, bounds):
    by = caller(role, *bounds)
    for action, (name, thing) in itertools.product(Action, THINGS.items()):
        expected = action in ALLOWED[role] and name in REACHED[bounds]
        assert may(by, action, thing) is expected, (action, name)


@pytest.mark.parametrize("bounds", REACHED, ids=str)
@pytest.mark.parametrize("role", Role)
def test_require_lets_pass_exactly_what_may(role, bounds):
    by = caller(role, *bounds)
    for action, thing in itertools.product(Action, THINGS.values()):
        if may(by, action, thing):
            require(by, action, thing)
        else:
            with pytest.raises((Forbidden, NotFound)):
                require(by, action, thing)


@pytest.mark.parametrize("role", Role)
def test_a_revoked_key_may_nothing_and_is_not_told_what_there_is(role):
    by = caller(role, revoked=True)
    for action, thing in itertools.product(Action, THINGS.values()):
        assert not may(by, action, thing)
        with pytest.raises(Forbidden):
            require(by, action, thing)


@pytest.mark.parametrize("name", ["my neighbour's", "elsewhere", "another config"])
def test_anothers_thing_looks_like_nothing_there(name):
    with pytest.raises(NotFound) as caught:
        require(caller(Role.CLIENT, "mine", "me"), Action.TOKENS, THINGS[name])
    assert caught.value.code == "not-found"


def test_a_bound_key_is_told_that_it_may_not_act_on_all():
    with pytest.raises(Forbidden):
        require(caller(Role.CLIENT, "mine", "me"), Action.LINKS, Thing())


@pytest.mark.parametrize("name", THINGS)
def test_a_missing_right_is_told_wherever_the_thing_is(name):
    with pytest.raises(Forbidden) as caught:
        require(caller(Role.SENDER), Action.CONFIGS, THINGS[name])
    assert (caught.value.code, "sender" in caught.value.description) == ("not-allowed", True)


def test_the_id_leads_to_no_key():
    assert caller(Role.ADMIN).id == "h" * 12

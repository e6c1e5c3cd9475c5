"""Handing out tokens: to whom, for what, for how long, and never one that has ended."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from postern.errors import ConsentLost, Forbidden, Malformed, NotFound, Unavailable, Unprocessable
from postern.model.caller import Role
from postern.model.config import Config
from postern.model.mailbox import MailboxId
from postern.model.scopes import GRAPH, OUTLOOK, SCOPES_OF, Protocol
from postern.services.delivery import Delivered
from postern.services.ledger import Ledger
from tests.fakes import FakeWorld, caller

SENDER = caller(Role.SENDER)
SMTP = Protocol.SMTP


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


@pytest.fixture
async def mailbox(world: FakeWorld, config: Config) -> MailboxId:
    return await world.connect(config)


async def fetch(
    world: FakeWorld, mailbox: object, minimum: int = 60, *, by: Any = SENDER, protocol: Any = SMTP
) -> Delivered:
    return await world.app.delivery.token(by, str(mailbox), protocol, minimum)


@pytest.mark.parametrize(
    ("protocol", "resource"),
    [(Protocol.SMTP, OUTLOOK), (Protocol.IMAP, OUTLOOK), (Protocol.GRAPH, GRAPH)],
)
async def test_the_protocol_chooses_the_resource(
    world: FakeWorld, mailbox: MailboxId, protocol: Protocol, resource: str
):
    given = await fetch(world, mailbox, protocol=protocol)
    _, its_resource = world.provider.access_tokens[given.access_token.reveal()]
    assert its_resource == resource
    assert given.protocol is protocol
    assert given.warning is None


async def test_a_warm_token_is_one_read_and_no_call(world: FakeWorld, mailbox: MailboxId):
    await fetch(world, mailbox)
    before = len(world.tape.calls)
    given = await fetch(world, mailbox)
    assert world.tape.calls[before:] == ["records.get"]
    assert given.username == "owner1@contoso.example"
    assert given.access_token.reveal() not in repr(given)


@pytest.mark.parametrize("minimum", [-1, 3301, 10**9])
async def test_a_minimum_that_can_never_be_met_is_refused(
    world: FakeWorld, mailbox: MailboxId, minimum: int
):
    before = len(world.tape.calls)
    with pytest.raises(Malformed, match="minimum-seconds-out-of-range"):
        await fetch(world, mailbox, minimum)
    assert len(world.tape.calls) == before


@pytest.mark.parametrize("minimum", [0, 1, 3300])
async def test_the_ends_of_the_range_are_allowed(
    world: FakeWorld, mailbox: MailboxId, minimum: int
):
    assert (await fetch(world, mailbox, minimum)).warning is None


async def test_a_token_that_lives_too_short_is_renewed(world: FakeWorld, mailbox: MailboxId):
    first = await fetch(world, mailbox)
    world.clock.advance(timedelta(minutes=31))
    assert (await fetch(world, mailbox, 1740)).access_token == first.access_token
    renewed = await fetch(world, mailbox, 1741)
    assert renewed.access_token != first.access_token
    assert renewed.expires - world.clock.now() == timedelta(hours=1)


@pytest.mark.parametrize("minimum", [0, 60])
async def test_a_token_that_ends_at_this_very_moment_is_renewed(
    world: FakeWorld, mailbox: MailboxId, minimum: int
):
    world.clock.advance(timedelta(hours=1))
    given = await fetch(world, mailbox, minimum)
    assert given.expires > world.clock.now()


async def test_a_token_that_entra_makes_shorter_is_given_with_a_warning(
    world: FakeWorld, mailbox: MailboxId
):
    world.clock.advance(timedelta(hours=2))
    world.provider.access_life = timedelta(minutes=30)
    asked = world.tape.count("provider.refresh")
    given = await fetch(world, mailbox, 3300)
    assert given.warning is not None
    assert given.warning.startswith("short-lived:")
    assert world.tape.count("provider.refresh") == asked + 1, "no second try"


async def test_a_valid_token_is_given_with_a_warning_while_entra_does_not_answer(
    world: FakeWorld, mailbox: MailboxId
):
    first = await fetch(world, mailbox)
    world.clock.advance(timedelta(minutes=50))
    world.provider.refuse(error="temporarily_unavailable", status=503, operation="refresh")
    given = await fetch(world, mailbox, 1800)
    assert given.access_token == first.access_token
    assert given.warning is not None
    assert given.warning.startswith("entra-unavailable:")


async def test_a_valid_token_is_given_while_the_apps_credential_fails(
    world: FakeWorld, mailbox: MailboxId
):
    world.clock.advance(timedelta(minutes=50))
    world.provider.refuse(
        error="invalid_client", number=7000222, status=401, operation="refresh", times=9
    )
    for _ in range(3):
        given = await fetch(world, mailbox, 1800)
        assert given.warning is not None
        assert given.warning.startswith("app-fault:")


@pytest.mark.parametrize("status", [429, 503])
async def test_an_ended_token_is_never_given_away(
    world: FakeWorld, mailbox: MailboxId, status: int
):
    world.clock.advance(timedelta(hours=1))
    world.provider.refuse(error="temporarily_unavailable", status=status, operation="refresh")
    with pytest.raises(Unavailable):
        await fetch(world, mailbox, 0)


async def test_a_lost_grant_is_told_with_its_cause_even_while_its_token_lives(
    world: FakeWorld, mailbox: MailboxId
):
    world.clock.advance(timedelta(minutes=30))
    world.provider.refuse(error="invalid_grant", number=50173, operation="refresh")
    for minimum in (3300, 0):
        with pytest.raises(ConsentLost, match="mailbox-reconnect-needed") as lost:
            await fetch(world, mailbox, minimum)
        assert lost.value.details["cause"] == "revoked"
        assert "connect link" in lost.value.description


async def test_a_protocol_that_was_not_connected_is_told(world: FakeWorld, config: Config):
    user = world.user(consents=frozenset(SCOPES_OF[SMTP]))
    mailbox = await world.connect(config, user)
    with pytest.raises(Unprocessable, match="protocol-not-connected"):
        await fetch(world, mailbox, protocol=Protocol.GRAPH)
    assert await fetch(world, mailbox) is not None


@pytest.mark.parametrize("text", ["", "x", "abcdefgh", "abcdefgh.short", "ABCDEFGH." + "A" * 43])
async def test_what_is_no_mailbox_id_is_malformed(world: FakeWorld, text: str):
    with pytest.raises(Malformed, match="mailbox-malformed"):
        await fetch(world, text)
    assert world.tape.calls == []


async def test_an_unknown_mailbox_is_not_found(world: FakeWorld, config: Config):
    with pytest.raises(NotFound):
        await fetch(world, f"{config.id}.{'A' * 43}")


@pytest.mark.rights
async def test_another_clients_mailbox_looks_like_none(world: FakeWorld, config: Config):
    theirs = await world.connect(config, client="rival")
    acme = caller(Role.CLIENT, config=config.id, client="acme")
    refusals = []
    for mailbox in (theirs, f"{config.id}.{'A' * 43}"):
        with pytest.raises(NotFound) as refused:
            await fetch(world, mailbox, by=acme)
        refusals.append((refused.value.code, refused.value.description))
    assert refusals[0] == refusals[1], "one could learn which mailboxes exist"
    rival = caller(Role.CLIENT, config=config.id, client="rival")
    assert (await fetch(world, theirs, by=rival)).username


@pytest.mark.rights
async def test_a_key_of_another_config_gets_nothing(world: FakeWorld, mailbox: MailboxId):
    with pytest.raises(NotFound):
        await fetch(world, mailbox, by=caller(Role.SENDER, config="zzzzzzzz"))


@pytest.mark.rights
async def test_an_admin_fetches_no_token(world: FakeWorld, mailbox: MailboxId):
    for target in (mailbox, f"{mailbox.config}.{'A' * 43}"):
        with pytest.raises(Forbidden):
            await fetch(world, target, by=caller(Role.ADMIN))


async def test_a_config_that_is_gone_hands_out_nothing(world: FakeWorld, mailbox: MailboxId):
    (row,) = world.records.all("configs", mailbox.config)
    await world.records.delete("configs", row)
    world.app = world.another_process()
    with pytest.raises(NotFound):
        await fetch(world, mailbox)


@pytest.mark.attack
async def test_a_token_is_bound_to_its_config(world: FakeWorld, mailbox: MailboxId):
    """The rows of one config, restored under another, do not open: the data key differs."""
    other = await world.active("bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee")
    (config_row,) = world.records.all("configs", mailbox.config)
    (other_row,) = world.records.all("configs", other.id)
    stolen = {**config_row.values, "data_keys": other_row.values["data_keys"]}
    await world.records.replace("configs", replace(config_row, values=stolen))
    world.app = world.another_process()
    with pytest.raises(Exception, match="no key of the ring"):
        await fetch(world, mailbox)


async def test_a_sender_that_asks_keeps_the_mailbox_warm(world: FakeWorld, mailbox: MailboxId):
    world.clock.advance(timedelta(hours=2))
    await fetch(world, mailbox)
    known = await world.grants.find(mailbox)
    assert known is not None
    assert known.value.due is not None
    assert known.value.due - world.clock.now() == timedelta(minutes=50)


async def test_tokens_are_told_by_caller_in_one_line(caplog: pytest.LogCaptureFixture):
    ledger = Ledger()
    with caplog.at_level("INFO"):
        for _ in range(3):
            ledger.note("sender-1", "abcd2345")
        ledger.note("sender-2", "abcd2345")
        ledger.flush()
        ledger.flush()
    assert [each.getMessage() for each in caplog.records] == [
        "tokens handed out caller=sender-1 config=abcd2345 count=3",
        "tokens handed out caller=sender-2 config=abcd2345 count=1",
    ]

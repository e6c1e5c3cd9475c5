"""Connect links: what may be made, how each one ends, and that two owners never share a use."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from postern.crypto import bearer
from postern.errors import Conflict, Malformed, NotFound, PageError
from postern.model.caller import Role
from postern.model.config import Config, ConfigState
from postern.model.scopes import Protocol
from postern.model.wanted import WantedLink
from postern.pages.reasons import REASONS
from postern.services.links import MadeLink
from postern.stores.versioned import Versioned
from tests.fakes import HOME, FakeWorld, caller

ADMIN = caller(Role.ADMIN)
RETURN = "https://agency.example/done?from=mail"


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active(return_urls=(RETURN,), protocols=(Protocol.SMTP, Protocol.IMAP))


async def make(world: FakeWorld, config: Config, **changes: Any) -> MadeLink:
    asked = WantedLink(**{"client": "acme", **changes})
    return await world.app.links.make(ADMIN, config.id, asked)


async def reason(world: FakeWorld, text: str) -> str:
    """Return why a link does not open; every such reason has its page."""
    with pytest.raises(PageError) as ended:
        await world.app.links.open(text)
    assert ended.value.reason in REASONS
    return ended.value.reason


async def test_a_link_opens_for_its_owner_and_its_text_is_stored_nowhere(
    world: FakeWorld, config: Config
):
    made = await make(world, config, note="for Ann")
    opened = await world.app.links.open(made.text.reveal())
    assert (opened.link, opened.config) == (made.link, config)
    _, _, token = made.text.reveal().partition(".")
    assert world.shows(token) == []
    assert len(token) == 43, "256 random bits"


async def test_opening_a_link_changes_nothing(world: FakeWorld, config: Config):
    """Mail scanners open links: a scanner must burn nothing."""
    text = (await make(world, config)).text.reveal()
    before = world.records.all("links")
    for _ in range(5):
        await world.app.links.open(text)
    assert world.records.all("links") == before


@pytest.mark.parametrize(
    "text",
    ["", ".", "x", "abcdefgh.", "abcdefgh.short", "../../x." + "A" * 43, "é" * 8 + "." + "A" * 43],
)
async def test_what_is_no_link_is_unknown_and_never_looked_up(world: FakeWorld, text: str):
    assert await reason(world, text) == "link-unknown"
    assert world.tape.count("records.*") == 0


async def test_a_link_of_another_config_or_token_is_unknown(world: FakeWorld, config: Config):
    other = await world.active("bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee")
    _, _, token = (await make(world, config)).text.reveal().partition(".")
    assert await reason(world, f"{other.id}.{token}") == "link-unknown"
    assert await reason(world, f"{config.id}.{bearer.new_token().reveal()}") == "link-unknown"
    assert await reason(world, f"zzzzzzzz.{token}") == "link-unknown"


async def test_a_config_id_of_digits_only_has_links_too(world: FakeWorld, config: Config):
    digits = replace(config, id="23456789")
    await world.configs.add(digits)
    made = await make(world, digits)
    assert (await world.app.links.open(made.text.reveal())).config == digits


async def test_an_expired_link_says_so_to_the_second(world: FakeWorld, config: Config):
    text = (await make(world, config, life=timedelta(hours=1))).text.reveal()
    world.clock.advance(timedelta(minutes=59, seconds=59))
    await world.app.links.open(text)
    world.clock.advance(seconds=1)
    assert await reason(world, text) == "link-expired"


async def test_a_used_link_says_so(world: FakeWorld, config: Config):
    made = await make(world, config, uses=2)
    for _ in range(2):
        await world.app.links.open(made.text.reveal())
        await world.app.links.reserve(config.id, made.link.hash)
    assert await reason(world, made.text.reveal()) == "link-used"


async def test_a_withdrawn_link_says_so(world: FakeWorld, config: Config):
    made = await make(world, config)
    await world.app.links.withdraw(ADMIN, config.id, made.link.hash)
    assert await reason(world, made.text.reveal()) == "link-withdrawn"
    assert "withdrew a link" in [event["did"] for event in world.events()]


async def test_a_link_of_a_config_that_is_not_active_is_not_ready(world: FakeWorld, config: Config):
    text = (await make(world, config)).text.reveal()
    known = await world.configs.find(config.id)
    assert known is not None
    await world.configs.save(known, replace(config, state=ConfigState.FAILED))
    assert await reason(world, text) == "not-ready"


@pytest.mark.parametrize("state", [s for s in ConfigState if s is not ConfigState.ACTIVE])
async def test_no_link_is_made_for_a_config_that_is_not_active(
    world: FakeWorld, config: Config, state: ConfigState
):
    known = await world.configs.find(config.id)
    assert known is not None
    await world.configs.save(known, replace(config, state=state))
    with pytest.raises(Conflict, match="config-not-active"):
        await make(world, config)
    with pytest.raises(NotFound, match="config-unknown"):
        await make(world, replace(config, id="zzzzzzzz"))


async def test_a_link_takes_the_protocols_of_its_config_unless_it_names_some(
    world: FakeWorld, config: Config
):
    assert (await make(world, config)).link.protocols == (Protocol.SMTP, Protocol.IMAP)
    some = await make(world, config, protocols=(Protocol.IMAP,))
    assert some.link.protocols == (Protocol.IMAP,)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"life": timedelta(seconds=59)}, "expiry-out-of-range"),
        ({"life": timedelta(days=90, seconds=1)}, "expiry-out-of-range"),
        ({"life": timedelta(days=-1)}, "expiry-out-of-range"),
        ({"expected_address": "nobody"}, "address-malformed"),
        ({"expected_address": "a@b\n.example"}, "address-malformed"),
        ({"expected_tenant": "contoso.example"}, "expected-tenant-malformed"),
        ({"protocols": (Protocol.GRAPH,)}, "protocol-not-configured"),
        ({"return_url": "https://evil.example/"}, "return-url-not-listed"),
        ({"return_url": RETURN + "&more"}, "return-url-not-listed"),
        ({"return_url": RETURN.upper()}, "return-url-not-listed"),
        ({"return_url": RETURN.partition("?")[0]}, "return-url-not-listed"),
        ({"direct": True}, "direct-link-unbound"),
        ({"direct": True, "expected_tenant": HOME, "uses": 2}, "direct-link-uses"),
        (
            {"direct": True, "expected_tenant": HOME, "life": timedelta(minutes=10, seconds=1)},
            "expiry-out-of-range",
        ),
    ],
)
async def test_a_link_that_may_not_be_is_refused(
    world: FakeWorld, config: Config, changes: dict[str, Any], code: str
):
    with pytest.raises(Malformed) as refused:
        await make(world, config, **changes)
    assert refused.value.code == code
    assert world.records.all("links") == []


async def test_the_widest_link_that_may_be_is_made(world: FakeWorld, config: Config):
    made = await make(
        world,
        config,
        life=timedelta(days=90),
        uses=50,
        return_url=RETURN,
        expected_address="ann@contoso.example",
        expected_tenant=HOME,
    )
    assert made.link.expires - made.link.created == timedelta(days=90)
    assert made.link.return_url == RETURN


@pytest.mark.parametrize("bound", [{"expected_tenant": HOME}, {"expected_address": "a@b.example"}])
async def test_a_direct_link_is_short_bound_and_used_once(
    world: FakeWorld, config: Config, bound: dict[str, str]
):
    made = await make(world, config, direct=True, **bound)
    assert made.link.expires - made.link.created == timedelta(minutes=10)
    assert made.link.uses == 1


# --- uses ---------------------------------------------------------------------------------------


async def test_of_two_who_reserve_the_last_use_at_once_one_gets_it(
    world: FakeWorld, config: Config
):
    made = await make(world, config)

    async def other() -> None:
        await world.another_process().links.reserve(config.id, made.link.hash)

    world.records.before("replace", other)
    with pytest.raises(PageError, match="link-used"):
        await world.app.links.reserve(config.id, made.link.hash)


async def test_of_two_who_reserve_one_of_two_uses_both_get_one(world: FakeWorld, config: Config):
    made = await make(world, config, uses=2)

    async def other() -> None:
        await world.another_process().links.reserve(config.id, made.link.hash)

    world.records.before("replace", other)
    used = await world.app.links.reserve(config.id, made.link.hash)
    assert used.used == 2


async def test_many_at_once_never_get_more_uses_than_there_are(world: FakeWorld, config: Config):
    made = await make(world, config, uses=3)

    async def attempt() -> bool:
        try:
            await world.app.links.reserve(config.id, made.link.hash)
        except PageError:
            return False
        return True

    won = sum(await asyncio.gather(*(attempt() for _ in range(10))))
    known = await world.links.find(config.id, made.link.hash)
    assert known is not None
    assert won == known.value.used <= 3


async def test_a_use_that_came_to_nothing_is_given_back(world: FakeWorld, config: Config):
    made = await make(world, config)
    await world.app.links.reserve(config.id, made.link.hash)
    await world.app.links.give_back(config.id, made.link.hash)
    await world.app.links.open(made.text.reveal())
    await world.app.links.give_back(config.id, made.link.hash)
    known = await world.links.find(config.id, made.link.hash)
    assert known is not None
    assert known.value.used == 0, "never less than none"


async def test_a_link_that_is_gone_cannot_be_reserved(world: FakeWorld, config: Config):
    made = await make(world, config)
    await world.links.remove(made.link)
    with pytest.raises(PageError, match="link-unknown"):
        await world.app.links.reserve(config.id, made.link.hash)
    with pytest.raises(PageError, match="link-unknown"):
        await world.app.links.still_open(config.id, made.link.hash)


# --- lists and withdrawal -----------------------------------------------------------------------


async def test_a_client_sees_and_withdraws_its_own_links_only(world: FakeWorld, config: Config):
    theirs = await make(world, config, client="acme")
    world.clock.advance(seconds=1)
    other = await make(world, config, client="rival")
    assert [link.hash for link in await world.app.links.of(config.id, "acme")] == [theirs.link.hash]
    every = await world.app.links.of(config.id, None)
    assert [link.hash for link in every] == [other.link.hash, theirs.link.hash], "newest first"
    acme = caller(Role.CLIENT, config=config.id, client="acme")
    with pytest.raises(NotFound, match="link-unknown"):
        await world.app.links.withdraw(acme, config.id, other.link.hash)
    await world.app.links.withdraw(acme, config.id, theirs.link.hash)
    assert await reason(world, theirs.text.reveal()) == "link-withdrawn"
    await world.app.links.open(other.text.reveal())


async def test_withdrawing_what_is_not_there_is_told(world: FakeWorld, config: Config):
    with pytest.raises(NotFound, match="link-unknown"):
        await world.app.links.withdraw(ADMIN, config.id, "A" * 43)


async def test_a_withdrawal_that_meets_a_use_loses_neither(world: FakeWorld, config: Config):
    made = await make(world, config, uses=2)

    async def use() -> None:
        await world.another_process().links.reserve(config.id, made.link.hash)

    world.records.before("replace", use)
    with pytest.raises(Conflict, match="changed-meanwhile"):
        await world.app.links.withdraw(ADMIN, config.id, made.link.hash)
    await world.app.links.withdraw(ADMIN, config.id, made.link.hash)
    known: Versioned[Any] | None = await world.links.find(config.id, made.link.hash)
    assert known is not None
    assert (known.value.used, known.value.withdrawn) == (1, True)

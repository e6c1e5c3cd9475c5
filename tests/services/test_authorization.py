"""From the button to Entra and back: one browser, one answer, nothing stored that was not shown."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from postern.crypto import bearer
from postern.errors import PageError
from postern.model.answer import Answer
from postern.model.config import Audience, Config
from postern.model.link import Ending
from postern.model.mailbox import AGENCY, MailboxId
from postern.model.scopes import SCOPES_OF, Protocol
from postern.model.secret import Secret
from postern.pages.reasons import REASONS
from tests.fakes import BROWSER, CLIENT_ID, ELSEWHERE, HOME, FakeWorld, User

SMTP, IMAP, GRAPH = Protocol.SMTP, Protocol.IMAP, Protocol.GRAPH


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


async def used(world: FakeWorld, config: Config) -> list[int]:
    return [known.value.used async for known in world.links.of(config.id)]


async def refused(world: FakeWorld, answer: Answer, browser: Secret | None = BROWSER) -> str:
    """Return why an answer was not even looked at."""
    with pytest.raises(PageError) as raised:
        await world.app.authorization.complete(answer, browser)
    assert raised.value.reason in REASONS
    return raised.value.reason


# --- there --------------------------------------------------------------------------------------


async def test_the_request_asks_for_what_the_link_allows(world: FakeWorld, config: Config):
    link = await world.link(config, protocols=(SMTP, GRAPH), expected_address="ann@contoso.example")
    url = await world.begin(link)
    asked = world.provider.query(url)
    assert url.startswith("https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?")
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == "https://mail.agency.example/api/callback"
    assert set(asked["scope"].split()) == {*SCOPES_OF[SMTP], *SCOPES_OF[GRAPH]}
    assert asked["login_hint"] == "ann@contoso.example"
    assert len(asked["state"]) == 43


async def test_a_single_tenant_app_asks_at_its_tenant(world: FakeWorld):
    config = await world.active(audience=Audience.TENANT)
    url = await world.begin(await world.link(config))
    assert url.startswith(f"https://login.microsoftonline.com/{HOME}/")


async def test_beginning_uses_nothing_up(world: FakeWorld, config: Config):
    link = await world.link(config)
    states = {world.provider.query(await world.begin(link))["state"] for _ in range(5)}
    assert len(states) == 5
    assert await used(world, config) == [0]


async def test_nothing_that_a_thief_of_the_records_could_use_is_stored(
    world: FakeWorld, config: Config
):
    url = await world.begin(await world.link(config))
    answer = world.provider.sign_in(url, world.user())
    state, nonce = answer.state, world.provider.query(url)["nonce"]
    assert world.shows(state) == world.shows(nonce) == world.shows(BROWSER.reveal()) == []
    await world.complete(answer)
    for token in (*world.provider.refresh_tokens, *world.provider.access_tokens):
        assert world.shows(token) == []


# --- and back -----------------------------------------------------------------------------------


async def test_a_connected_mailbox_is_told_with_its_protocols(world: FakeWorld, config: Config):
    user = world.user("ann@contoso.example")
    url = await world.begin(await world.link(config))
    ending = await world.complete(world.provider.sign_in(url, user))
    assert ending == Ending(address="ann@contoso.example", protocols=(SMTP, IMAP, GRAPH))
    assert await used(world, config) == [1]
    mailbox = await world.mailbox(MailboxId.of(config.id, AGENCY, HOME, user.oid))
    assert (mailbox.address, mailbox.tenant, mailbox.user) == (user.upn, HOME, user.oid)
    assert "connected" in [event["did"] for event in world.events()]


async def test_one_token_is_minted_for_each_resource(world: FakeWorld, config: Config):
    await world.connect(config, protocols=(SMTP, IMAP))
    assert world.tape.count("provider.refresh") == 0
    await world.connect(config, protocols=(SMTP, GRAPH))
    assert world.tape.count("provider.refresh") == 1


async def test_the_return_url_is_given_back(world: FakeWorld):
    config = await world.active(return_urls=("https://agency.example/done",))
    url = await world.begin(await world.link(config, return_url="https://agency.example/done"))
    ending = await world.complete(world.provider.sign_in(url, world.user()))
    assert ending.return_url == "https://agency.example/done"


@pytest.mark.attack
@pytest.mark.parametrize("state", ["", "x", "A" * 42, "A" * 43, "A" * 43 + "\n", "é" * 43])
async def test_a_state_that_we_did_not_give_is_unknown(world: FakeWorld, state: str):
    answer = Answer(state=state, code=Secret("code"), error=None)
    assert await refused(world, answer) == "state-unknown"
    assert world.tape.count("provider.*") == 0


@pytest.mark.attack
async def test_an_answer_is_taken_once(world: FakeWorld, config: Config):
    url = await world.begin(await world.link(config, uses=2))
    answer = world.provider.sign_in(url, world.user())
    await world.complete(answer)
    assert await refused(world, answer) == "state-used"
    world.clock.advance(timedelta(minutes=11))
    assert await refused(world, answer) == "state-used", "used is the truth, not too late"
    assert world.tape.count("provider.redeem") == 1


@pytest.mark.attack
async def test_of_two_answers_at_once_one_is_redeemed(world: FakeWorld, config: Config):
    url = await world.begin(await world.link(config, uses=2))
    user = world.user()
    first, second = (world.provider.sign_in(url, user) for _ in range(2))
    lost: list[PageError] = []

    async def other() -> None:
        await world.another_process().authorization.complete(second, BROWSER)

    world.records.before("replace", other)
    try:
        await world.app.authorization.complete(first, BROWSER)
    except PageError as exc:
        lost.append(exc)
    assert [each.reason for each in lost] == ["state-used"]
    assert world.tape.count("provider.redeem") == 1
    assert await used(world, config) == [1]


async def test_a_late_answer_is_expired(world: FakeWorld, config: Config):
    url = await world.begin(await world.link(config))
    answer = world.provider.sign_in(url, world.user())
    world.clock.advance(timedelta(minutes=10, seconds=1))
    assert await refused(world, answer) == "state-expired"
    assert world.tape.count("provider.redeem") == 0


@pytest.mark.attack
@pytest.mark.parametrize("browser", [None, Secret("another browser"), Secret("")])
async def test_another_browser_is_refused_and_consumes_nothing(
    world: FakeWorld, config: Config, browser: Secret | None
):
    """A stolen state must not end the sign-in of the browser that it was stolen from."""
    url = await world.begin(await world.link(config))
    answer = world.provider.sign_in(url, world.user())
    assert await refused(world, answer, browser) == "other-browser"
    assert world.tape.count("provider.redeem") == 0
    assert (await world.complete(answer)).reason is None


@pytest.mark.parametrize(
    ("error", "number", "reason"),
    [
        ("access_denied", 65004, "declined"),
        ("access_denied", 90094, "admin-approval-needed"),
        ("invalid_request", 50020, "wrong-account"),
        ("server_error", None, "temporarily-unavailable"),
        ("never-heard-of", None, "sign-in-failed"),
    ],
)
async def test_an_error_on_the_redirect_has_its_page_and_leaves_the_link_good(
    world: FakeWorld, config: Config, error: str, number: int | None, reason: str
):
    link = await world.link(config)
    url = await world.begin(link)
    ending = await world.complete(world.provider.turn_away(url, error=error, number=number))
    assert ending.reason == reason
    assert await used(world, config) == [0]
    again = await world.begin(link)
    assert (await world.complete(world.provider.sign_in(again, world.user()))).reason is None


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ({"error": "invalid_client", "number": 7000222, "status": 401}, "app-fault"),
        ({"error": "invalid_grant", "number": 53003}, "blocked-by-policy"),
        ({"error": "temporarily_unavailable", "status": 503}, "temporarily-unavailable"),
    ],
)
async def test_a_refused_redemption_has_its_page_with_entras_id(
    world: FakeWorld, config: Config, refusal: dict[str, Any], reason: str
):
    url = await world.begin(await world.link(config))
    answer = world.provider.sign_in(url, world.user())
    world.provider.refuse(**refusal, operation="redeem")
    ending = await world.complete(answer)
    assert (ending.reason, ending.correlation_id) == (reason, "c0ffee")
    assert await used(world, config) == [0]


@pytest.mark.fault
@pytest.mark.parametrize("call", ["provider.redeem", "provider.refresh", "keys.unwrap"])
async def test_what_does_not_answer_is_told_and_the_link_stays_good(
    world: FakeWorld, config: Config, call: str
):
    world.app = world.another_process()  # nothing remembered, so the vault is asked
    link = await world.link(config)
    url = await world.begin(link)
    world.app = world.another_process()
    world.tape.fail(call)
    ending = await world.complete(world.provider.sign_in(url, world.user()))
    assert ending.reason == "temporarily-unavailable"
    assert await used(world, config) == [0]
    assert world.records.all("grants") == []


async def test_an_answer_without_code_and_error_is_no_sign_in(world: FakeWorld, config: Config):
    url = await world.begin(await world.link(config))
    state = world.provider.query(url)["state"]
    ending = await world.complete(Answer(state=state, code=None, error=None))
    assert ending.reason == "sign-in-failed"


@pytest.mark.attack
async def test_a_code_of_another_sign_in_is_not_redeemed(world: FakeWorld, config: Config):
    """PKCE: an attacker's code, injected into a victim's answer, has another verifier."""
    theirs = world.provider.sign_in(await world.begin(await world.link(config)), world.user())
    url = await world.begin(await world.link(config))
    ours = world.provider.sign_in(url, world.user())
    ending = await world.complete(replace(ours, code=theirs.code))
    assert ending.reason == "sign-in-failed"
    assert world.records.all("grants") == []


@pytest.mark.attack
@pytest.mark.parametrize(
    "claims",
    [
        {"audience": "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"},
        {"issuer": "https://evil.example/v2.0"},
        {"nonce": "another"},
    ],
)
async def test_an_id_token_that_is_not_ours_stores_nothing(
    world: FakeWorld, config: Config, claims: dict[str, Any]
):
    world.provider.claims = claims
    url = await world.begin(await world.link(config))
    ending = await world.complete(world.provider.sign_in(url, world.user()))
    assert ending.reason == "sign-in-failed"
    assert world.records.all("grants") == world.records.all("mailboxes") == []
    assert await used(world, config) == [0]


@pytest.mark.parametrize(
    "over",
    [
        pytest.param("link-expired", id="expired"),
        pytest.param("link-withdrawn", id="withdrawn"),
        pytest.param("link-used", id="used"),
    ],
)
async def test_a_link_that_ended_meanwhile_connects_nothing(
    world: FakeWorld, config: Config, over: str
):
    text = await world.link(config, life=timedelta(minutes=5))
    url = await world.begin(text)
    answer = world.provider.sign_in(url, world.user())
    (known,) = [each async for each in world.links.of(config.id)]
    if over == "link-expired":
        world.clock.advance(timedelta(minutes=5))
    else:
        withdrawn, used_up = over == "link-withdrawn", int(over == "link-used")
        changed = replace(known.value, withdrawn=withdrawn, used=used_up)
        await world.links.save(known, changed)
    ending = await world.complete(answer)
    assert ending.reason == over
    assert world.tape.count("provider.redeem") == 0


async def test_of_two_owners_at_once_with_a_link_for_one_the_second_is_told(
    world: FakeWorld, config: Config
):
    link = await world.link(config)
    urls = [await world.begin(link, Secret(f"browser {n}")) for n in range(2)]
    answers = [world.provider.sign_in(url, world.user()) for url in urls]
    endings = await asyncio.gather(
        *(world.complete(answer, Secret(f"browser {n}")) for n, answer in enumerate(answers))
    )
    assert sorted(str(ending.reason) for ending in endings) == ["None", "link-used"]
    assert len(world.records.all("grants", "grant~")) == 1


# --- the right account --------------------------------------------------------------------------


@pytest.mark.attack
async def test_another_account_than_expected_stores_nothing_and_spares_the_old_grant(
    world: FakeWorld, config: Config
):
    ann, bob = world.user("ann@contoso.example"), world.user("bob@contoso.example")
    await world.connect(config, ann)
    before = world.records.all("grants"), world.records.all("mailboxes")
    url = await world.begin(await world.link(config, expected_address=ann.upn))
    ending = await world.complete(world.provider.sign_in(url, bob))
    assert ending.reason == "wrong-account"
    assert ending.detail == {"expected": "a…@c….example", "actual": "b…@c….example"}
    assert (world.records.all("grants"), world.records.all("mailboxes")) == before
    assert world.tape.count("provider.refresh") == 1, "nothing was minted for the wrong account"


@pytest.mark.attack
async def test_a_tenant_that_is_not_listed_is_turned_away(world: FakeWorld):
    config = await world.active(allowed_tenants=(HOME,))
    url = await world.begin(await world.link(config))
    ending = await world.complete(world.provider.sign_in(url, world.user(tenant=ELSEWHERE)))
    assert ending.reason == "account-not-allowed"
    assert world.records.all("grants") == []


@pytest.mark.attack
async def test_the_address_of_a_mailbox_is_never_taken_over(world: FakeWorld, config: Config):
    """A foreign tenant's user with the same address must not get a sender's mail."""
    ann = world.user("ann@contoso.example")
    mailbox = await world.connect(config, ann)
    before = world.records.all("grants")
    url = await world.begin(await world.link(config))
    other = world.user("ANN@contoso.example", tenant=ELSEWHERE)
    ending = await world.complete(world.provider.sign_in(url, other))
    assert ending.reason == "address-taken"
    assert world.records.all("grants") == before
    assert (await world.mailbox(mailbox)).user == ann.oid
    uses = await used(world, config)
    assert sorted(uses) == [0, 1], "the use is given back"


async def test_the_same_mailbox_under_another_client_is_another_record(
    world: FakeWorld, config: Config
):
    ann = world.user()
    ours = await world.connect(config, ann)
    theirs = await world.connect(config, ann, client="acme")
    assert ours != theirs
    assert len(world.records.all("grants", "grant~")) == 2


async def test_reconnecting_finds_the_same_record_even_under_a_new_name(
    world: FakeWorld, config: Config
):
    ann = world.user("ann@contoso.example")
    first = await world.connect(config, ann)
    renamed = User(ann.tenant, ann.oid, "ann.smith@contoso.example")
    second = await world.connect(config, renamed)
    assert first == second
    assert (await world.mailbox(first)).address == "ann.smith@contoso.example"
    assert len(world.records.all("grants", "grant~")) == 1
    assert len(world.due(first)) == 1


# --- permissions --------------------------------------------------------------------------------


async def test_permissions_that_are_missing_are_named(world: FakeWorld, config: Config):
    user = world.user(consents=frozenset(SCOPES_OF[SMTP]))
    url = await world.begin(await world.link(config))
    ending = await world.complete(world.provider.sign_in(url, user))
    assert ending.reason is None
    assert (ending.protocols, ending.missing) == ((SMTP,), (IMAP, GRAPH))
    mailbox = await world.mailbox(MailboxId.of(config.id, AGENCY, HOME, user.oid))
    assert (mailbox.protocols, mailbox.missing) == ((SMTP,), (IMAP, GRAPH))


async def test_half_the_scopes_of_a_protocol_are_not_the_protocol(world: FakeWorld, config: Config):
    half = frozenset(SCOPES_OF[SMTP]) | {"https://graph.microsoft.com/Mail.Send"}
    url = await world.begin(await world.link(config))
    ending = await world.complete(world.provider.sign_in(url, world.user(consents=half)))
    assert ending.protocols == (SMTP,)


async def test_without_any_permission_nothing_is_stored(world: FakeWorld, config: Config):
    half = frozenset({"https://graph.microsoft.com/User.Read"})
    url = await world.begin(await world.link(config, protocols=(GRAPH,)))
    ending = await world.complete(world.provider.sign_in(url, world.user(consents=half)))
    assert (ending.reason, ending.detail) == ("permissions-missing", {"missing": "graph"})
    assert world.records.all("grants") == []
    assert await used(world, config) == [0]


async def test_a_throttled_minting_is_no_missing_permission(world: FakeWorld, config: Config):
    """Told as missing, the owner would lose a protocol that was consented to."""
    url = await world.begin(await world.link(config))
    answer = world.provider.sign_in(url, world.user())
    world.provider.refuse(error="temporarily_unavailable", status=429, operation="refresh")
    assert (await world.complete(answer)).reason == "throttled"
    assert world.records.all("grants") == []


# --- the last page ------------------------------------------------------------------------------


async def test_the_last_page_is_found_by_its_ticket_for_ten_minutes(
    world: FakeWorld, config: Config
):
    url = await world.begin(await world.link(config))
    answer = world.provider.sign_in(url, world.user())
    ticket = await world.app.authorization.complete(answer, BROWSER)
    for _ in range(2):
        ending, shown = await world.app.authorization.ending(ticket.reveal())
        assert (ending.reason, shown.id) == (None, config.id)
    world.clock.advance(timedelta(minutes=10, seconds=1))
    with pytest.raises(PageError, match="state-expired"):
        await world.app.authorization.ending(ticket.reveal())
    assert world.shows(ticket.reveal()) == []


async def test_a_ticket_that_we_did_not_give_shows_nothing(world: FakeWorld):
    with pytest.raises(PageError, match="state-unknown"):
        await world.app.authorization.ending("x")
    with pytest.raises(PageError, match="state-expired"):
        await world.app.authorization.ending(bearer.new_token().reveal())


@pytest.mark.attack
async def test_a_state_is_no_ticket_and_a_ticket_no_state(world: FakeWorld, config: Config):
    url = await world.begin(await world.link(config))
    answer = world.provider.sign_in(url, world.user())
    with pytest.raises(PageError, match="state-expired"):
        await world.app.authorization.ending(answer.state)
    ticket = await world.app.authorization.complete(answer, BROWSER)
    assert await refused(world, replace(answer, state=ticket.reveal())) == "state-unknown"

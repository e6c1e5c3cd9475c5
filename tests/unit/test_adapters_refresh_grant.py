"""The refresh grant on the wire: what is asked, what is made of each answer, and what leaks."""

import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from postern.adapters.entra import refresh_grant
from postern.adapters.entra.refresh_grant import ASSERTION_TYPE, refresh
from postern.errors import ProviderRefused, Unavailable
from postern.model.failure import FailureClass, classify
from postern.model.secret import Secret
from postern.ports import Tokens
from tests.unit.scripted_server import Reply, ScriptedServer, scripted_server

REFRESH_TOKEN = "0.AVYA-old/refresh+token=of&alice"
ASSERTION = "header.claims.signature-of-the-app"
NEW_TOKEN, ACCESS_TOKEN = "0.AVYA-new-refresh-token", "eyJ-access-token"
SECRETS = (REFRESH_TOKEN, ASSERTION, NEW_TOKEN, ACCESS_TOKEN)
SCOPES = (
    "https://outlook.office.com/SMTP.Send",
    "https://outlook.office.com/IMAP.AccessAsUser.All",
)
GOOD: dict[str, Any] = {
    "token_type": "Bearer",
    "scope": " ".join(SCOPES),
    "expires_in": 3599,
    "access_token": ACCESS_TOKEN,
    "refresh_token": NEW_TOKEN,
}
REFUSED = {
    "error": "invalid_grant",
    "error_description": f"AADSTS700082: {REFRESH_TOKEN} of alice@fabrikam.example is over",
    "error_codes": [700082],
    "correlation_id": "correlation",
}


@pytest.fixture
async def entra() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as server:
        yield server


async def ask(server: ScriptedServer, *replies: Reply) -> Tokens:
    server.say(*replies)
    async with aiohttp.ClientSession() as session:
        return await refresh(
            session,
            f"{server.url}/organizations/oauth2/v2.0/token",
            client_id="c0000000-0000-4000-8000-0000000000aa",
            assertion=Secret(ASSERTION),
            refresh_token=Secret(REFRESH_TOKEN),
            scopes=SCOPES,
        )


def told(exc: BaseException) -> str:
    """Return all that a log could show of a failure: its text, its chain, and its fields."""
    return "".join(traceback.format_exception(exc)) + repr(exc) + repr(vars(exc))


async def test_the_form_holds_each_field_once(entra):
    await ask(entra, Reply(body=GOOD))
    (asked,) = entra.asked
    assert (asked.method, asked.path) == ("POST", "/organizations/oauth2/v2.0/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["accept"] == "application/json"
    assert asked.form == {
        "client_id": ["c0000000-0000-4000-8000-0000000000aa"],
        "grant_type": ["refresh_token"],
        "refresh_token": [REFRESH_TOKEN],
        "scope": [" ".join((*SCOPES, "offline_access"))],
        "client_assertion_type": [ASSERTION_TYPE],
        "client_assertion": [ASSERTION],
    }


async def test_an_answer_with_a_new_refresh_token(entra):
    before = datetime.now(UTC)
    tokens = await ask(entra, Reply(body=GOOD))
    assert tokens.access_token == Secret(ACCESS_TOKEN)
    assert tokens.refresh_token == Secret(NEW_TOKEN)
    assert tokens.scopes == SCOPES
    # Counted from when we asked: a slow answer must not make a token look younger than it is.
    assert before <= tokens.expires - timedelta(seconds=3599) <= datetime.now(UTC)


async def test_an_answer_without_a_new_refresh_token_keeps_the_old_one(entra):
    answer = {name: value for name, value in GOOD.items() if name != "refresh_token"}
    assert (await ask(entra, Reply(body=answer))).refresh_token is None


async def test_numbers_may_be_written_as_text_and_scopes_be_left_out(entra):
    answer = {"access_token": ACCESS_TOKEN, "expires_in": "3599"}
    tokens = await ask(entra, Reply(body=answer))
    assert tokens.scopes == ()
    assert tokens.expires > datetime.now(UTC) + timedelta(minutes=59)


@pytest.mark.fault
@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_a_refusal_is_told_with_its_number_and_patience(entra, status):
    with pytest.raises(ProviderRefused) as caught:
        await ask(entra, Reply(status, REFUSED, {"Retry-After": "120"}))
    refused = caught.value
    assert (refused.error, refused.status, refused.number) == ("invalid_grant", status, 700082)
    assert (refused.correlation_id, refused.retry_after) == ("correlation", 120.0)
    assert not [secret for secret in SECRETS if secret in told(refused)]


@pytest.mark.fault
@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, "<html><body>Service Unavailable</body></html>"),
        Reply(502, ""),
        Reply(503, {"error": "temporarily_unavailable", "error_codes": [90033]}),
    ],
    ids=["html", "nothing", "json"],
)
async def test_a_broken_entra_is_never_the_mailboxs_fault(entra, reply):
    with pytest.raises((Unavailable, ProviderRefused)) as caught:
        await ask(entra, reply)
    failed = caught.value
    if isinstance(failed, ProviderRefused):
        assert classify(failed).kind is FailureClass.TRANSIENT
    else:
        assert isinstance(failed, Unavailable)
        assert failed.code == "entra-unavailable"


@pytest.mark.fault
@pytest.mark.parametrize(
    "reply",
    [
        Reply(cut=True, body=GOOD),
        Reply(hang=True),
        Reply(body=f"<html>{ACCESS_TOKEN}</html>"),
        Reply(body=f'{{"access_token": "{ACCESS_TOKEN}", '),
        Reply(body={"expires_in": 3599, "refresh_token": NEW_TOKEN}),
        Reply(body={"access_token": ACCESS_TOKEN}),
        Reply(body=GOOD | {"expires_in": ACCESS_TOKEN[:8]}),
        Reply(body=GOOD | {"expires_in": None}),
        Reply(body=[GOOD]),
        Reply(body=None),
        Reply(body=7),
        Reply(body=""),
    ],
    ids=[
        *("cut", "silent", "html", "half", "no-token", "no-expiry", "odd-expiry", "null-expiry"),
        *("list", "null", "number", "nothing"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_tried_again(entra, reply, monkeypatch):
    monkeypatch.setattr(refresh_grant, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    with pytest.raises(Unavailable) as caught:
        await ask(entra, reply)
    assert caught.value.code == "entra-unavailable"
    assert not [secret for secret in SECRETS if secret in told(caught.value)]
    assert len(entra.asked) == 1  # nobody repeats it behind our back: the schedule does


@pytest.mark.fault
@pytest.mark.parametrize("body", ["<html>Too Many Requests</html>", "", [REFUSED], None, {}])
async def test_a_gateway_that_asks_for_patience_gets_it_whatever_its_body(entra, body):
    with pytest.raises(ProviderRefused) as caught:
        await ask(entra, Reply(429, body, {"Retry-After": "120"}))
    assert (caught.value.status, caught.value.retry_after) == (429, 120.0)
    assert classify(caught.value).cause == "throttled"


@pytest.mark.fault
async def test_nobody_there(entra):
    async with scripted_server() as gone:
        pass
    with pytest.raises(Unavailable) as caught:
        await ask(gone, Reply())
    assert not [secret for secret in SECRETS if secret in told(caught.value)]


@pytest.mark.attack
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_with_a_token(entra, status):
    async with scripted_server() as elsewhere:
        with pytest.raises((Unavailable, ProviderRefused)):
            await ask(entra, Reply(status, {}, {"Location": f"{elsewhere.url}/token"}))
        assert elsewhere.asked == []


def test_a_request_ends_before_the_lease_that_it_runs_under():
    """A lease of 30 seconds must not end while its owner still waits for Entra."""
    assert refresh_grant._TIMEOUT.total == 20

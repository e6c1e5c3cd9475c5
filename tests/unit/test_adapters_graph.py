"""What is asked of Microsoft Graph: nothing that is there is lost, and repeating is harmless."""

import base64
import hashlib
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from postern.adapters import graph
from postern.adapters.graph import GraphDirectory
from postern.errors import ProviderRefused, Unavailable
from postern.model.cloud import PUBLIC
from postern.model.secret import Secret
from postern.ports import Credential, FederatedCredential, Registration
from tests.unit.scripted_server import Reply, ScriptedServer, scripted_server

TOKEN = Secret("eyJ-graph-token")
PASSWORD = Secret("abc~pasted-secret")
CLIENT_ID = "c0000000-0000-4000-8000-0000000000aa"
APPLICATION = f"/v1.0/applications(appId='{CLIENT_ID}')"
DER = b"the bytes of a certificate"
THUMBPRINT = base64.b64encode(hashlib.sha256(DER).digest()).decode()
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
ISSUER, SUBJECT = "https://login.microsoftonline.com/tenant/v2.0", "1D00-principal"
DENIED = {"error": {"code": "Authorization_RequestDenied", "message": "alice may not"}}
PATIENT = {"client-request-id": "correlation"}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as started:
        yield started


@pytest.fixture
async def directory(server: ScriptedServer) -> AsyncIterator[GraphDirectory]:
    async with aiohttp.ClientSession() as session:
        yield GraphDirectory(session, server.url + "/")


async def add_certificate(directory: GraphDirectory) -> None:
    await directory.add_certificate(TOKEN, CLIENT_ID, name="postern", der=DER, start=START, end=END)


async def add_trust(directory: GraphDirectory) -> None:
    await directory.add_federated_credential(
        TOKEN, CLIENT_ID, name="postern", issuer=ISSUER, subject=SUBJECT
    )


def passwords(*hints: str) -> dict[str, Any]:
    return {
        "passwordCredentials": [{"hint": hint, "keyId": f"key-{n}"} for n, hint in enumerate(hints)]
    }


async def test_every_call_goes_to_the_app_itself_with_its_token(server, directory):
    server.say(Reply(body=passwords("abc")))
    await directory.password_id(TOKEN, CLIENT_ID, PASSWORD)
    (asked,) = server.asked
    assert asked.path == f"{APPLICATION}?$select=id,passwordCredentials"
    assert asked.headers["authorization"] == "Bearer eyJ-graph-token"
    assert b"pasted-secret" not in asked.body
    assert "pasted-secret" not in asked.path


async def test_a_certificate_is_added_beside_those_that_are_there(server, directory):
    there = [
        {"keyId": "1", "customKeyIdentifier": "other", "key": None, "displayName": "theirs"},
        {"keyId": "2", "customKeyIdentifier": None, "usage": "Verify"},
    ]
    server.say(Reply(body={"id": "x", "keyCredentials": there}), Reply(204))
    await add_certificate(directory)
    read, written = server.asked
    assert (read.method, read.path) == ("GET", f"{APPLICATION}?$select=id,keyCredentials")
    assert (written.method, written.path) == ("PATCH", APPLICATION)
    assert set(written.json) == {"keyCredentials"}
    *kept, added = written.json["keyCredentials"]
    assert kept == there
    assert added == {
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "key": base64.b64encode(DER).decode(),
        "customKeyIdentifier": THUMBPRINT,
        "displayName": "postern",
        "startDateTime": "2026-03-01T00:00:00+00:00",
        "endDateTime": "2027-03-01T00:00:00+00:00",
    }


async def test_the_first_certificate(server, directory):
    server.say(Reply(body={"id": "x"}), Reply(204))
    await add_certificate(directory)
    assert len(server.asked[1].json["keyCredentials"]) == 1


async def test_a_certificate_that_is_there_is_not_added_again(server, directory):
    there = [{"keyId": "1", "customKeyIdentifier": THUMBPRINT}]
    server.say(Reply(body={"id": "x", "keyCredentials": there}))
    await add_certificate(directory)
    assert [asked.method for asked in server.asked] == ["GET"]


async def test_trust_is_added_with_exactly_what_the_assertion_will_say(server, directory):
    other = {"issuer": ISSUER, "subject": SUBJECT.lower()}  # the case matters: not ours
    server.say(Reply(body={"value": [other]}), Reply(201, {"id": "new"}))
    await add_trust(directory)
    read, written = server.asked
    assert (read.method, written.method) == ("GET", "POST")
    assert read.path == written.path == f"{APPLICATION}/federatedIdentityCredentials"
    body = written.json
    assert body.pop("description")
    assert body == {
        "name": "postern",
        "issuer": ISSUER,
        "subject": SUBJECT,
        "audiences": [PUBLIC.exchange_audience],
    }


async def test_trust_that_is_there_is_not_added_again(server, directory):
    there = [{"issuer": "https://other", "subject": "x"}, {"issuer": ISSUER, "subject": SUBJECT}]
    server.say(Reply(body={"value": there}))
    await add_trust(directory)
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        ((), None),
        (("xyz",), None),
        (("ABC",), None),
        (("abc",), "key-0"),
        (("xyz", "abc"), "key-1"),
        (("abc", "abc"), None),
        (("abc", "xyz", "abc"), None),
    ],
)
async def test_a_password_is_known_by_its_hint_only_when_no_other_has_it(
    server, directory, hints, expected
):
    server.say(Reply(body=passwords(*hints)))
    assert await directory.password_id(TOKEN, CLIENT_ID, PASSWORD) == expected


async def test_a_password_without_a_hint_is_nobodys(server, directory):
    server.say(Reply(body={"passwordCredentials": [{"keyId": "1", "hint": None}]}), Reply(body={}))
    assert await directory.password_id(TOKEN, CLIENT_ID, PASSWORD) is None
    assert await directory.password_id(TOKEN, CLIENT_ID, PASSWORD) is None


async def test_a_password_is_removed_by_its_id(server, directory):
    server.say(Reply(body=passwords("abc", "xyz")), Reply(204))
    await directory.remove_password(TOKEN, CLIENT_ID, "key-1")
    removal = server.asked[1]
    assert (removal.method, removal.path) == ("POST", f"{APPLICATION}/removePassword")
    assert removal.json == {"keyId": "key-1"}


@pytest.mark.parametrize("found", [passwords("abc"), passwords(), {}])
async def test_a_password_that_is_gone_is_gone(server, directory, found):
    server.say(Reply(body=found))
    await directory.remove_password(TOKEN, CLIENT_ID, "key-7")
    assert [asked.method for asked in server.asked] == ["GET"]


SHOWN: dict[str, Any] = {
    "signInAudience": "AzureADMyOrg",
    "web": {"redirectUris": ["https://app/api/callback"]},
    "spa": {"redirectUris": ["https://spa"]},
    "publicClient": None,
    "requiredResourceAccess": [
        {
            "resourceAppId": "00000003-0000-0000-C000-000000000000",
            "resourceAccess": [
                {"id": "258F6531-6087-4cc4-bb90-092c5fb3ed3f", "type": "Scope"},
                {"id": "18a4783c-866b-4cc7-a460-3d5e5662c884", "type": "Role"},
            ],
        },
        {
            "resourceAppId": "00000002-0000-0ff1-ce00-000000000000",
            "resourceAccess": [{"id": "another-resource", "type": "Scope"}],
        },
    ],
    "passwordCredentials": [
        {"keyId": "p1", "displayName": None, "endDateTime": "2027-03-01T00:00:00.1234567Z"}
    ],
    "keyCredentials": [
        {
            "keyId": "k1",
            "displayName": "postern",
            "endDateTime": "2027-03-01T00:00:00Z",
            "key": base64.b64encode(DER).decode(),
        },
        {"keyId": "k2", "displayName": "theirs", "endDateTime": None, "key": None},
    ],
}
TRUSTS = {"value": [{"name": "postern", "issuer": ISSUER, "subject": SUBJECT, "audiences": []}]}
CONSENTS = {
    "value": [
        {"consentType": "AllPrincipals", "scope": " SMTP.Send  Mail.Send"},
        {"consentType": "Principal", "scope": "IMAP.AccessAsUser.All"},
        {"consentType": "AllPrincipals", "scope": None},
    ]
}


async def test_a_registration_is_read_as_graph_shows_it(server, directory):
    server.say(Reply(body=SHOWN), Reply(body=TRUSTS), Reply(body=CONSENTS))
    found = await directory.registration(TOKEN, CLIENT_ID)
    assert found == Registration(
        audience="AzureADMyOrg",
        web=("https://app/api/callback",),
        other_platforms=("https://spa",),
        permissions=frozenset({"258f6531-6087-4cc4-bb90-092c5fb3ed3f"}),
        passwords=(Credential(name="p1", ends=END.replace(microsecond=123456)),),
        certificates=(
            Credential(name="postern", ends=END, der=DER),
            Credential(name="theirs", ends=None, der=None),
        ),
        federated=(FederatedCredential(name="postern", issuer=ISSUER, subject=SUBJECT),),
        consented=frozenset({"SMTP.Send", "Mail.Send"}),
    )
    assert {asked.method for asked in server.asked} == {"GET"}
    assert "keyCredentials" in server.asked[0].path, "unasked, Graph leaves the bytes out"


@pytest.mark.rights
@pytest.mark.parametrize(
    "reply", [Reply(403, DENIED), Reply(body={**CONSENTS, "@odata.nextLink": "https://graph/more"})]
)
async def test_a_consent_that_is_not_wholly_seen_is_not_known(server, directory, reply):
    server.say(Reply(body=SHOWN), Reply(body=TRUSTS), reply)
    assert (await directory.registration(TOKEN, CLIENT_ID)).consented is None


@pytest.mark.fault
@pytest.mark.parametrize(
    "body", [{}, {**SHOWN, "passwordCredentials": [{}]}, {**SHOWN, "keyCredentials": ["x"]}]
)
async def test_a_registration_in_another_form_is_no_answer(server, directory, body):
    server.say(Reply(body=body), Reply(body=TRUSTS), Reply(body=CONSENTS))
    with pytest.raises(Unavailable, match="graph-failed"):
        await directory.registration(TOKEN, CLIENT_ID)


async def test_a_certificate_is_known_by_its_bytes_whatever_graph_calls_it(server, directory):
    there = [{"keyId": "1", "customKeyIdentifier": "AB12", "key": base64.b64encode(DER).decode()}]
    server.say(Reply(body={"id": "x", "keyCredentials": there}))
    await add_certificate(directory)
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.rights
@pytest.mark.parametrize("call", [add_certificate, add_trust])
@pytest.mark.parametrize("reads", [0, 1])
async def test_an_app_that_may_not_change_itself_is_told_so(server, directory, call, reads):
    allowed = [Reply(body={"value": [], "keyCredentials": []})] * reads
    server.say(*allowed, Reply(403, DENIED, PATIENT))
    with pytest.raises(ProviderRefused) as caught:
        await call(directory)
    refused = caught.value
    assert (refused.status, refused.error) == (403, "Authorization_RequestDenied")
    assert refused.correlation_id == "correlation"
    assert "alice" not in repr(refused)


@pytest.mark.parametrize("body", ["<html></html>", {}, {"error": "text"}, [1], {"error": {}}])
async def test_a_refusal_that_says_nothing_is_a_refusal(server, directory, body):
    server.say(Reply(404, body))
    with pytest.raises(ProviderRefused) as caught:
        await directory.password_id(TOKEN, CLIENT_ID, PASSWORD)
    assert (caught.value.status, caught.value.error) == (404, "unknown")


@pytest.mark.fault
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(500, DENIED), "graph-failed"),
        (Reply(503, "<html></html>"), "graph-failed"),
        (Reply(200, "<html></html>"), "graph-unreachable"),
        (Reply(200, {"id": "x"}, cut=True), "graph-unreachable"),
        (Reply(hang=True), "graph-unreachable"),
    ],
    ids=["500", "503", "html", "cut", "silent"],
)
async def test_a_graph_that_is_away_is_tried_again(server, directory, reply, code, monkeypatch):
    monkeypatch.setattr(graph, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    server.say(reply)
    with pytest.raises(Unavailable) as caught:
        await directory.password_id(TOKEN, CLIENT_ID, PASSWORD)
    assert caught.value.code == code
    text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "eyJ-graph-token" not in text
    assert "pasted-secret" not in text


@pytest.mark.attack
async def test_no_redirect_is_followed_with_a_token(server, directory):
    async with scripted_server() as elsewhere:
        server.say(Reply(302, "", {"Location": elsewhere.url}))
        with pytest.raises((Unavailable, ProviderRefused)):
            await directory.password_id(TOKEN, CLIENT_ID, PASSWORD)
        assert elsewhere.asked == []

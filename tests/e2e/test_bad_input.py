"""Bad input, each kind once: one clear body with a stable code, never a 500."""

import base64
import json
import uuid

import pytest

from local import seed

pytestmark = pytest.mark.e2e

GUID = "00000000-0000-4000-8000-000000000000"
NO_MAILBOX = "aaaaaaaa." + "A" * 43
LONG_MARK = base64.urlsafe_b64encode(
    json.dumps({"PartitionKey": "x" * 2000, "RowKey": "y"}).encode()
).decode()
DIRECT = {"direct": True, "expected_address": seed.ALICE}


def refusal(answer, status, code):
    """Check the one error body and return it."""
    assert (answer.status, answer.body["error"]) == (status, code), answer.text
    assert answer.body["description"]
    assert uuid.UUID(answer.body["id"]).version == 4
    assert answer.headers["cache-control"] == "no-store"
    return answer.body


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "body-invalid"),
        (b"{", "body-not-json"),
        (b"\xff\xfe", "body-not-json"),
        (b"[]", "body-invalid"),
        (b'"text"', "body-invalid"),
        (b"null", "body-invalid"),
        (b'{"name": 7}', "body-invalid"),
        (b'{"name": "x", "colour": "red"}', "body-invalid"),
        (b'{"name": ""}', "body-invalid"),
        (b"[" * 20_000, "body-invalid"),
        (b'{"name": ' + b"[" * 20_000, "body-invalid"),
        (b'{"return_urls": [' + b'{"a":' * 9_000, "body-invalid"),
    ],
)
def test_body_that_is_no_activation(world, raw, code):
    refusal(world.admin.call("POST", "/api/configs", raw=raw), 400, code)


def test_unknown_field_is_named(world):
    answer = world.admin.post("/api/configs", world.form(client_sekret="x"))
    assert "client_sekret" in refusal(answer, 400, "body-invalid")["description"]


def test_wrong_type_is_named(world):
    answer = world.admin.post("/api/configs", world.form(protocols="smtp"))
    assert "$.protocols" in refusal(answer, 400, "body-invalid")["description"]


def test_oversized_body(world):
    raw = json.dumps(world.form(name="x" * 70_000)).encode()
    refusal(world.admin.call("POST", "/api/configs", raw=raw), 413, "body-too-large")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "contoso"}, "client-id-malformed"),
        ({"client_id": GUID[:-1]}, "client-id-malformed"),
        ({"tenant_id": "contoso.example"}, "tenant-id-malformed"),
        ({"tenant_id": "../common"}, "tenant-id-malformed"),
        ({"client_secret": GUID}, "secret-id-pasted"),
        ({"client_secret": f" {GUID.upper()} "}, "secret-id-pasted"),
        ({"client_secret": ""}, "secret-malformed"),
        ({"client_secret": "two words of text"}, "secret-malformed"),
        ({"client_secret": "ends-in-a-newline\n"}, "secret-malformed"),
        ({"accent": "red"}, "accent-malformed"),
        ({"support": "not an address"}, "support-malformed"),
        ({"return_urls": ["http://app.example/done"]}, "return-url-malformed"),
        ({"return_urls": ["https://good.example\\@evil.example/"]}, "return-url-malformed"),
        ({"return_urls": ["https://user@evil.example/"]}, "return-url-malformed"),
        ({"return_urls": ["//evil.example"]}, "return-url-malformed"),
        ({"allowed_tenants": ["fabrikam"]}, "allowed-tenants-malformed"),
        ({"protocols": []}, "protocols-missing"),
        ({"credential": "password"}, "body-invalid"),
        ({"audience": "everybody"}, "body-invalid"),
    ],
)
def test_form_that_no_entra_could_accept(world, changes, code):
    answer = world.admin.post("/api/configs", world.form(**changes))
    refusal(answer, 400, code)


def test_secret_id_is_explained(world):
    answer = world.admin.post("/api/configs", world.form(client_secret=GUID))
    assert "Value" in answer.body["description"]
    assert GUID not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/configs/nosuch22", None),
        ("GET", "/api/configs/nosuch22/receipt", None),
        ("POST", "/api/configs/nosuch22/verify", {}),
        ("POST", "/api/configs/nosuch22/links", {}),
        ("GET", "/api/configs/nosuch22/links", None),
        ("GET", "/api/mailboxes?config=nosuch22", None),
        ("GET", "/api/mailboxes?config=%00", None),
        ("PATCH", "/api/configs/nosuch22", {"paused": True}),
        ("POST", "/api/configs/nosuch22/activate", {}),
        ("DELETE", "/api/configs/nosuch22", None),
        ("POST", "/api/keys", {"name": "x", "role": "sender", "config": "nosuch22"}),
    ],
)
def test_unknown_config(world, method, path, body):
    refusal(world.admin.call(method, path, body), 404, "config-unknown")


@pytest.mark.parametrize("text", ["nosuch22", "a'b", "%23", "..%2Fconfigs", "x" * 900, "~"])
def test_odd_config_ids_are_unknown_or_unrouted(world, text):
    answer = world.admin.get(f"/api/configs/{text}")
    assert answer.status in {400, 404}, answer.text


def test_unknown_link(world):
    path = f"/api/configs/{world.config}/links/{'A' * 43}"
    refusal(world.admin.delete(path), 404, "link-unknown")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_mailbox(world, method):
    refusal(world.admin.call(method, f"/api/mailboxes/{NO_MAILBOX}"), 404, "mailbox-unknown")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_malformed_mailbox(world, method):
    answer = world.admin.call(method, "/api/mailboxes/alice@fabrikam.example")
    refusal(answer, 400, "mailbox-malformed")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "config-missing"),
        ("?config=", "config-missing"),
        ("?config={c}&limit=0", "limit-out-of-range"),
        ("?config={c}&limit=1001", "limit-out-of-range"),
        ("?config={c}&limit=ten", "limit-out-of-range"),
        ("?config={c}&mark=forged", "mark-malformed"),
        ("?config={c}&mark=e30=", "mark-malformed"),
        ("?config={c}&mark=" + LONG_MARK, "mark-malformed"),
    ],
)
def test_list_that_cannot_be(world, query, code):
    answer = world.admin.get("/api/mailboxes" + query.replace("{c}", world.config))
    refusal(answer, 400, code)


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"protocol": "pop"}, 400, "body-invalid"),
        ({"minimum_seconds": 3301}, 400, "minimum-seconds-out-of-range"),
        ({"minimum_seconds": -1}, 400, "minimum-seconds-out-of-range"),
        ({"minimum_seconds": "300"}, 400, "body-invalid"),
        ({"mailbox": "alice@fabrikam.example"}, 400, "mailbox-malformed"),
        ({}, 404, "mailbox-unknown"),
    ],
)
def test_token_that_cannot_be(world, wish, status, code):
    body = {"mailbox": NO_MAILBOX, "protocol": "smtp", **wish}
    refusal(world.sender.post("/api/token", body), status, code)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"uses": 0}, "body-invalid"),
        ({"expires_in": 10**15}, "body-invalid"),
        ({"note": "a\u0000b"}, "body-invalid"),
        ({"expires_in": 1}, "expiry-out-of-range"),
        ({"expires_in": 10**9}, "expiry-out-of-range"),
        ({"expected_address": "alice"}, "address-malformed"),
        ({"expected_tenant": "fabrikam"}, "expected-tenant-malformed"),
        ({"return_url": "https://app.contoso.example/done/"}, "return-url-not-listed"),
        ({"direct": True}, "direct-link-unbound"),
        ({"direct": True, "expected_address": seed.ALICE, "uses": 2}, "direct-link-uses"),
        (
            {"direct": True, "expected_address": seed.ALICE, "expires_in": 601},
            "expiry-out-of-range",
        ),
        ({"protocols": []}, "body-invalid"),
        ({"client": "Not A Word"}, "body-invalid"),
    ],
)
def test_link_that_cannot_be(world, wish, code):
    refusal(world.admin.post(f"/api/configs/{world.config}/links", wish), 400, code)


def test_link_of_a_config_that_is_not_active(world):
    answer = world.admin.post(
        "/api/configs",
        world.form(client_id=seed.FABRIKAM_MAIL, tenant_id=seed.FABRIKAM, audience="tenant"),
    )
    assert answer.status == 202, answer.text
    refused = world.admin.post(f"/api/configs/{answer.body['id']}/links", {})
    refusal(refused, 409, "config-not-active")


def test_bootstrap_happens_once(world):
    key = world.stack.deployment.function_key
    answer = world.api.post("/api/keys/bootstrap", {}, x_functions_key=key)
    refusal(answer, 409, "already-bootstrapped")


def test_client_key_without_bounds(world):
    refusal(world.admin.post("/api/keys", {"name": "x", "role": "client"}), 400, "client-unbound")


def test_unknown_key_id(world):
    refusal(world.admin.delete("/api/keys/nosuchkeyid0"), 404, "key-not-found")

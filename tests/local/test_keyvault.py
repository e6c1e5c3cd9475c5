"""The vault stand-in is as strict as the service, where being lax would hide a fault of the app."""

import base64
import json
import os
import socket
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.secrets import SecretClient

from tests.local.issuer import TENANT, Issuer, issuer, stand_in

OWNER, SIGNER, STRANGER = (str(uuid.uuid4()) for _ in range(3))
VERSION = "api-version=7.6"


class FixedToken:
    """A credential that has its token already, and counts how often it is asked."""

    def __init__(self, token: str) -> None:
        self._token, self.asked = token, 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += 1
        return AccessToken(self._token, int(time.time()) + 3600)


@dataclass(frozen=True)
class Stack:
    issuer: Issuer
    url: str

    def options(self) -> dict[str, Any]:
        return {
            "verify_challenge_resource": False,
            "connection_verify": str(self.issuer.ca),
            "retry_total": 0,
        }

    def secrets(self, oid: str = OWNER, **claims: Any) -> SecretClient:
        token = FixedToken(self.issuer.token(oid=oid, **claims))
        return SecretClient(self.url, token, **self.options())

    def keys(self, oid: str = OWNER) -> KeyClient:
        return KeyClient(self.url, FixedToken(self.issuer.token(oid=oid)), **self.options())

    def crypto(self, key_id: str, oid: str) -> CryptographyClient:
        token = FixedToken(self.issuer.token(oid=oid))
        return CryptographyClient(key_id, token, **self.options())

    def call(
        self, method: str, path: str, token: str | None = None, json: Any = None
    ) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return requests.request(
            method,
            self.url + path,
            headers=headers,
            json=json,
            verify=str(self.issuer.ca),
            timeout=10,
        )

    def control(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.call("POST", f"/_control/{path}", json=body)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def found(self, needle: bytes) -> bool:
        found = self.control("search", {"needle": base64.b64encode(needle).decode()})
        return bool(found["found"])


def rights() -> list[str]:
    return [
        *("--vault", "intake", "--tenant", TENANT, "--deletion-delay", "0.1"),
        *("--allow", f"{OWNER}=secrets/*,keys/*"),
        *("--allow", f"{SIGNER}=keys/sign,keys/wrap,keys/unwrap"),
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuer(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(made: Issuer) -> Iterator[Stack]:
    with stand_in("local.keyvault", made, *rights()) as ready:
        yield Stack(made, ready.split()[0])


@pytest.fixture
def name() -> str:
    return f"intake-{uuid.uuid4().hex}"


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.03)


def test_without_a_token_there_is_a_challenge_and_nothing_else(stack: Stack, name: str):
    answer = stack.call("PUT", f"/secrets/{name}?{VERSION}", json={"value": "x"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer authorization="{stack.issuer.url}/{TENANT}", resource="https://vault.azure.net"'
    )
    with pytest.raises(ResourceNotFoundError):
        stack.secrets().get_secret(name)


def test_the_sync_client_passes_the_challenge_once_and_keeps_its_token(stack: Stack, name: str):
    credential = FixedToken(stack.issuer.token(oid=OWNER))
    with SecretClient(stack.url, credential, **stack.options()) as client:
        client.set_secret(name, "value")
        assert client.get_secret(name).value == "value"
    assert credential.asked == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://management.azure.com"},
        {"exp": int(time.time()) - 1},
        {"nbf": int(time.time()) + 600},
        {"tid": str(uuid.UUID(int=1)), "iss": f"https://sts.windows.net/{uuid.UUID(int=1)}/"},
        {"iss": "https://login.example.com/"},
        {"oid": None},
        {"forged": True},
    ],
    ids=["audience", "expired", "early", "tenant", "issuer", "oid", "forged"],
)
def test_a_token_that_is_wrong_in_one_thing_is_refused(stack: Stack, claims: dict[str, Any]):
    with pytest.raises(ClientAuthenticationError):
        stack.secrets(**claims).get_secret("any")


def test_a_token_without_signature_is_refused(stack: Stack):
    good = stack.issuer.token(oid=OWNER)
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]
    unsigned = jwt.encode(claims, "", "none", headers={"kid": kid})
    for bad in (unsigned, good.rpartition(".")[0] + ".", "nonsense"):
        assert stack.call("GET", f"/secrets?{VERSION}", bad).status_code == 401
    assert stack.call("GET", f"/secrets?{VERSION}", good).status_code == 200


def test_a_token_of_the_v2_issuer_is_accepted(stack: Stack, name: str):
    client = stack.secrets(iss=f"{stack.issuer.url}/{TENANT}/v2.0")
    assert client.set_secret(name, "value").value == "value"


def test_new_signing_keys_are_fetched_when_a_token_names_one(stack: Stack):
    stack.secrets().list_properties_of_secrets().next()
    before = stack.issuer.fetches
    stack.secrets().list_properties_of_secrets().next()
    assert stack.issuer.fetches == before
    kid = stack.issuer.new_key()
    stack.secrets(kid=kid).list_properties_of_secrets().next()
    assert stack.issuer.fetches == before + 1


def test_the_api_version_is_required_and_must_be_one(stack: Stack):
    token = stack.issuer.token(oid=OWNER)
    for query in ("", "?api-version=latest"):
        answer = stack.call("GET", f"/secrets{query}", token)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")


def test_who_has_no_right_gets_key_vaults_refusal(stack: Stack, name: str):
    with pytest.raises(HttpResponseError) as refused:
        stack.secrets(STRANGER).set_secret(name, "value")
    assert refused.value.status_code == 403
    assert refused.value.response is not None
    error = json.loads(refused.value.response.text())["error"]
    assert (error["code"], error["innererror"]) == ("Forbidden", {"code": "ForbiddenByRbac"})
    assert "vaults/secrets/setSecret/action" in error["message"]
    with pytest.raises(ResourceNotFoundError):
        stack.secrets().get_secret(name)


def test_a_right_may_be_given_and_taken_while_it_runs(stack: Stack, name: str):
    caller = str(uuid.uuid4())
    stack.control("permissions", {"oid": caller, "allow": ["secrets/set"]})
    stack.secrets(caller).set_secret(name, "value")
    with pytest.raises(HttpResponseError, match="Caller is not authorized"):
        stack.secrets(caller).get_secret(name)
    stack.control("permissions", {"oid": caller, "allow": []})
    with pytest.raises(HttpResponseError, match="Caller is not authorized"):
        stack.secrets(caller).set_secret(name, "value")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("under_score", {"value": "x"}),
        ("a" * 128, {"value": "x"}),
        ("large", {"value": "x" * (25 * 1024 + 1)}),
        ("none", {}),
        ("typed", {"value": 5}),
        ("tags", {"value": "x", "tags": {str(i): "" for i in range(16)}}),
        ("exp", {"value": "x", "attributes": {"exp": "tomorrow"}}),
        ("exp", {"value": "x", "attributes": {"exp": 10, "nbf": 20}}),
    ],
)
def test_a_malformed_secret_is_refused(stack: Stack, path: str, body: dict[str, Any]):
    token = stack.issuer.token(oid=OWNER)
    answer = stack.call("PUT", f"/secrets/{path}?{VERSION}", token, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")


def test_deletion_takes_a_moment_and_cannot_be_overtaken(stack: Stack, name: str):
    """Whoever deletes, purges and sets without waiting meets 404 and 409 in between."""
    client, token = stack.secrets(), stack.issuer.token(oid=OWNER)
    client.set_secret(name, "value")
    assert stack.call("DELETE", f"/secrets/{name}?{VERSION}", token).status_code == 200
    with pytest.raises(ResourceNotFoundError, match="Deleted Secret not found"):
        client.get_deleted_secret(name)
    with pytest.raises(ResourceExistsError, match="being deleted"):
        client.purge_deleted_secret(name)

    def visible() -> bool:
        return stack.call("GET", f"/deletedsecrets/{name}?{VERSION}", token).ok

    eventually(visible)
    client.purge_deleted_secret(name)
    assert visible(), "a purge is accepted first and done later"
    eventually(lambda: not visible())
    with pytest.raises(ResourceExistsError, match="being deleted"):
        client.set_secret(name, "too early")
    eventually(
        lambda: stack.call("PUT", f"/secrets/{name}?{VERSION}", token, json={"value": "new"}).ok
    )


def test_what_is_deleted_can_be_found_until_it_is_purged(stack: Stack, name: str):
    client, value = stack.secrets(), os.urandom(16).hex()
    client.set_secret(name, f"begin {value} end")
    encoded = f"{name}-encoded"
    inside = os.urandom(16)
    client.set_secret(encoded, base64.b64encode(b"x" + inside + b"yz").decode())
    assert stack.found(value.encode())
    assert stack.found(inside)
    for held, needle in ((name, value.encode()), (encoded, inside)):
        client.begin_delete_secret(held, _polling_interval=0.05).wait()
        assert stack.found(needle)
        client.purge_deleted_secret(held)
        eventually(partial(lambda sought: not stack.found(sought), needle))


def test_retention_ends_what_nobody_purged(stack: Stack, name: str, made: Issuer):
    with stand_in("local.keyvault", made, *rights()) as ready:
        own = Stack(made, ready.split()[0])
        own.secrets().set_secret(name, "forgotten-value")
        own.secrets().begin_delete_secret(name, _polling_interval=0.05).wait()
        own.control("clock", {"advance": 6.9 * 86400})
        assert own.found(b"forgotten-value")
        own.control("clock", {"advance": 0.2 * 86400})
        assert not own.found(b"forgotten-value")


def test_purge_protection_refuses_a_purge_and_says_why(made: Issuer, name: str):
    options = [*rights(), "--purge-protection", "--retention-days", "90"]
    with stand_in("local.keyvault", made, *options) as ready:
        client = Stack(made, ready.split()[0]).secrets()
        client.set_secret(name, "value")
        client.begin_delete_secret(name, _polling_interval=0.05).wait()
        assert client.get_deleted_secret(name).properties.recovery_level == "Recoverable"
        with pytest.raises(HttpResponseError, match="purge protection is enabled") as refused:
            client.purge_deleted_secret(name)
        assert refused.value.status_code == 403
        assert client.get_deleted_secret(name).name == name


def test_throttling_says_when_to_come_back_and_ends(stack: Stack, name: str):
    stack.control(
        "faults", {"operation": "secrets/set", "times": 2, "status": 429, "retry_after": 1}
    )
    for _ in range(2):
        with pytest.raises(HttpResponseError, match="too many requests") as refused:
            stack.secrets().set_secret(name, "value")
        assert refused.value.status_code == 429
        answer: Any = refused.value.response
        assert answer.headers["Retry-After"] == "1"
    assert stack.secrets().set_secret(name, "value").value == "value"


def test_a_lost_response_leaves_the_operation_done(stack: Stack, name: str):
    stack.control("faults", {"operation": "secrets/set", "lose_response": True})
    token = stack.issuer.token(oid=OWNER)
    with pytest.raises(requests.ConnectionError):
        stack.call("PUT", f"/secrets/{name}?{VERSION}", token, json={"value": "kept"})
    assert stack.secrets().get_secret(name).value == "kept"


def test_a_misspelt_fault_is_refused_and_faults_can_be_cleared(stack: Stack, name: str):
    assert stack.call("POST", "/_control/faults", json={"stauts": 429}).status_code == 400
    stack.control("faults", {"times": 5, "status": 503})
    assert stack.call("DELETE", "/_control/faults").status_code == 204
    assert stack.secrets().set_secret(name, "value").value == "value"


def test_operations_are_counted_and_named_but_never_with_a_value(stack: Stack, name: str):
    stack.call("DELETE", "/_control/operations")
    stack.secrets().set_secret(name, "never-in-the-log")
    with pytest.raises(HttpResponseError):
        stack.secrets(STRANGER).get_secret(name)
    log = stack.call("GET", "/_control/operations")
    assert log.json()["counts"] == {"secrets/set": 1, "secrets/get": 1}
    told = [(o["operation"], o["name"], o["caller"], o["status"]) for o in log.json()["operations"]]
    assert told == [
        ("secrets/set", name, OWNER, 200),
        ("secrets/get", name, STRANGER, 403),
    ]
    assert "never-in-the-log" not in log.text


def test_a_caller_who_may_only_use_a_key_uses_it_without_reading_or_making_one(stack: Stack):
    """The application's rights: sign, wrap and unwrap with what the deployment made."""
    key = stack.control("keys", {"name": "data-wrapping", "ops": ["wrapKey", "unwrapKey"]})
    again = stack.control("keys", {"name": "data-wrapping"})
    assert again["key"]["kid"] == key["key"]["kid"], "a second deployment changes nothing"
    with pytest.raises(HttpResponseError, match="Caller is not authorized"):
        stack.keys(SIGNER).create_rsa_key("mine")
    # Without keys/get the SDK cannot wrap locally, so both halves happen in the vault.
    with stack.crypto(f"{stack.url}/keys/data-wrapping", SIGNER) as crypto:
        wrapped = crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep, b"k" * 32)
        assert crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped.encrypted_key).key == b"k" * 32
        with pytest.raises(HttpResponseError, match="not permitted on this key"):
            crypto.sign(SignatureAlgorithm.ps256, b"d" * 32)
    with stack.crypto(key["key"]["kid"], OWNER) as crypto:
        opened = crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped.encrypted_key)
    assert opened.key == b"k" * 32


def test_no_private_key_leaves(stack: Stack):
    stack.control("keys", {"name": "client-assertion", "ops": ["sign"]})
    with pytest.raises(HttpResponseError) as refused:
        stack.keys().backup_key("client-assertion")
    assert refused.value.status_code == 400
    token = stack.issuer.token(oid=OWNER)
    read = stack.call("GET", f"/keys/client-assertion?{VERSION}", token).json()
    assert set(read["key"]) == {"kid", "kty", "key_ops", "n", "e"}


@pytest.mark.parametrize(("shift", "inner"), [(-60, "KeyExpired"), (None, "KeyDisabled")])
def test_an_expired_or_disabled_key_does_not_sign(
    stack: Stack, name: str, shift: int | None, inner: str
):
    attributes = {"enabled": False} if shift is None else {"exp": int(time.time()) + shift}
    token = stack.issuer.token(oid=OWNER)
    body = {"kty": "RSA", "attributes": attributes}
    made = stack.call("POST", f"/keys/{name}/create?{VERSION}", token, json=body)
    assert made.ok
    digest = base64.urlsafe_b64encode(b"d" * 32).rstrip(b"=").decode()
    answer = stack.call(
        "POST",
        f"/keys/{name}//sign?{VERSION}",
        token,
        json={"alg": "PS256", "value": digest},
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["innererror"] == {"code": inner}


def test_a_restart_loses_nothing_and_a_purge_reaches_the_file(
    made: Issuer, tmp_path: Path, name: str
):
    state, value = tmp_path / "state" / "vault.json", os.urandom(16).hex()
    options = [*rights(), "--state", str(state)]
    with stand_in("local.keyvault", made, *options) as ready:
        first = Stack(made, ready.split()[0])
        first.secrets().set_secret(name, value, tags={"config": "c1"})
        first.secrets().set_secret(f"{name}-deleted", f"{value}-twin")
        first.secrets().begin_delete_secret(f"{name}-deleted", _polling_interval=0.05).wait()
        key = first.control("keys", {"name": "receipts", "ops": ["sign", "verify"]})
        with first.crypto(key["key"]["kid"], SIGNER) as crypto:
            signed = crypto.sign(SignatureAlgorithm.rs256, b"d" * 32).signature
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    leftover = state.parent / ".vault.json.killed.tmp"
    leftover.write_text(value)

    with stand_in("local.keyvault", made, *options) as ready:
        second = Stack(made, ready.split()[0])
        client, version = second.secrets(), key["key"]["kid"].rpartition("/")[2]
        assert not leftover.exists(), "what a killed writer left is removed"
        assert client.get_secret(name).properties.tags == {"config": "c1"}
        assert client.get_deleted_secret(f"{name}-deleted").name == f"{name}-deleted"
        with second.crypto(f"{second.url}/keys/receipts/{version}", OWNER) as crypto:
            assert crypto.verify(SignatureAlgorithm.rs256, b"d" * 32, signed).is_valid
        client.begin_delete_secret(name, _polling_interval=0.05).wait()
        for held in (name, f"{name}-deleted"):
            client.purge_deleted_secret(held)
        eventually(lambda: value not in state.read_text())
        assert not second.found(value.encode())
    assert list(state.parent.iterdir()) == [state]
    assert value not in state.read_text()


def test_it_ends_when_its_parent_is_gone(made: Issuer):
    """A killed test run leaves no server, and no secret in its memory, behind."""
    parent = (
        "import subprocess, sys\n"
        "print(subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE).stdout.readline())"
    )
    command = [sys.executable, "-m", "local.keyvault", "--port", "0", "--entra", made.url]
    command += ["--cert", str(made.cert), "--key", str(made.key), *rights()]
    started = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", parent, *command],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    port = int(started.stdout.split("127.0.0.1:")[1].split()[0])

    def ended() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    eventually(ended)

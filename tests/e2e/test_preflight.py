"""Preflight and the certificate's file, over HTTP and against the stand-ins."""

import base64
import ssl
import urllib.request

import pytest
from cryptography import x509

from local import seed

pytestmark = pytest.mark.e2e

REGISTERED = {
    "client-secrets",
    "other-credentials",
    "redirect-uri",
    "permissions",
    "consent",
    "audience",
}


def new_app(world, **changes):
    wanted = {
        "tenant": seed.CONTOSO,
        "display_name": "Preflight",
        "audience": "AzureADMultipleOrgs",
        "redirect_uris": [f"{world.stack.deployment.base_url}/api/callback"],
        "delegated": list(seed.DELEGATED),
        "application_permissions": ["Application.ReadWrite.OwnedBy"],
        "owns_itself": True,
    }
    return world.stack.entra.post("apps", **{**wanted, **changes})["client_id"]


def activate(world, client_id, **changes):
    answer = world.admin.post("/api/configs", world.form(client_id=client_id, **changes))
    assert answer.status in (201, 202), answer.text
    return answer.body


def preflight(world, config):
    answer = world.admin.get(f"/api/configs/{config}/preflight")
    assert answer.status == 200, answer.text
    assert answer.body["config"] == config
    assert answer.body["correlation_id"]
    for check in answer.body["checks"]:
        assert set(check) == {"name", "result", "why", "repair"}
    return {check["name"]: check for check in answer.body["checks"]}


def download(world, path):
    """Return the answer's headers and its bytes."""
    request = urllib.request.Request(  # noqa: S310 - https, to the local stack
        world.stack.deployment.base_url + path,
        headers={"Authorization": f"Bearer {world.admin.key}"},
    )
    trust = ssl.create_default_context(cafile=world.stack.certificates.ca)
    with urllib.request.urlopen(request, context=trust, timeout=30) as answer:  # noqa: S310
        return answer.headers, answer.read()


def test_app_that_is_as_it_should_be(calm):
    client_id = new_app(calm)
    config = activate(calm, client_id, client_secret=calm.new_secret(client_id))
    found = preflight(calm, config["id"])
    results = {name: check["result"] for name, check in found.items()}
    # The stand-in gives the right to read consents to nobody who does not ask for it.
    assert results.pop("consent") == "not-checked"
    assert set(results.values()) == {"ok"}, found


def test_every_fault_has_its_repair(calm):
    client_id = new_app(
        calm,
        audience="AzureADMyOrg",
        redirect_uris=["https://elsewhere.example/api/callback"],
        delegated=["Mail.Send", "offline_access"],
        application_permissions=["Application.ReadWrite.OwnedBy", "Directory.Read.All"],
    )
    config = activate(calm, client_id, client_secret=calm.new_secret(client_id))
    calm.new_secret(client_id, display_name="forgotten")
    found = preflight(calm, config["id"])
    faults = {name for name, check in found.items() if check["result"] == "failed"}
    assert faults == {"client-secrets", "redirect-uri", "permissions", "consent", "audience"}
    assert all(found[name]["repair"] for name in faults)
    assert "forgotten" in found["client-secrets"]["why"]
    assert "SMTP.Send" in found["permissions"]["why"]
    assert "Mail.Send" not in found["permissions"]["why"]


@pytest.mark.rights
def test_app_that_may_not_read_itself(calm):
    """Nothing that Graph did not show is called ok."""
    client_id = new_app(calm, application_permissions=[], owns_itself=False)
    config = activate(calm, client_id)
    assert config["state"] == "awaiting-trust"
    waiting = preflight(calm, config["id"])
    assert waiting["credential"]["result"] == "failed"
    assert {waiting[name]["result"] for name in REGISTERED} == {"not-checked"}
    fields = config["trust_to_add"]["fields"]
    calm.stack.entra.post(f"apps/{client_id}/federations", **fields)
    found = preflight(calm, config["id"])
    assert found["credential"]["result"] == "ok"
    assert {found[name]["result"] for name in REGISTERED} == {"not-checked"}
    assert all("403" in found[name]["why"] for name in REGISTERED)


@pytest.mark.fault
def test_app_that_is_disabled(calm):
    client_id = new_app(calm)
    config = activate(calm, client_id, client_secret=calm.new_secret(client_id))
    calm.stack.entra.patch(f"apps/{client_id}", disabled=True)
    found = preflight(calm, config["id"])
    assert (found["tenant"]["result"], found["app"]["result"]) == ("ok", "failed")
    assert {found[name]["result"] for name in REGISTERED} == {"not-checked"}


def test_certificate_as_a_file_makes_the_app_trust_us(calm):
    client_id = new_app(calm, application_permissions=[], owns_itself=False)
    config = activate(calm, client_id, credential="certificate")
    assert config["state"] == "awaiting-trust"
    headers, der = download(calm, f"/api/configs/{config['id']}/certificate")
    assert headers["Content-Type"] == "application/pkix-cert"
    assert headers["Content-Disposition"] == f'attachment; filename="postern-{config["id"]}.cer"'
    assert headers["Cache-Control"] == "no-store"
    parsed = x509.load_der_x509_certificate(der)
    assert config["id"] in parsed.subject.rfc4514_string()
    key = base64.b64encode(der).decode()
    calm.stack.entra.post(f"apps/{client_id}/certificates", key=key)
    verified = calm.admin.post(f"/api/configs/{config['id']}/verify")
    assert (verified.status, verified.body["state"]) == (200, "active"), verified.text
    shown = calm.admin.get(f"/api/configs/{config['id']}").body
    assert 360 < shown["credential_ends_in_days"] <= 365
    assert (shown["mailboxes_depending"], shown["clients_depending"]) == ("0", "0")
    assert "certificate_to_add" not in shown


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("", 404, "certificate-none"), ("?which=next", 404, "certificate-none"),
     ("?which=x", 400, "which-unknown")],
)  # fmt: skip
def test_certificate_that_there_is_none_of(world, query, status, code):
    answer = world.admin.get(f"/api/configs/{world.config}/certificate{query}")
    assert (answer.status, answer.body["error"]) == (status, code)
    shown = world.admin.get(f"/api/configs/{world.config}").body
    assert "credential_ends_in_days" not in shown, "a managed identity does not end"


@pytest.mark.parametrize("what", ["preflight", "certificate"])
def test_config_that_there_is_none_of(world, what):
    answer = world.admin.get(f"/api/configs/zzzzzzzz/{what}")
    assert (answer.status, answer.body["error"]) == (404, "config-unknown")

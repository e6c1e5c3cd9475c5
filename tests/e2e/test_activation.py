"""Activation over HTTP: what an admin is told when it fails, and that the secret is gone anyway."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from local import seed, traces

pytestmark = pytest.mark.e2e


@pytest.fixture
def entra(calm):
    return calm.stack.entra


def activate(world, **changes):
    return world.admin.post("/api/configs", world.form(**changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_secret": "wrong~but-well-formed~0123456789"}, "credential-wrong"),
        ({"client_id": "c0000000-0000-4000-8000-00000000dead"}, "app-unknown"),
        ({"tenant_id": "c0000000-0000-4000-8000-00000000dead"}, "tenant-unknown"),
    ],
)
def test_explained_failure(calm, changes, code):
    secret = changes.get("client_secret") or calm.new_secret()
    answer = activate(calm, **{"client_secret": secret, **changes})
    assert (answer.status, answer.body["error"]) == (422, code), answer.text
    assert answer.body["correlation_id"] or code == "tenant-unknown"
    assert secret not in answer.text
    config = calm.admin.get(f"/api/configs/{answer.body['config']}").body
    assert (config["state"], config["problem"]["code"]) == ("failed", code)
    claims = calm.admin.get(f"/api/configs/{answer.body['config']}/receipt").body["claims"]
    assert claims["gone_at"]
    assert "replaced by a proven credential" in claims["not_done"]
    assert traces.find(calm.stack, secret) == []


def test_expired_secret(calm):
    secret = calm.new_secret(ends_in=-5)
    answer = activate(calm, client_secret=secret)
    assert answer.body["error"] == "credential-expired"
    assert traces.find(calm.stack, secret) == []


def test_search_finds_what_is_there(calm):
    """The search for traces is no test unless it can find something."""
    assert any("configs" in place for place in traces.find(calm.stack, calm.config))
    planted = calm.stack.folder / "planted"
    planted.write_bytes(b"xx" + b"c29tZSB0ZXh0LCBwbGFudGVk" + b"xx")  # some text, planted
    try:
        assert traces.find(calm.stack, "some text, planted") == ["planted"]
    finally:
        planted.unlink()


def test_without_a_secret_when_trusted_before(calm):
    """The app already trusts the managed identity: nothing is pasted, nothing is to remove."""
    answer = activate(calm)
    assert (answer.status, answer.body["state"]) == (201, "active")
    receipt = calm.admin.get(f"/api/configs/{answer.body['id']}/receipt")
    assert receipt.body["error"] == "receipt-none"


def test_trust_by_hand(calm):
    """The fields that the answer gives are enough for an admin without any secret."""
    app = calm.new_app("By hand", may_change_itself=False)
    answer = activate(calm, client_id=app)
    assert (answer.status, answer.body["state"]) == (202, "awaiting-trust"), answer.text
    path = f"/api/configs/{answer.body['id']}/verify"
    assert calm.admin.post(path).status == 202
    fields = answer.body["trust_to_add"]["fields"]
    calm.stack.entra.post(f"apps/{app}/federations", **fields)
    assert calm.admin.post(path).body["state"] == "active"


def test_replication_delay_is_waited_for(calm):
    """Entra knows a new credential only after a while; the secret is removed without waiting."""
    app = calm.new_app("Slow")
    calm.stack.entra.post("settings", federation_delay=4)
    try:
        secret = calm.new_secret(app)
        answer = activate(calm, client_id=app, client_secret=secret)
    finally:
        calm.stack.entra.post("settings", federation_delay=0)
    assert answer.body["state"] == "active", answer.text
    claims = calm.admin.get(f"/api/configs/{answer.body['id']}/receipt").body["claims"]
    assert claims["not_done"] == []
    assert claims["gone_at"] < claims["proven_at"]


def test_managed_identity_for_a_foreign_app_is_explained(calm):
    """Entra would accept the credential silently and refuse every exchange, so we say it first."""
    answer = activate(calm, tenant_id=seed.FABRIKAM, credential="managed-identity")
    assert (answer.status, answer.body["error"]) == (400, "identity-other-tenant"), answer.text
    assert "certificate" in answer.body["description"]


@pytest.mark.fault
def test_vault_that_fails_leaves_nothing(calm):
    secret = calm.new_secret()
    calm.stack.intake_vault.post("faults", operation="secrets/set", times=10, status=500)
    answer = activate(calm, client_secret=secret)
    assert (answer.status, answer.body["error"]) == (503, "vault-failed")
    assert traces.find(calm.stack, secret) == []


@pytest.mark.fault
def test_entra_that_is_down_leaves_nothing(calm):
    secret = calm.new_secret()
    calm.stack.entra.post("faults", endpoint="token", times=3, status=503)
    answer = activate(calm, client_secret=secret)
    assert (answer.status, answer.body["error"]) == (503, "entra-unavailable"), answer.text
    assert traces.find(calm.stack, secret) == []


@pytest.mark.crash
def test_killed_activation_is_swept(calm):
    """The app dies while it holds the secret; after the deadline the sweeper removes it."""
    secret = calm.new_secret()
    calm.stack.entra.post("faults", endpoint="token", times=1, latency=8)
    with ThreadPoolExecutor(1) as pool:
        cut_off = pool.submit(activate, calm, client_secret=secret)
        _wait_until(lambda: traces.find(calm.stack, secret) == ["intake vault"])
        calm.stack.kill_app()
        with pytest.raises(OSError):  # noqa: PT011 - whichever way the connection broke
            cut_off.result()
    calm.stack.start_app()
    configs = calm.admin.get("/api/configs").body["configs"]
    stuck = next(each["id"] for each in configs if each["state"] == "validating")
    _wait_until(lambda: _swept(calm, stuck))
    assert traces.find(calm.stack, secret) == []
    config = calm.admin.get(f"/api/configs/{stuck}").body
    assert config["problem"]["code"] == "activation-interrupted"
    assert "secret_removal_deadline" not in config
    claims = calm.admin.get(f"/api/configs/{stuck}/receipt").body["claims"]
    assert claims["closed_by"] == "swept"
    assert claims["gone_at"]


def _swept(world, config):
    world.run_timer("sweep_timer")
    return world.admin.get(f"/api/configs/{config}").body["state"] == "failed"


def _wait_until(fact):
    deadline = time.monotonic() + 15
    while not fact():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)

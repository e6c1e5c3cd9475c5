"""Who may call what: every route without a key, with a wrong one, and with each role's."""

import zlib

import pytest

from local import seed

pytestmark = [pytest.mark.e2e, pytest.mark.rights]

WELL_FORMED = "A" * 43
UNKNOWN_KEY = f"postern_{WELL_FORMED}{zlib.crc32(WELL_FORMED.encode()):08x}"
NO_MAILBOX = "aaaaaaaa." + "A" * 43

# Each protected route, and which roles get past the question "may it?" (whatever comes then).
ROUTES = {
    ("POST", "/api/keys"): {"admin"},
    ("GET", "/api/keys"): {"admin"},
    ("DELETE", "/api/keys/none"): {"admin"},
    ("POST", "/api/configs"): {"admin"},
    ("GET", "/api/configs"): {"admin"},
    ("GET", "/api/configs/{c}"): {"admin"},
    ("PATCH", "/api/configs/{c}"): {"admin"},
    ("POST", "/api/configs/{c}/activate"): {"admin"},
    ("DELETE", "/api/configs/nosuch22"): {"admin"},
    ("POST", "/api/configs/{c}/verify"): {"admin"},
    ("GET", "/api/configs/{c}/receipt"): {"admin"},
    ("GET", "/api/configs/{c}/preflight"): {"admin"},
    ("GET", "/api/configs/{c}/certificate"): {"admin"},
    ("POST", "/api/configs/{c}/links"): {"admin", "client"},
    ("GET", "/api/configs/{c}/links"): {"admin", "client"},
    ("DELETE", "/api/configs/{c}/links/none"): {"admin", "client"},
    ("GET", "/api/setup?name=x"): {"admin"},
    ("GET", "/api/mailboxes?config={c}"): {"admin", "client", "sender"},
    ("GET", "/api/mailboxes/" + NO_MAILBOX): {"admin", "client", "sender"},
    ("DELETE", "/api/mailboxes/" + NO_MAILBOX): {"admin", "client"},
    ("POST", "/api/token"): {"client", "sender"},
}
BODIES = {
    "/api/keys": {"name": "x", "role": "client"},
    "/api/token": {"mailbox": NO_MAILBOX, "protocol": "smtp"},
    "/api/configs/{c}": {},
    "/api/configs/{c}/activate": {"client_id": "x"},
    "/api/configs": {"name": "x", "client_id": "x", "tenant_id": "x"},
}


@pytest.fixture(scope="module")
def doors(world):
    bounds = {"config": world.config, "client": "acme"}
    return {
        "admin": world.admin,
        "sender": world.sender,
        "client": world.key("client", **bounds),
    }


def call(api, world, method, path):
    body = BODIES.get(path, {}) if method in {"POST", "PATCH"} else None
    return api.call(method, path.replace("{c}", world.config), body)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_key(world, method, path):
    answer = call(world.api, world, method, path)
    assert (answer.status, answer.body["error"]) == (401, "key-missing")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("key", [UNKNOWN_KEY, UNKNOWN_KEY[:-1], "x", "postern_"])
def test_wrong_key(world, method, path, key):
    answer = call(world.api.with_key(key), world, method, path)
    assert (answer.status, answer.body["error"]) == (401, "key-unknown")


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("role", ["admin", "sender", "client"])
def test_role(world, doors, role, method, path):
    answer = call(doors[role], world, method, path)
    assert (answer.status == 403) is (role not in ROUTES[method, path]), answer.text


def test_function_key_opens_bootstrap_only(world):
    key = world.stack.deployment.function_key
    assert world.api.post("/api/keys/bootstrap", {}).status == 401
    assert world.api.get("/api/configs", x_functions_key=key).status == 401


def test_revoked_key_is_refused(world):
    minted = world.admin.post("/api/keys", {"name": "short-lived", "role": "sender"}).body
    door = world.api.with_key(minted["key"])
    assert door.get(f"/api/mailboxes?config={world.config}").status == 200
    assert world.admin.delete(f"/api/keys/{minted['id']}").status == 204
    assert door.get(f"/api/mailboxes?config={world.config}").body["error"] == "key-unknown"


def test_lists_show_no_key(world):
    listed = world.admin.get("/api/keys").text
    assert "postern_" not in listed
    assert world.admin.key not in listed


async def test_client_reaches_its_own_mailboxes_only(world):
    """Another client's mailbox looks like none, also where its id is known."""
    bounds = {"config": world.config}
    mine, other = (world.key("client", client=name, **bounds) for name in ("acme", "other"))
    link = mine.post(f"/api/configs/{world.config}/links", {})
    assert link.body["client"] == "acme"
    async with world.owner() as owner:
        page = await owner.connect(link.body["url"], seed.CAROL)
    assert "is connected" in page.text
    mailbox = mine.get(f"/api/mailboxes?config={world.config}").body["mailboxes"][0]["id"]
    wish = {"mailbox": mailbox, "protocol": "smtp"}
    assert mine.post("/api/token", wish).status == 200
    assert other.get(f"/api/mailboxes?config={world.config}").body["mailboxes"] == []
    for refused in (
        other.get(f"/api/mailboxes/{mailbox}"),
        other.delete(f"/api/mailboxes/{mailbox}"),
        other.post("/api/token", wish),
        other.post(f"/api/configs/{world.config}/links", {"client": "acme"}),
        other.delete(f"/api/configs/{world.config}/links/{link.body['id']}"),
    ):
        assert refused.status == 404, refused.text
    unknown = {"mailbox": NO_MAILBOX.replace("aaaaaaaa", world.config), "protocol": "smtp"}
    for foreign, absent in (
        (other.post("/api/token", wish), other.post("/api/token", unknown)),
        (other.get(f"/api/mailboxes/{mailbox}"), other.get(f"/api/mailboxes/{NO_MAILBOX}")),
    ):
        assert foreign.body["error"] == absent.body["error"]  # existence is not told
    direct = {"direct": True, "expected_address": seed.CAROL}
    assert mine.post(f"/api/configs/{world.config}/links", direct).status == 403
    assert mine.delete(f"/api/mailboxes/{mailbox}").status == 204
    assert mine.post("/api/token", wish).status == 404

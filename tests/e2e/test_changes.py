"""Changing a configuration over HTTP: edit, pause, another app or secret, the end."""

import pytest

from local import seed, traces

pytestmark = pytest.mark.e2e


def activated(world, name):
    """Activate a configuration of an app of this test only; return its id and the client id."""
    client_id = world.new_app(name)
    form = world.form(name=name, client_id=client_id, client_secret=world.new_secret(client_id))
    answer = world.admin.post("/api/configs", form)
    assert answer.status == 201, answer.text
    return answer.body["id"], client_id


async def connected(world, config, address=seed.ALICE):
    link = world.admin.post(f"/api/configs/{config}/links", {"uses": 9}).body["url"]
    async with world.owner() as owner:
        assert "is connected" in (await owner.connect(link, address)).text
    return world.mailbox(address, config), link


def token(world, mailbox):
    return world.sender.post("/api/token", {"mailbox": mailbox, "protocol": "smtp"})


def test_edit_changes_what_it_names(world):
    config, _ = activated(world, "Edited")
    before = world.admin.get(f"/api/configs/{config}").body
    answer = world.admin.call(
        "PATCH", f"/api/configs/{config}", {"product": "New name", "accent": "#102030"}
    )
    assert answer.status == 200, answer.text
    after = world.admin.get(f"/api/configs/{config}").body
    assert after["product"] == "New name"
    assert {k for k in before if before[k] != after.get(k)} == {"product", "changed"}


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ({}, "nothing-to-change"),
        ({"client_id": "x"}, "body-invalid"),
        ({"accent": "red"}, "accent-malformed"),
        ({"product": "\u0000"}, "product-malformed"),
        ({"return_urls": ["http://x.example"]}, "return-url-malformed"),
        ({"paused": "yes"}, "body-invalid"),
    ],
)
def test_edit_that_cannot_be(world, edit, code):
    answer = world.admin.call("PATCH", f"/api/configs/{world.config}", edit)
    assert (answer.status, answer.body["error"]) == (400, code)


async def test_pause_stops_connecting_and_tokens_and_resume_revives(world):
    config, _ = activated(world, "Paused")
    mailbox, link = await connected(world, config)
    world.admin.call("PATCH", f"/api/configs/{config}", {"paused": True})
    world.stack.stop_app()  # what is remembered for a minute elsewhere is forgotten at once
    world.stack.start_app()
    refused = token(world, mailbox)
    assert (refused.status, refused.body["error"]) == (409, "config-paused")
    made = world.admin.post(f"/api/configs/{config}/links", {})
    assert (made.status, made.body["error"]) == (409, "config-paused")
    async with world.owner() as owner:
        page = await owner.open(link)
        assert page.status == 503
        assert "paused" in page.text
    world.admin.call("PATCH", f"/api/configs/{config}", {"paused": False})
    world.stack.stop_app()
    world.stack.start_app()
    assert token(world, mailbox).status == 200


async def test_another_secret_keeps_every_mailbox(world):
    """The same app with a new secret: mailboxes stay, and the new secret is gone as well."""
    config, client_id = activated(world, "Again")
    mailbox, _ = await connected(world, config)
    first = world.admin.get(f"/api/configs/{config}/receipt").body["claims"]["jti"]
    secret = world.new_secret(client_id)
    answer = world.admin.post(f"/api/configs/{config}/activate", {"client_secret": secret})
    assert (answer.status, answer.body["state"]) == (200, "active"), answer.text
    assert answer.body["id"] == config
    claims = world.admin.get(f"/api/configs/{config}/receipt").body["claims"]
    assert claims["jti"] != first
    assert claims["not_done"] == []
    assert token(world, mailbox).status == 200
    assert traces.find(world.stack, secret) == []


async def test_failing_reactivation_leaves_what_works(world):
    config, _ = activated(world, "Robust")
    mailbox, _ = await connected(world, config)
    wrong = {"client_secret": "wrong~but-well-formed~0123456789"}
    answer = world.admin.post(f"/api/configs/{config}/activate", wrong)
    assert (answer.status, answer.body["error"]) == (422, "credential-wrong")
    shown = world.admin.get(f"/api/configs/{config}").body
    assert shown["state"] == "active"
    assert shown["successor"]["problem"]["code"] == "credential-wrong"
    assert token(world, mailbox).status == 200
    assert world.admin.post(f"/api/configs/{config}/verify").body["state"] == "active"


async def test_another_app_needs_a_confirmation_and_works_only_when_proven(world):
    config, client_id = activated(world, "Moved")
    mailbox, _ = await connected(world, config)
    other = world.new_app("Moved to", may_change_itself=False)
    move = {"client_id": other}
    refused = world.admin.post(f"/api/configs/{config}/activate", move)
    assert (refused.status, refused.body["error"]) == (409, "mailboxes-must-reconnect")
    assert refused.body["mailboxes"] == "1"
    waiting = world.admin.post(f"/api/configs/{config}/activate", {**move, "confirm": True})
    assert (waiting.status, waiting.body["state"]) == (202, "awaiting-trust"), waiting.text
    shown = world.admin.get(f"/api/configs/{config}").body
    assert (shown["client_id"], shown["state"]) == (client_id, "active")
    assert shown["successor"]["client_id"] == other
    assert token(world, mailbox).status == 200
    fields = waiting.body["trust_to_add"]["fields"]
    world.stack.entra.post(f"apps/{other}/federations", **fields)
    done = world.admin.post(f"/api/configs/{config}/verify")
    assert (done.status, done.body["client_id"]) == (200, other), done.text
    shown = world.admin.get(f"/api/configs/{config}").body
    assert shown["client_id"] == other
    assert "successor" not in shown
    await connected(world, config)


async def test_delete_erases_everything_but_the_receipt(world):
    config, _ = activated(world, "Ended")
    mailbox, link = await connected(world, config)
    key = world.key("sender", config=config)
    delivered = token(world, mailbox).body["access_token"]
    refused = world.admin.delete(f"/api/configs/{config}")
    assert (refused.status, refused.body["error"]) == (409, "config-has-mailboxes")
    assert world.admin.delete(f"/api/configs/{config}?confirm=true").status == 204
    assert world.admin.get(f"/api/configs/{config}").status == 404
    assert token(world, mailbox).status == 404
    wish = {"mailbox": mailbox, "protocol": "smtp"}
    assert key.post("/api/token", wish).status in {401, 404}
    async with world.owner() as owner:
        assert (await owner.open(link)).status == 404
    left = {place.split(",")[0] for place in traces.find(world.stack, config)}
    # Receipts, audit, revoked keys; and for ten minutes the sign-in, sealed with a key now gone.
    kept = {"table configs", "table audit", "table keys", "table pending", "logs/app.log"}
    assert left <= kept
    assert traces.find(world.stack, delivered) == []


def test_delete_without_mailboxes_needs_no_confirmation(world):
    config, _ = activated(world, "Empty")
    assert world.admin.delete(f"/api/configs/{config}").status == 204
    assert world.admin.delete(f"/api/configs/{config}").status == 404

"""Tokens over HTTP: handed out, refreshed by the clock and on demand, and never when dead."""

import asyncio
import time

import jwt
import pytest

from local import seed

pytestmark = pytest.mark.e2e


def unverified(token):
    return jwt.decode(token, options={"verify_signature": False})


def wish(mailbox, **changes):
    return {"mailbox": mailbox, "protocol": "smtp", **changes}


@pytest.fixture(scope="module")
async def alice(world):
    page = await world.connect(seed.ALICE)
    assert "is connected" in page.text
    return world.mailbox(seed.ALICE)


async def someone(world, name):
    """Connect a user of this test only; return the oid and the mailbox."""
    upn = f"{name}-{time.time_ns()}@fabrikam.example"
    user = world.stack.entra.post(
        "users", tenant=seed.FABRIKAM, upn=upn, mail=upn, display_name=name
    )
    page = await world.connect(upn)
    assert "is connected" in page.text
    return user["oid"], world.mailbox(upn)


def exchanges(world, grant="refresh_token"):
    seen = world.stack.entra.get("exchanges")["exchanges"]
    return [each for each in seen if each["grant_type"] == grant]


@pytest.mark.parametrize(
    ("protocol", "audience", "scope"),
    [
        ("smtp", "https://outlook.office.com", "SMTP.Send"),
        ("imap", "https://outlook.office.com", "IMAP.AccessAsUser.All"),
        ("graph", "https://graph.microsoft.com", "Mail.Send"),
    ],
)
def test_one_consent_a_token_for_each_protocol(world, alice, protocol, audience, scope):
    answer = world.sender.post("/api/token", wish(alice, protocol=protocol))
    assert answer.status == 200, answer.text
    claims = unverified(answer.body["access_token"])
    assert claims["aud"] == audience
    assert scope in claims["scp"].split()
    assert answer.body["username"] == seed.ALICE
    assert answer.body["token_type"] == "Bearer"
    assert abs(answer.body["expires_on"] - claims["exp"]) < 5
    assert "warning" not in answer.body


def test_warm_token_costs_no_exchange(world, alice):
    before = len(exchanges(world))
    tokens = {world.sender.post("/api/token", wish(alice)).body["access_token"] for _ in range(5)}
    assert len(tokens) == 1
    assert len(exchanges(world)) == before


def test_minimum_is_met_by_a_refresh(world, alice):
    """A token that lives too short is renewed once, for many callers at the same time."""
    before = len(exchanges(world))
    left = world.sender.post("/api/token", wish(alice)).body["expires_on"] - time.time()
    world.stack.entra.post("settings", access_token_lifetime=600)
    try:
        answer = world.sender.post("/api/token", wish(alice, minimum_seconds=3300))
    finally:
        world.stack.entra.post("settings", access_token_lifetime=None)
    assert answer.status == 200, answer.text
    if left < 3300:
        assert "short-lived" in answer.body["warning"]
        assert len(exchanges(world)) == before + 1


async def test_many_at_once_go_to_entra_once(world):
    world.stack.entra.post("settings", access_token_lifetime=60)
    try:
        _, mailbox = await someone(world, "crowd")
    finally:
        world.stack.entra.post("settings", access_token_lifetime=None)
    before = len(exchanges(world))
    ask = [
        asyncio.to_thread(world.sender.post, "/api/token", wish(mailbox, minimum_seconds=600))
        for _ in range(20)
    ]
    answers = await asyncio.gather(*ask)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["access_token"] for answer in answers}) == 1
    assert len(exchanges(world)) == before + 1


async def test_timer_refreshes_what_is_due(world):
    """Due row → queue → refresh; the next due time is later, and Entra saw no client secret."""
    _, mailbox = await someone(world, "timer")
    before = world.admin.get(f"/api/mailboxes/{mailbox}").body
    deadline = time.monotonic() + 40
    while (now := world.admin.get(f"/api/mailboxes/{mailbox}").body) == before:
        assert time.monotonic() < deadline, "nothing was refreshed"
        await asyncio.sleep(1)
        world.run_timer("refresh_timer")
    assert now["refreshed"] > before["refreshed"]
    assert now["next_refresh"] > before["next_refresh"]
    assert exchanges(world)[-1]["auth"] == "federated"
    assert world.sender.post("/api/token", wish(mailbox)).status == 200


@pytest.mark.fault
async def test_revoked_grant_is_a_409_with_the_way_back(calm):
    calm.stack.entra.post("settings", access_token_lifetime=900)
    try:
        oid, mailbox = await someone(calm, "revoked")
    finally:
        calm.stack.entra.post("settings", access_token_lifetime=None)
    calm.stack.entra.patch(f"users/{oid}", revoke=True)
    assert calm.sender.post("/api/token", wish(mailbox)).status == 200  # nobody told us yet
    answer = calm.sender.post("/api/token", wish(mailbox, minimum_seconds=3000))
    assert (answer.status, answer.body["error"]) == (409, "mailbox-reconnect-needed"), answer.text
    assert answer.body["cause"] == "revoked"
    assert "connect link" in answer.body["description"]
    shown = calm.admin.get(f"/api/mailboxes/{mailbox}").body
    assert (shown["state"], shown["cause"]) == ("reconnect-needed", "revoked")
    assert "next_refresh" not in shown
    assert calm.sender.post("/api/token", wish(mailbox)).status == 409


@pytest.mark.fault
async def test_outage_serves_what_is_valid_with_a_warning(calm):
    calm.stack.entra.post("settings", access_token_lifetime=900)
    try:
        _, mailbox = await someone(calm, "outage")
    finally:
        calm.stack.entra.post("settings", access_token_lifetime=None)
    calm.stack.entra.post(
        "faults", endpoint="token", grant_type="refresh_token", times=9, status=503
    )
    answer = calm.sender.post("/api/token", wish(mailbox, minimum_seconds=3000))
    assert answer.status == 200, answer.text
    assert answer.body["warning"].startswith("entra-unavailable")
    assert calm.admin.get(f"/api/mailboxes/{mailbox}").body["state"] == "fresh"


@pytest.mark.fault
async def test_lost_answer_loses_no_grant(calm):
    """Entra issues a new refresh token and the answer is lost: the old one still works."""
    calm.stack.entra.post("settings", access_token_lifetime=120)
    try:
        _, mailbox = await someone(calm, "lost")
    finally:
        calm.stack.entra.post("settings", access_token_lifetime=None)
    fault = {"endpoint": "token", "grant_type": "refresh_token", "times": 1}
    calm.stack.entra.post("faults", **fault, lose_response=True)
    first = calm.sender.post("/api/token", wish(mailbox, minimum_seconds=600))
    assert first.body["warning"].startswith("entra-unavailable"), first.text
    second = calm.sender.post("/api/token", wish(mailbox, minimum_seconds=600))
    assert second.status == 200
    assert "warning" not in second.body


@pytest.mark.fault
async def test_app_fault_touches_no_mailbox(calm):
    """The app's own credential fails: one breaker opens, every mailbox stays as it is."""
    app = calm.new_app("Broken later")
    secret = calm.new_secret(app)
    config = calm.admin.post("/api/configs", calm.form(client_id=app, client_secret=secret)).body
    made = calm.admin.post(f"/api/configs/{config['id']}/links", {}).body
    calm.stack.entra.post("settings", access_token_lifetime=60)
    async with calm.owner() as owner:
        page = await owner.connect(made["url"], seed.CAROL)
    calm.stack.entra.post("settings", access_token_lifetime=None)
    assert "is connected" in page.text
    mailbox = calm.mailbox(seed.CAROL, config["id"])
    calm.stack.entra.patch(f"apps/{app}", disabled=True)
    answer = calm.sender.post("/api/token", wish(mailbox, minimum_seconds=600))
    assert answer.body["warning"].startswith("app-fault"), answer.text
    assert calm.admin.get(f"/api/mailboxes/{mailbox}").body["state"] == "fresh"
    shown = calm.admin.get(f"/api/configs/{config['id']}").body
    assert shown["breaker"]["cause"] == "app-disabled"
    calm.stack.entra.patch(f"apps/{app}", disabled=False)
    assert calm.admin.post(f"/api/configs/{config['id']}/verify").status == 200
    assert "breaker" not in calm.admin.get(f"/api/configs/{config['id']}").body
    assert "warning" not in calm.sender.post("/api/token", wish(mailbox, minimum_seconds=600)).body


async def test_disconnect_erases_the_grant(world):
    _, mailbox = await someone(world, "gone")
    assert world.admin.delete(f"/api/mailboxes/{mailbox}").status == 204
    assert world.sender.post("/api/token", wish(mailbox)).status == 404
    assert world.admin.get(f"/api/mailboxes/{mailbox}").status == 404
    assert world.admin.delete(f"/api/mailboxes/{mailbox}").status == 404

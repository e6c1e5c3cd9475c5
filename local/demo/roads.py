"""The two roads from a pasted secret to a working configuration, and a mailbox on each."""

import base64
import secrets
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from local import seed, traces
from local.admins_machine import AdminsMachine
from local.api import Api
from local.demo import proofs
from local.demo.walk import Walk, require
from local.owner import Owner
from local.stack import Stack

_REFRESH_PATIENCE_SECONDS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A configuration whose secret is gone, and a mailbox that works without it."""

    config: str
    mailbox: str
    client_id: str
    secret: str


def bootstrap(stack: Stack, walk: Walk) -> Api:
    """Mint the first admin key with the host's function key."""
    api = Api(stack.deployment.base_url, stack.certificates.ca)
    health = api.get("/api/health").body
    require(health["status"] == "ok", f"not healthy: {health}")
    walk.step("Asked GET /api/health", ", ".join(f"{k} {v}" for k, v in health["checks"].items()))
    require(api.post("/api/keys/bootstrap", {}).status == 401, "bootstrap is open to all")
    minted = api.post(
        "/api/keys/bootstrap", {"again": True}, x_functions_key=stack.deployment.function_key
    )
    require(minted.status == 201, minted.text)
    walk.step(
        "Minted the first admin key with the host's function key",
        "without that key the call is refused (401); the API key is stored as a hash only",
    )
    return api.with_key(minted.body["key"])


def activate_at_home(stack: Stack, walk: Walk, admin: Api) -> tuple[str, str]:
    """Paste a secret of an app in the deployment's own tenant; return config and old secret."""
    secret = stack.entra.post(f"apps/{seed.CONTOSO_MAIL}/secrets")["value"]
    says = proofs.entra_says_of(stack, seed.CONTOSO, seed.CONTOSO_MAIL, secret)
    require(says == "accepted", f"Entra does not take the new secret: {says}")
    walk.step("Made a client secret in Entra, as an admin would", "Entra accepts it")
    begun = time.monotonic()
    answer = admin.post(
        "/api/configs",
        {
            "name": "Contoso Mail",
            "client_id": seed.CONTOSO_MAIL,
            "tenant_id": seed.CONTOSO,
            "client_secret": secret,
            "support": "help@contoso.example",
            "accent": "#7a1f5c",
        },
    )
    require(answer.status == 201, answer.text)
    config = answer.body["id"]
    walk.step(
        "Pasted it into POST /api/configs",
        f"{answer.body['state']} after {time.monotonic() - begun:.1f} s; the app now signs in by"
        f" {answer.body['credential']} ({answer.body['credential_reason']})",
    )
    _prove_removal(stack, walk, admin, config, secret)
    says = proofs.entra_says_of(stack, seed.CONTOSO, seed.CONTOSO_MAIL, secret)
    require(says == "7000215", f"Entra still says: {says}")
    walk.step("Tried the pasted secret at Entra once more", f"refused: AADSTS{says}")
    return config, secret


def activate_elsewhere(stack: Stack, walk: Walk, admin: Api) -> tuple[str, str]:
    """Paste a secret of another tenant's app without Graph rights: its admin finishes by hand."""
    secret = stack.entra.post(f"apps/{seed.FABRIKAM_MAIL}/secrets")["value"]
    answer = admin.post(
        "/api/configs",
        {
            "name": "Fabrikam Mail",
            "client_id": seed.FABRIKAM_MAIL,
            "tenant_id": seed.FABRIKAM,
            "client_secret": secret,
            "audience": "tenant",
        },
    )
    require(answer.status == 202, answer.text)
    config, trust = answer.body["id"], answer.body["trust_to_add"]
    require(answer.body["state"] == "awaiting-trust", answer.text)
    walk.step(
        "Pasted the secret of an app that is registered in another tenant",
        f"{answer.body['state']}: {trust['kind']}, since {answer.body['credential_reason']};"
        " the answer says what its admin adds and where",
    )
    _prove_removal(stack, walk, admin, config, secret)
    der = base64.b64encode(ssl.PEM_cert_to_DER_cert(trust["certificate"])).decode()
    stack.entra.post(f"apps/{seed.FABRIKAM_MAIL}/certificates", key=der)
    verified = admin.post(f"/api/configs/{config}/verify")
    require(verified.status == 200, verified.text)
    walk.step(
        "Uploaded the certificate as its admin would, and called verify",
        f"{verified.body['state']}; the key behind it never leaves the vault",
    )
    return config, secret


def set_up_by_script(stack: Stack, walk: Walk, admin: Api) -> tuple[str, str]:
    """Run the generated script on an admin's machine; return config and client id."""
    query = urlencode({"name": "Contoso Mail without a secret"})
    script = admin.get(f"/api/setup?{query}")
    require(script.status == 200, script.text)
    machine = AdminsMachine(stack.folder / "admin", stack, seed.CONTOSO, str(admin.key))
    ran = machine.run(script.text)
    require(ran.returncode == 0, ran.stdout + ran.stderr)
    client_id = next(iter(machine.notes["tags"]))
    app = stack.entra.get(f"apps/{client_id}")
    require(app["passwordCredentials"] == [], "the app has a client secret")
    configs = admin.get("/api/configs").body["configs"]
    (config,) = [each for each in configs if each["client_id"] == client_id]
    require(config["state"] == "active", f"the configuration is {config['state']}")
    walk.step(
        "Fetched the setup script from GET /api/setup and ran it where `az` is signed in",
        f"an app with redirect URI, permissions, consent and trust; {config['state']}, and no"
        " client secret ever was",
    )
    before = machine.notes["changes"]
    require(machine.run(script.text).returncode == 0, "the second run failed")
    require(machine.notes["changes"] == before, "the second run changed something")
    walk.step("Ran it again", "nothing changed")
    return str(config["id"]), client_id


def _prove_removal(stack: Stack, walk: Walk, admin: Api, config: str, secret: str) -> None:
    receipt = admin.get(f"/api/configs/{config}/receipt").body
    claims = proofs.receipt_claims(admin, receipt["receipt"], config)
    require(claims["gone_at"], "the receipt does not say that the secret is gone")
    left = ", ".join(claims["not_done"]) or "nothing"
    walk.step(
        "Fetched the removal receipt and verified its signature with the public keys",
        f"held {claims['seconds_held']} s, deleted, purged, read back as gone at"
        f" {claims['gone_at'][11:19]}; still to do: {left}",
    )
    if claims["entra_note"]:
        walk.note(claims["entra_note"])
    found = traces.find(stack, secret)
    require(not found, f"the secret is still in: {found}")
    walk.step(
        "Searched vaults (deleted items too), tables, queues, logs and disk for the secret",
        "not a byte of it anywhere, in no encoding",
    )


async def connect(stack: Stack, walk: Walk, admin: Api, config: str, address: str) -> str:
    """Send a link to an owner who goes through the real pages; return the mailbox's id."""
    link = admin.post(f"/api/configs/{config}/links", {"expected_address": address})
    require(link.status == 201, link.text)
    async with Owner(stack.certificates.ca) as owner:
        for _ in range(2):
            await owner.open(link.body["url"])  # a mail scanner looks first
        page = await owner.connect(link.body["url"], address)
        visited = " > ".join(f"{hop.method} {_room(hop.url)}" for hop in owner.hops[2:])
    require("is connected" in page.text, f"the last page says: {page.text[:200]}")
    require("code=" not in page.url and "state=" not in page.url, "a code stays in the address")
    mailboxes = admin.get(f"/api/mailboxes?config={config}").body["mailboxes"]
    found = [each for each in mailboxes if each["address"] == address]
    require(len(found) == 1, f"no mailbox of {address}")
    walk.step(f"Sent {address} a connect link; its owner signed in and agreed", visited)
    return str(found[0]["id"])


def send(stack: Stack, walk: Walk, admin: Api, mailbox: str, to: str) -> Api:
    """Let a sender fetch a token and send a mail; return the sender's door."""
    minted = admin.post("/api/keys", {"name": "demo sender", "role": "sender"})
    require(minted.status == 201, minted.text)
    sender = admin.with_key(minted.body["key"])
    subject = f"Hello {secrets.token_hex(3)}"
    mail = proofs.send_mail(stack, sender, mailbox, to, subject)
    walk.step(
        "A sender asked POST /api/token for an SMTP token and sent a mail with it",
        f"the mail server checked the token and took '{mail['subject']}' from {mail['user']}",
    )
    return sender


def wait_for_refresh(stack: Stack, walk: Walk, admin: Api, connected: Connected) -> None:
    """Let the timer find the mailbox due and the queue refresh it."""
    before = admin.get(f"/api/mailboxes/{connected.mailbox}").body["refreshed"]
    walk.wait("waiting for the timer to find the mailbox due (about half a minute)")
    deadline = time.monotonic() + _REFRESH_PATIENCE_SECONDS
    while (now := admin.get(f"/api/mailboxes/{connected.mailbox}").body)["refreshed"] == before:
        require(time.monotonic() < deadline, "the timer did not refresh the mailbox")
        time.sleep(0.5)
    exchange = proofs.last_exchange(stack, connected.client_id, "refresh_token")
    require(exchange["auth"] in {"federated", "certificate"}, f"by {exchange['auth']}")
    walk.step(
        "The timer found the mailbox due, the queue refreshed it",
        f"Entra's own record: refresh_token, client proved itself by {exchange['auth']},"
        f" next one due {now['next_refresh'][11:19]}",
    )


def _room(url: str) -> str:
    path = url.split("://", 1)[1].split("/", 1)[1]
    return "/".join(part if len(part) < 24 else "…" for part in path.split("/"))

"""What the demo asks the world, to prove what the app says."""

import ssl
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import jwt

from local import sender
from local.api import Api
from local.demo.walk import require
from local.stack import Stack


def receipt_claims(api: Api, receipt: str, config: str) -> dict[str, Any]:
    """Verify a receipt with the public keys alone; return what it says."""
    keys = jwt.PyJWKSet.from_dict(api.with_key(None).get("/api/jwks").body)
    header = jwt.get_unverified_header(receipt)
    claims: dict[str, Any] = jwt.decode(
        receipt, keys[header["kid"]].key, algorithms=["RS256"], options={"verify_aud": False}
    )
    require(claims["sub"] == config, "the receipt is for another configuration")
    return claims


def entra_says_of(stack: Stack, tenant: str, client_id: str, secret: str) -> str:
    """Try a client secret at Entra, as a thief would; return Entra's answer in short."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"{stack.deployment.entra_url}/{tenant}/oauth2/v2.0/token"
    request = Request(url, urlencode(form).encode())  # noqa: S310 - an https address of the stack
    trust = ssl.create_default_context(cafile=stack.certificates.ca)
    try:
        with urlopen(request, context=trust):  # noqa: S310 - likewise
            return "accepted"
    except HTTPError as refused:
        with refused:
            return refused.read().decode().partition("AADSTS")[2].partition(":")[0]


def send_mail(stack: Stack, api: Api, mailbox: str, to: str, subject: str) -> dict[str, Any]:
    """Fetch a token as a sender, send a mail with it, and return the mail that arrived."""
    answer = api.post("/api/token", {"mailbox": mailbox, "protocol": "smtp"})
    require(answer.status == 200, f"no token: {answer.text}")
    host, port = stack.deployment.smtp
    sender.send(
        host,
        port,
        answer.body["username"],
        answer.body["access_token"],
        to,
        subject,
        "Sent through Postern's local stack.",
        str(stack.certificates.ca),
    )
    arrived = [m for m in stack.mail.get("messages") if m["subject"] == subject]
    require(len(arrived) == 1, "the mail did not arrive")
    return dict(arrived[0])


def last_exchange(stack: Stack, client_id: str, grant: str) -> dict[str, Any]:
    """Return Entra's own record of the app's last successful exchange of a kind."""
    exchanges = stack.entra.get("exchanges")["exchanges"]
    for each in reversed(exchanges):
        wanted = (client_id, grant, "ok")
        if (each["client_id"], each["grant_type"], each["outcome"]) == wanted:
            return dict(each)
    require(False, f"Entra saw no {grant} of {client_id}")
    return {}

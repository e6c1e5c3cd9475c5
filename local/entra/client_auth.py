"""Tells apart the ways a confidential client proves itself, and the ways it fails to."""

import base64
import binascii
import hmac
from urllib.parse import unquote_plus

from local.entra.assertions import check_certificate, check_federated, unverified_claims
from local.entra.authority import Authority
from local.entra.context import Entra
from local.entra.errors import Refused
from local.entra.model import App, hashed

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def with_basic(form: dict[str, str], authorization: str) -> dict[str, str]:
    """Take id and secret from HTTP Basic, if they came that way, as RFC 6749 2.3.1 encodes them."""
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic":
        return form
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return form
    if not colon:
        return form
    return {**form, "client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}


def authenticate(entra: Entra, authority: Authority, app: App, form: dict[str, str]) -> str:
    """Return how the client proved itself: "secret", "certificate" or "federated"."""
    assertion = form.get("client_assertion")
    if assertion:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refused(7000218)
        if unverified_claims(assertion).get("iss") == app.client_id:
            check_certificate(entra, authority, app, assertion)
            return "certificate"
        check_federated(entra, app, assertion)
        return "federated"
    secret = form.get("client_secret")
    if not secret:
        raise Refused(7000218)
    _check_secret(entra, app, secret)
    return "secret"


def _check_secret(entra: Entra, app: App, secret: str) -> None:
    offered = hashed(secret)
    matching = [one for one in app.passwords if hmac.compare_digest(one.hash, offered)]
    if not matching:
        raise Refused(7000215, client_id=app.client_id)
    if all(one.end <= entra.clock.now() for one in matching):
        raise Refused(7000222, client_id=app.client_id)

"""Certificates of a registration. A PATCH replaces the whole list: what is left out is gone."""

import base64
import binascii
import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from local.entra.clock import from_iso, iso
from local.entra.context import Entra
from local.entra.graph_edge import GraphError, bad_request
from local.entra.model import App, Certificate, new_id

_PROPERTIES = {
    "customKeyIdentifier", "displayName", "endDateTime", "key", "keyId", "startDateTime", "type",
    "usage",
}  # fmt: skip


def shown_key(one: Certificate, *, with_key: bool) -> dict[str, Any]:
    """Show a certificate; its bytes only to who selects this one property, as Graph does."""
    thumbprint = hashlib.sha1(base64.b64decode(one.der)).hexdigest()  # noqa: S324 - its name
    return {
        "customKeyIdentifier": thumbprint.upper(),
        "displayName": one.display_name,
        "startDateTime": iso(one.start),
        "endDateTime": iso(one.end),
        "keyId": one.key_id,
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "key": one.der if with_key else None,
    }


def key_credentials(entra: Entra, app: App, listed: object) -> list[Certificate]:
    """Read the new list; an entry without bytes keeps the certificate that its keyId names."""
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise bad_request("Invalid value specified for property 'keyCredentials'.")
    present = {one.key_id: one for one in app.certificates}
    return [_credential(entra, present, one) for one in listed]


def _credential(
    entra: Entra, present: dict[str, Certificate], entry: dict[str, Any]
) -> Certificate:
    unknown = set(entry) - _PROPERTIES
    if unknown:
        raise bad_request(f"Invalid property '{unknown.pop()}'.")
    kept = present.get(str(entry.get("keyId")))
    if kept is not None and entry.get("key") in (None, kept.der):
        return kept
    if entry.get("type") != "AsymmetricX509Cert" or entry.get("usage") != "Verify":
        raise bad_request("A certificate needs type AsymmetricX509Cert and usage Verify.")
    return certificate_from(
        entra,
        str(entry.get("key") or ""),
        key_id=str(entry.get("keyId") or new_id()),
        name=entry.get("displayName"),
        start=_moment(entry, "startDateTime"),
        end=_moment(entry, "endDateTime"),
    )


def certificate_from(
    entra: Entra,
    encoded: str,
    *,
    key_id: str,
    name: str | None,
    start: float | None = None,
    end: float | None = None,
) -> Certificate:
    try:
        der = base64.b64decode(encoded, validate=True)
        certificate = x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError) as error:
        raise bad_request("Invalid value specified for property 'key'.") from error
    if not isinstance(certificate.public_key(), RSAPublicKey):
        raise bad_request("Only RSA certificates can sign client assertions.")
    begins = certificate.not_valid_before_utc.timestamp()
    ends = certificate.not_valid_after_utc.timestamp()
    if end is not None and not begins < end <= ends + 1:
        message = "Key credential end date is invalid."
        raise GraphError(400, "KeyCredentialsInvalidEndDate", message)
    return Certificate(
        key_id=key_id,
        der=base64.b64encode(der).decode(),
        display_name=name or certificate.subject.rfc4514_string(),
        start=begins if start is None else start,
        end=ends if end is None else end,
        effective_at=entra.clock.now() + entra.state.settings.certificate_delay,
    )


def _moment(entry: dict[str, Any], name: str) -> float | None:
    if entry.get(name) is None:
        return None
    try:
        return from_iso(entry[name])
    except (TypeError, ValueError) as error:
        raise bad_request(f"Invalid value specified for property '{name}'.") from error

"""Checks the two kinds of client assertion: signed by a certificate, or by a trusted issuer.

Times are judged by the machine's clock, because that is the clock of whoever signed.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, cast

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from local.entra.authority import Authority
from local.entra.clock import stamp
from local.entra.context import Entra
from local.entra.errors import Refused
from local.entra.model import App, Certificate, Federation
from local.entra.tokens import EXCHANGE_AUDIENCE

SKEW = 300  # seconds that Entra allows two clocks to differ


def unverified_claims(assertion: str) -> dict[str, Any]:
    """Look inside only to learn which check applies; nothing here may be believed."""
    try:
        return jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise Refused(50027, reason="The token is no JWT.") from error


def check_certificate(entra: Entra, authority: Authority, app: App, assertion: str) -> None:
    header = jwt.get_unverified_header(assertion)
    # msal pads this value, which base64url in JOSE never is; Entra takes both.
    thumbprint = str(header.get("x5t#S256") or header.get("x5t") or "").rstrip("=")
    if not thumbprint:
        raise Refused(5002723)
    registered = next((one for one in app.certificates if thumbprint in _thumbprints(one)), None)
    if registered is None or registered.effective_at > entra.clock.now():
        raise Refused(700027, reason="The key was not found.", thumbprint=thumbprint)
    if not registered.start - SKEW <= entra.clock.now() < registered.end:
        raise Refused(700027, reason="The key used is expired.", thumbprint=thumbprint)
    certificate = x509.load_der_x509_certificate(base64.b64decode(registered.der))
    try:
        claims = jwt.decode(
            assertion,
            cast(RSAPublicKey, certificate.public_key()),  # others are not registered
            algorithms=["RS256", "PS256"],
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False,
                     "verify_aud": False, "require": ["aud", "exp", "iss", "sub"]},
        )  # fmt: skip
    except jwt.MissingRequiredClaimError as error:
        raise Refused(50027, reason=str(error)) from error
    except jwt.PyJWTError as error:
        reason = "The key used does not match the signature."
        raise Refused(700027, reason=reason, thumbprint=thumbprint) from error
    if not claims["iss"] == claims["sub"] == app.client_id:
        raise Refused(700021)
    if claims["aud"] not in _audiences(entra, authority):
        raise Refused(700023)
    _check_times(entra, claims)


def check_federated(entra: Entra, app: App, assertion: str) -> None:
    claims = unverified_claims(assertion)
    issuer, subject = str(claims.get("iss")), str(claims.get("sub"))
    audience = str(claims.get("aud"))
    trust = _matching(entra, app, issuer, subject, audience)
    # Only this stand-in's own tokens can be verified; other issuers are not fetched.
    if issuer not in {entra.issuer(tenant) for tenant in entra.state.tenants}:
        raise Refused(50013, reason="The key was not found.")
    try:
        claims = entra.key.verified(assertion)
    except jwt.PyJWTError as error:
        raise Refused(50013, reason="The signature does not verify.") from error
    _check_times(entra, claims)
    if claims.get("idtyp") != "app":
        raise Refused(700229)
    if claims["tid"] != app.tenant:
        # An identity is trusted by registrations of its own tenant only.
        raise Refused(700236, issuer=trust.issuer)


def _matching(entra: Entra, app: App, issuer: str, subject: str, audience: str) -> Federation:
    """Find the trust record, comparing exactly; the code says what differs."""
    said = {"issuer": issuer, "subject": subject, "audience": audience}
    by_issuer = [one for one in app.federations if one.issuer == issuer]
    if not by_issuer:
        raise Refused(700211, **said)
    by_subject = [one for one in by_issuer if one.subject == subject]
    if not by_subject:
        raise Refused(700213, **said)
    found = next((one for one in by_subject if audience in one.audiences), None)
    if found is None or audience != EXCHANGE_AUDIENCE:
        raise Refused(7002121, **said)
    if found.effective_at > entra.clock.now():
        raise Refused(70021, **said)
    return found


def _audiences(entra: Entra, authority: Authority) -> set[str]:
    names = {authority.name, authority.key}
    ends = ("oauth2/v2.0/token", "v2.0")
    return {f"{entra.base_url}/{name}/{end}" for name in names for end in ends}


def _check_times(entra: Entra, claims: Mapping[str, Any]) -> None:
    now = entra.clock.machine()
    try:
        expires, begins = float(claims["exp"]), float(claims.get("nbf", 0))
    except (TypeError, ValueError) as error:
        raise Refused(50027, reason="exp and nbf must be numbers.") from error
    if now > expires + SKEW or now < begins - SKEW:
        raise Refused(700024, now=stamp(now), expiry=stamp(expires))


def _thumbprints(certificate: Certificate) -> set[str]:
    der = base64.b64decode(certificate.der)
    digests = (hashlib.sha256(der).digest(), hashlib.sha1(der).digest())  # noqa: S324 - a name
    return {base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in digests}

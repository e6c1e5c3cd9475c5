"""Signed JSON whose key stays in Key Vault: what to sign, and how to put it together.

MSAL has no hook for remote signing, so the client assertion is built here.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from postern.crypto.bearer import base64url

ASSERTION_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A JWS up to its signature (RFC 7515, section 5.1)."""

    signing_input: str

    @property
    def digest(self) -> bytes:
        """Return the SHA-256 digest that RS256 and PS256 sign."""
        return hashlib.sha256(self.signing_input.encode()).digest()

    def signed(self, signature: bytes) -> str:
        """Return the compact JWS."""
        return f"{self.signing_input}.{base64url(signature)}"


def unsigned(header: Mapping[str, object], claims: Mapping[str, object]) -> Unsigned:
    """Return the JWS of *claims* under *header*, to be signed."""
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, claims))
    return Unsigned(".".join(base64url(part) for part in parts))


def client_assertion(
    *, client_id: str, audience: str, certificate_der: bytes, jti: str, now: datetime
) -> Unsigned:
    """Return the assertion that proves possession of the certificate's key.

    PS256 with `x5t#S256`, as Entra's page on certificate credentials asks (shared facts, 1c).
    *audience* is the token endpoint of the authority that is asked.
    """
    issued = int(now.timestamp())
    header = {
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": base64url(hashlib.sha256(certificate_der).digest()),
    }
    claims = {
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": jti,
        "nbf": issued,
        "iat": issued,
        "exp": issued + int(ASSERTION_LIFE.total_seconds()),
    }
    return unsigned(header, claims)


def payload(part: str) -> dict[str, object]:
    """Return the claims in a JWS's middle part, for showing only: nothing is verified."""
    padded = part + "=" * (-len(part) % 4)
    return dict(json.loads(base64.urlsafe_b64decode(padded)))

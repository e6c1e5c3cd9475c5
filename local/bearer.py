"""Checks access tokens the way Microsoft's resources do: by Entra's published keys, not by trust.

Shared by the vault and the mail server. Times are checked against the stand-in's own clock, so a
test that advances Entra's clock must advance this one as well.
"""

import asyncio
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import jwt

from local.serving import Clock


class Reason(StrEnum):
    """The check that failed."""

    MALFORMED = "malformed"
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    TENANT = "tenant"
    ISSUER = "issuer"
    TIME = "time"


class TokenRefused(Exception):
    """The token is not accepted. The text never holds any of it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a resource demands of a token: its audience and, if it has one, its tenant."""

    entra: str
    audience: str
    tenant: str | None = None


class SigningKeys:
    """Entra's public keys, fetched once and again only for a key id not seen yet."""

    def __init__(self, entra: str, tenant: str) -> None:
        where = urlsplit(f"{entra}/{tenant}/discovery/v2.0/keys")
        if where.scheme != "https" or where.hostname is None:
            msg = f"Entra is reached over https only, not by {entra}"
            raise SystemExit(msg)
        self._host, self._port, self._path = where.hostname, where.port or 443, where.path
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetching = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            async with self._fetching:
                if kid not in self._keys:
                    self._keys = await asyncio.to_thread(self._fetch)
        if kid not in self._keys:
            raise TokenRefused(Reason.SIGNATURE, "the signing key is unknown")
        return self._keys[kid]

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        # The default context trusts what SSL_CERT_FILE names: here the throw-away authority.
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=10, context=ssl.create_default_context()
        )
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise TokenRefused(Reason.SIGNATURE, f"Entra's keys answered {answer.status}")
            found = jwt.PyJWKSet.from_dict(json.loads(body)).keys
        except (OSError, http.client.HTTPException, ValueError, jwt.PyJWTError) as error:
            raise TokenRefused(Reason.SIGNATURE, "Entra's keys cannot be read") from error
        finally:
            connection.close()
        return {key.key_id: key for key in found if key.key_id is not None}


async def verify(
    unverified: str, keys: SigningKeys, expected: Expected, clock: Clock
) -> Mapping[str, Any]:
    """Return the claims of a token that passes every check; raise `TokenRefused` otherwise."""
    try:
        header = jwt.get_unverified_header(unverified)
    except jwt.PyJWTError as error:
        raise TokenRefused(Reason.MALFORMED, "not a signed JWT") from error
    key = await keys.get(str(header.get("kid", "")))
    try:
        # Times, audience and issuer are checked below, by our clock and with our own reasons.
        claims = jwt.decode(
            unverified,
            key,
            algorithms=["RS256"],
            options={
                "verify_signature": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "require": ["aud", "exp", "iss", "nbf", "oid", "tid"],
            },
        )
    except jwt.MissingRequiredClaimError as error:
        raise TokenRefused(Reason.MALFORMED, str(error)) from error
    except jwt.PyJWTError as error:
        raise TokenRefused(Reason.SIGNATURE, "the signature does not verify") from error
    _check(claims, expected, clock.now())
    return claims


def _check(claims: Mapping[str, Any], expected: Expected, now: float) -> None:
    # A list of audiences is legal JWT, but Entra never issues one.
    if claims["aud"] != expected.audience:
        raise TokenRefused(Reason.AUDIENCE, f"expected {expected.audience}, found {claims['aud']}")
    tenant = str(claims["tid"])
    if expected.tenant is not None and tenant != expected.tenant:
        raise TokenRefused(Reason.TENANT, f"the token is of tenant {tenant}")
    issuers = (f"https://sts.windows.net/{tenant}/", f"{expected.entra}/{tenant}/v2.0")
    if claims["iss"] not in issuers:
        raise TokenRefused(Reason.ISSUER, f"found {claims['iss']}")
    times = (claims["nbf"], claims["exp"])
    if not all(isinstance(moment, int | float) for moment in times):
        raise TokenRefused(Reason.MALFORMED, "nbf and exp must be numbers")
    if now < claims["nbf"]:
        raise TokenRefused(Reason.TIME, "the token is not valid yet")
    if now >= claims["exp"]:
        raise TokenRefused(Reason.TIME, "the token is expired")

"""Makes access tokens, id tokens and refresh tokens as Entra does."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from typing import Any

from local.entra.clock import DAY
from local.entra.context import Entra
from local.entra.model import App, Grant, Identity, Principal, User, hashed, new_id

ID_TOKEN_LIFETIME = 3600
IDENTITY_TOKEN_LIFETIME = DAY
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"


def _lifetime(entra: Entra) -> int:
    fixed = entra.state.settings.access_token_lifetime
    # Entra draws 60 to 90 minutes, so that clients do not all come back at once.
    return int(fixed) if fixed is not None else 3600 + secrets.randbelow(1801)


def _v1(entra: Entra, tenant: str, audience: str, lifetime: int) -> dict[str, Any]:
    now = int(entra.clock.now())
    return {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "tid": tenant,
        "uti": secrets.token_urlsafe(16),
        "ver": "1.0",
    }


def pairwise(user: User, client_id: str) -> str:
    """A subject that two apps cannot compare."""
    digest = hashlib.sha256(f"{user.oid}|{client_id}".encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _appidacr(auth: str) -> str:
    return "1" if auth == "secret" else "2"


def user_access_token(
    entra: Entra, app: App, user: User, audience: str, granted: Iterable[str], auth: str
) -> dict[str, Any]:
    """Return the part of a token answer that is about the access token."""
    lifetime = _lifetime(entra)
    claims = _v1(entra, user.tenant, audience, lifetime) | {
        "acr": "1",
        "amr": ["pwd"],
        "app_displayname": app.display_name,
        "appid": app.client_id,
        "appidacr": _appidacr(auth),
        "idtyp": "user",
        "name": user.display_name,
        "oid": user.oid,
        "scp": " ".join(name for name in granted if name != "offline_access"),
        "sub": pairwise(user, audience),
        "unique_name": user.upn,
        "upn": user.upn,
    }
    return _bearer(entra.key.sign(claims), lifetime)


def app_access_token(
    entra: Entra, app: App, principal: Principal, audience: str, roles: list[str], auth: str
) -> dict[str, Any]:
    lifetime = _lifetime(entra)
    claims = _v1(entra, principal.tenant, audience, lifetime) | {
        "app_displayname": app.display_name,
        "appid": app.client_id,
        "appidacr": _appidacr(auth),
        "idtyp": "app",
        "oid": principal.id,
        "sub": principal.id,
    }
    if roles:
        claims["roles"] = roles
    return _bearer(entra.key.sign(claims), lifetime)


def identity_token(entra: Entra, identity: Identity, resource: str) -> tuple[str, int]:
    """Return a managed identity's token and when it expires.

    It is valid from the machine's time on and until Entra's own time has passed: Azurite and the
    vaults live on the machine's clock even when a test has advanced Entra's.
    """
    now = int(entra.clock.machine())
    expires = int(entra.clock.now()) + IDENTITY_TOKEN_LIFETIME
    claims = _v1(entra, identity.tenant, resource, IDENTITY_TOKEN_LIFETIME) | {
        "iat": now,
        "nbf": now,
        "exp": expires,
        "idtyp": "app",
        "oid": identity.principal_id,
        "sub": identity.principal_id,
    }
    if resource == EXCHANGE_AUDIENCE:
        claims |= {"iss": entra.issuer(identity.tenant), "ver": "2.0", "azp": identity.client_id}
    return entra.key.sign(claims | {"appid": identity.client_id}), expires


def id_token(entra: Entra, app: App, user: User, asked: Iterable[str], nonce: str | None) -> str:
    asked = set(asked)
    now = int(entra.clock.now())
    claims: dict[str, Any] = {
        "aud": app.client_id,
        "iss": entra.issuer(user.tenant),
        "iat": now,
        "nbf": now,
        "exp": now + ID_TOKEN_LIFETIME,
        "sub": pairwise(user, app.client_id),
        "tid": user.tenant,
        "ver": "2.0",
    }
    if "profile" in asked:
        claims |= {
            "name": user.display_name,
            "oid": user.oid,
            "preferred_username": user.upn,
        }
    if "email" in asked and user.mail:
        claims["email"] = user.mail
    if nonce is not None:
        claims["nonce"] = nonce
    return entra.key.sign(claims)


def refresh_token(entra: Entra, app: App, user: User, scopes: list[str]) -> str:
    """Issue one more refresh token; those before it stay valid, as at Entra."""
    value = f"1.{secrets.token_urlsafe(64)}"
    entra.state.grants[hashed(value)] = Grant(
        client_id=app.client_id, user=user.oid, scopes=scopes, issued_at=entra.clock.now()
    )
    return value


def client_info(user: User) -> str:
    text = json.dumps({"uid": user.oid, "utid": user.tenant})
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def session_id() -> str:
    return new_id()


def _bearer(token: str, lifetime: int) -> dict[str, Any]:
    return {
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": token,
    }

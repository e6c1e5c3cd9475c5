"""Entra, and the identity that we run as."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from postern.model.config import AppIdentity
from postern.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """Where to send the browser, and what only we keep of it."""

    url: str
    verifier: Secret
    nonce: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A token answer. *refresh_token* is None where Entra gave no new one."""

    access_token: Secret
    expires: datetime
    scopes: tuple[str, ...]
    refresh_token: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedClaims:
    """The id token's claims as the TLS back channel brought them; the service checks them."""

    issuer: str
    audience: str
    tenant: str
    user: str
    username: str
    nonce: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """What a code was redeemed for."""

    tokens: Tokens
    unverified_claims: UnverifiedClaims


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A client-credentials exchange that succeeded: the app is who it says it is."""

    correlation_id: str
    graph_token: Secret


class IdentityProvider(Protocol):
    """Entra's authorize and token endpoints. All raise `ProviderRefused`."""

    async def authorization_request(
        self,
        app: AppIdentity,
        *,
        redirect_uri: str,
        scopes: Sequence[str],
        state: Secret,
        login_hint: str | None,
    ) -> AuthorizationRequest:
        """Return the request: S256 PKCE, nonce, `prompt=select_account`, `response_mode=query`."""
        ...

    async def redeem(
        self,
        app: AppIdentity,
        assertion: Secret,
        *,
        code: Secret,
        verifier: Secret,
        nonce: Secret,
        redirect_uri: str,
        scopes: Sequence[str],
    ) -> Redemption:
        """Redeem an authorization code for tokens of one resource."""
        ...

    async def refresh(
        self, app: AppIdentity, assertion: Secret, *, refresh_token: Secret, scopes: Sequence[str]
    ) -> Tokens:
        """Redeem a refresh token for tokens of one resource."""
        ...

    async def prove_secret(self, app: AppIdentity, secret: Secret) -> Proof:
        """Exchange the client secret for an app-only token."""
        ...

    async def prove_assertion(self, app: AppIdentity, assertion: Secret) -> Proof:
        """Exchange a client assertion for an app-only token."""
        ...

    def token_endpoint(self, authority: str) -> str:
        """Return the endpoint's URL: the audience of a client assertion."""
        ...

    def issuer(self, tenant: str) -> str:
        """Return the v2.0 issuer of *tenant*."""
        ...

    async def reachable(self) -> None:
        """Return when Entra's discovery document answers."""
        ...


class ManagedIdentity(Protocol):
    """The deployment's user-assigned managed identity."""

    async def exchange_assertion(self) -> tuple[Secret, datetime]:
        """Return a token for api://AzureADTokenExchange and when it ends."""
        ...

"""What the services need from the world. Adapters implement these; tests/fakes.py does too.

Every method raises `Unavailable` when its dependency does not answer, and says in its docstring
what else it raises. Nothing here names an SDK.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from postern.model.config import AppIdentity
from postern.model.secret import Secret

Value = str | int | bool | float | bytes


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the present, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that time pass."""
        ...


# --- records ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entity. *etag* is None until it was read or written."""

    partition: str
    key: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str | None = None


class Change(StrEnum):
    """What an operation of a transaction does."""

    INSERT = "insert"
    REPLACE = "replace"  # only if the row still has its etag
    PUT = "put"  # whatever is there
    DELETE = "delete"  # only if the row still has its etag; any, when it has none


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a transaction."""

    change: Change
    row: Row


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows in key order and, when there are more, the mark to go on from."""

    rows: Sequence[Row]
    mark: str | None


class Records(Protocol):
    """Rows under (table, partition, key) with conditional writes. No scan has a non-key filter."""

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        """Return the row, or None."""
        ...

    async def insert(self, table: str, row: Row) -> Row:
        """Write a new row; return it with its etag. Raises `AlreadyThere`."""
        ...

    async def replace(self, table: str, row: Row) -> Row:
        """Write the row if it still has its etag. Raises `Conflicting`, also when it is gone."""
        ...

    async def put(self, table: str, row: Row) -> Row:
        """Write the row, whatever is there."""
        ...

    async def delete(self, table: str, row: Row) -> None:
        """Delete the row. With an etag, raises `Conflicting` if it has another one or is gone."""
        ...

    async def transact(self, table: str, operations: Sequence[Operation]) -> None:
        """Do up to 100 operations of one partition, all or none.

        Raises `Conflicting` or `AlreadyThere`, in which case none was done.
        """
        ...

    def rows(
        self, table: str, partition: str, *, first: str = "", before: str = "\x7f"
    ) -> AsyncIterator[Row]:
        """Yield the rows of one partition with first ≤ key < before, in key order."""
        ...

    async def page(
        self, table: str, *, first: str, before: str, limit: int, mark: str | None = None
    ) -> RowPage:
        """Return rows of all partitions with first ≤ partition < before, at most *limit*."""
        ...


# --- vaults -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A secret that the intake vault lists, without its value."""

    name: str
    expires: datetime | None
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What was seen of a removal: None where it was not seen."""

    deleted_at: datetime | None
    purged_at: datetime | None
    gone_at: datetime | None
    recoverable_until: datetime | None


class IntakeVault(Protocol):
    """Holds a pasted client secret for minutes. It allows purge."""

    url: str

    async def put(
        self, name: str, value: Secret, *, expires: datetime, tags: Mapping[str, str]
    ) -> None:
        """Store the secret under a name never used before."""
        ...

    async def remove(self, name: str) -> Purged:
        """Delete, purge, and read the secret and its deleted twin back. Safe to repeat.

        A purge that the vault refuses is not an error: *recoverable_until* tells it.
        """
        ...

    def held(self) -> AsyncIterator[Held]:
        """Yield every secret, also the deleted ones that can be recovered."""
        ...

    async def reachable(self) -> None:
        """Return when the vault answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature and the version of the key that made it."""

    signature: bytes
    key_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """The public part of a vault key's version."""

    key: rsa.RSAPublicKey
    version: str


class KeysVault(Protocol):
    """Signs and wraps with RSA keys that never leave. It has purge protection."""

    async def sign(
        self, key: str, digest: bytes, *, algorithm: str, version: str | None = None
    ) -> Signed:
        """Sign a SHA-256 digest; *algorithm* is RS256 or PS256, the newest version signs."""
        ...

    async def public_keys(self, key: str) -> Sequence[PublicKey]:
        """Return the public part of every version, the newest first."""
        ...

    async def wrap(self, key: str, plain: bytes) -> tuple[bytes, str]:
        """Return (wrapped, key version)."""
        ...

    async def unwrap(self, key: str, version: str, wrapped: bytes) -> bytes:
        """Return what that version wrapped."""
        ...

    async def reachable(self) -> None:
        """Return when the vault answers."""
        ...


# --- identity -----------------------------------------------------------------------------------


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


class Directory(Protocol):
    """Microsoft Graph's `applications`, spoken to as the app itself. All raise `ProviderRefused`;
    status 403 means that the app has no right to change its own registration."""

    async def add_federated_credential(
        self, token: Secret, client_id: str, *, name: str, issuer: str, subject: str
    ) -> None:
        """Trust *subject* of *issuer*; done already is fine."""
        ...

    async def add_certificate(
        self,
        token: Secret,
        client_id: str,
        *,
        name: str,
        der: bytes,
        start: datetime,
        end: datetime,
    ) -> None:
        """Add a certificate beside the ones that are there; done already is fine."""
        ...

    async def password_id(self, token: Secret, client_id: str, secret: Secret) -> str | None:
        """Return the key id of the password *secret*; None when it may be another one's."""
        ...

    async def remove_password(self, token: Secret, client_id: str, key_id: str) -> None:
        """Remove that password from the registration; gone already is fine."""
        ...

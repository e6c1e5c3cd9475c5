"""The app registration, as the app itself may read and change it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from postern.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A password or certificate that the registration lists; *der* where Graph gave the bytes."""

    name: str
    ends: datetime | None
    der: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedCredential:
    """Somebody else's tokens by which the app may be spoken for."""

    name: str
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What Graph shows of a registration.

    *permissions* are the ids of the delegated ones under Microsoft Graph. *consented* are the names
    that an admin allowed for the whole tenant; None when the app may not read that.
    """

    audience: str
    web: tuple[str, ...]
    other_platforms: tuple[str, ...]
    permissions: frozenset[str]
    passwords: tuple[Credential, ...]
    certificates: tuple[Credential, ...]
    federated: tuple[FederatedCredential, ...]
    consented: frozenset[str] | None


class Directory(Protocol):
    """Microsoft Graph's `applications`, spoken to as the app itself. All raise `ProviderRefused`;
    status 403 means that the app has no right to change its own registration."""

    async def registration(self, token: Secret, client_id: str) -> Registration:
        """Return the registration as it stands."""
        ...

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

    async def reachable(self) -> None:
        """Return when Graph answers."""
        ...

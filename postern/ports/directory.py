"""The app registration, as the app itself may change it."""

from datetime import datetime
from typing import Protocol

from postern.model.secret import Secret


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

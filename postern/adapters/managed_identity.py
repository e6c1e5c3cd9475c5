"""The deployment's user-assigned managed identity."""

from datetime import UTC, datetime

from azure.core.exceptions import AzureError
from azure.identity.aio import ManagedIdentityCredential

from postern.errors import Unavailable
from postern.model.cloud import PUBLIC, Cloud
from postern.model.secret import Secret


class EntraManagedIdentity:
    """`ManagedIdentity` over azure-identity; its credential also opens tables and vaults."""

    def __init__(self, client_id: str, cloud: Cloud = PUBLIC) -> None:
        self._scope = f"{cloud.exchange_audience}/.default"
        self.credential = ManagedIdentityCredential(client_id=client_id)

    async def exchange_assertion(self) -> tuple[Secret, datetime]:
        """Return a token that the app registration may trust, and when it ends."""
        try:
            token = await self.credential.get_token(self._scope)
        except AzureError as exc:
            raise Unavailable(
                "identity-unreachable", "The managed identity does not answer; try again."
            ) from exc
        return Secret(token.token), datetime.fromtimestamp(token.expires_on, UTC)

    async def close(self) -> None:
        """Close the connections."""
        await self.credential.close()

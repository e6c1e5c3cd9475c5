"""The intake vault: what is put there is deleted, purged and read back as gone."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import datetime

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets.aio import SecretClient

from postern.adapters.key_vault.failures import translated
from postern.model.secret import Secret
from postern.ports import Clock, Held, Purged

# A deletion is asynchronous; it is polled for this long, and the sweeper finishes later ones.
_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.5


class IntakeKeyVault:
    """`IntakeVault` over a vault that allows purge."""

    def __init__(
        self, url: str, credential: AsyncTokenCredential, clock: Clock, *, verify_challenge: bool
    ) -> None:
        self.url = url
        self._clock = clock
        self._secrets = SecretClient(url, credential, verify_challenge_resource=verify_challenge)

    async def put(
        self, name: str, value: Secret, *, expires: datetime, tags: Mapping[str, str]
    ) -> None:
        """Store the secret."""
        with translated():
            await self._secrets.set_secret(
                name, value.reveal(), expires_on=expires, tags=dict(tags)
            )

    async def remove(self, name: str) -> Purged:
        """Delete, purge, and read both back. Each time is when the fact was seen."""
        with translated():
            deleted_at = await self._delete(name)
            recoverable_until = await self._purge(name)
            purged_at = gone_at = None
            if recoverable_until is None and await self._is_gone(name, deleted=True):
                purged_at = self._clock.now()
                if await self._is_gone(name, deleted=False):
                    gone_at = self._clock.now()
        return Purged(
            deleted_at=deleted_at,
            purged_at=purged_at,
            gone_at=gone_at,
            recoverable_until=recoverable_until,
        )

    async def held(self) -> AsyncIterator[Held]:
        """Yield every secret, also the deleted ones."""
        with translated():
            async for each in self._secrets.list_properties_of_secrets():
                yield Held(name=str(each.name), expires=each.expires_on, deleted=False)
            async for gone in self._secrets.list_deleted_secrets():
                yield Held(name=str(gone.name), expires=gone.properties.expires_on, deleted=True)

    async def reachable(self) -> None:
        """Return when the vault answers."""
        with translated():
            async for _ in self._secrets.list_properties_of_secrets(max_page_size=1):
                break

    async def close(self) -> None:
        """Close the connections."""
        await self._secrets.close()

    async def _delete(self, name: str) -> datetime | None:
        # Not found: deleted before, or never arrived; reading back decides.
        with suppress(ResourceNotFoundError):
            # Polls until the deleted secret can be seen.
            await self._secrets.delete_secret(name, _polling_interval=_POLL_SECONDS)
        return self._clock.now() if await self._is_gone(name, deleted=False) else None

    async def _purge(self, name: str) -> datetime | None:
        """Purge; return until when the secret stays recoverable if the vault refuses."""
        try:
            await self._secrets.purge_deleted_secret(name)
        except ResourceNotFoundError:
            return None
        except HttpResponseError as exc:
            if exc.status_code not in {403, 409}:
                raise
            deleted = await self._secrets.get_deleted_secret(name)
            return deleted.scheduled_purge_date
        waited = 0.0
        while not await self._is_gone(name, deleted=True) and waited < _PATIENCE_SECONDS:
            await self._clock.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
        return None

    async def _is_gone(self, name: str, *, deleted: bool) -> bool:
        try:
            if deleted:
                await self._secrets.get_deleted_secret(name)
            else:
                await self._secrets.get_secret(name)
        except ResourceNotFoundError:
            return True
        return False

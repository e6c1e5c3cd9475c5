"""Both vaults in Azure Key Vault: the intake of client secrets, and the keys."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from azure.keyvault.secrets.aio import SecretClient
from cryptography.hazmat.primitives.asymmetric import rsa

from postern.errors import Unavailable
from postern.model.secret import Secret
from postern.ports import Clock, Held, PublicKey, Purged, Signed

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
        with _translated():
            await self._secrets.set_secret(
                name, value.reveal(), expires_on=expires, tags=dict(tags)
            )

    async def remove(self, name: str) -> Purged:
        """Delete, purge, and read both back. Each time is when the fact was seen."""
        with _translated():
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
        with _translated():
            async for each in self._secrets.list_properties_of_secrets():
                yield Held(name=str(each.name), expires=each.expires_on, deleted=False)
            async for gone in self._secrets.list_deleted_secrets():
                yield Held(name=str(gone.name), expires=gone.properties.expires_on, deleted=True)

    async def reachable(self) -> None:
        """Return when the vault answers."""
        with _translated():
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


class KeysKeyVault:
    """`KeysVault` over a vault with purge protection. Keys are made by infra/, never here."""

    def __init__(
        self, url: str, credential: AsyncTokenCredential, *, verify_challenge: bool
    ) -> None:
        self._url = url.rstrip("/")
        self._credential = credential
        self._verify = verify_challenge
        self._keys = KeyClient(url, credential, verify_challenge_resource=verify_challenge)
        self._clients: dict[str, CryptographyClient] = {}
        self._public: dict[str, PublicKey] = {}

    async def sign(
        self, key: str, digest: bytes, *, algorithm: str, version: str | None = None
    ) -> Signed:
        """Sign a digest in the vault."""
        with _translated():
            version = version or (await self._newest(key)).version
            result = await self._client(key, version).sign(SignatureAlgorithm(algorithm), digest)
        return Signed(signature=result.signature, key_version=version)

    async def public_keys(self, key: str) -> Sequence[PublicKey]:
        """Return the public part of every enabled version, the newest first."""
        with _translated():
            versions = [
                each
                async for each in self._keys.list_properties_of_key_versions(key)
                if each.enabled is not False
            ]
            # Creation is told in whole seconds only, so the vault says itself which is newest.
            newest = (await self._newest(key)).version
            versions.sort(
                key=lambda each: (each.version == newest, each.created_on or _EPOCH), reverse=True
            )
            return [await self._version(key, str(each.version)) for each in versions]

    async def wrap(self, key: str, plain: bytes) -> tuple[bytes, str]:
        """Wrap with the newest version."""
        with _translated():
            version = (await self._newest(key)).version
            result = await self._client(key, version).wrap_key(KeyWrapAlgorithm.rsa_oaep_256, plain)
        return result.encrypted_key, version

    async def unwrap(self, key: str, version: str, wrapped: bytes) -> bytes:
        """Unwrap in the vault."""
        with _translated():
            result = await self._client(key, version).unwrap_key(
                KeyWrapAlgorithm.rsa_oaep_256, wrapped
            )
        return result.key

    async def reachable(self) -> None:
        """Return when the vault answers."""
        with _translated():
            await self._keys.get_key("data-wrapping")

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()
        await self._keys.close()

    async def _newest(self, key: str) -> PublicKey:
        return await self._version(key, None)

    async def _version(self, key: str, version: str | None) -> PublicKey:
        known = self._public.get(f"{key}/{version}")
        if version is not None and known is not None:
            return known
        found = await self._keys.get_key(key, version)
        web_key: Any = found.key  # its members are set at run time
        numbers = rsa.RSAPublicNumbers(
            e=int.from_bytes(web_key.e, "big"), n=int.from_bytes(web_key.n, "big")
        )
        public = PublicKey(key=numbers.public_key(), version=str(found.properties.version))
        self._public[f"{key}/{public.version}"] = public
        return public

    def _client(self, key: str, version: str) -> CryptographyClient:
        name = f"{key}/{version}"
        if name not in self._clients:
            self._clients[name] = CryptographyClient(
                f"{self._url}/keys/{name}",
                self._credential,
                verify_challenge_resource=self._verify,
            )
        return self._clients[name]


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except HttpResponseError as exc:
        code = "access-refused" if exc.status_code in {401, 403} else "vault-failed"
        raise Unavailable(code, "The vault answered with an error; try again.") from exc
    except AzureError as exc:
        raise Unavailable("vault-unreachable", "The vault does not answer; try again.") from exc

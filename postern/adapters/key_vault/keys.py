"""The keys vault: signs, wraps and unwraps with keys that never leave it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from cryptography.hazmat.primitives.asymmetric import rsa

from postern.adapters.key_vault.failures import translated
from postern.ports import PublicKey, Signed

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


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
        with translated():
            version = version or (await self._newest(key)).version
            result = await self._client(key, version).sign(SignatureAlgorithm(algorithm), digest)
        return Signed(signature=result.signature, key_version=version)

    async def public_keys(self, key: str) -> Sequence[PublicKey]:
        """Return the public part of every enabled version, the newest first."""
        with translated():
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
        with translated():
            version = (await self._newest(key)).version
            result = await self._client(key, version).wrap_key(KeyWrapAlgorithm.rsa_oaep_256, plain)
        return result.encrypted_key, version

    async def unwrap(self, key: str, version: str, wrapped: bytes) -> bytes:
        """Unwrap in the vault."""
        with translated():
            result = await self._client(key, version).unwrap_key(
                KeyWrapAlgorithm.rsa_oaep_256, wrapped
            )
        return result.key

    async def reachable(self) -> None:
        """Return when the vault answers."""
        with translated():
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

"""The data keys of each config, unwrapped once per process."""

import asyncio
import base64
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from postern.crypto.sealing import KeyRing, new_key_id
from postern.model.config import Config, DataKey
from postern.ports import KeysVault

WRAPPING_KEY = "data-wrapping"


class KeyRings:
    """Makes and opens key rings. Vault calls grow with configs × processes, not mailboxes."""

    def __init__(self, vault: KeysVault) -> None:
        self._vault = vault
        self._rings: dict[tuple[str, ...], asyncio.Future[KeyRing]] = {}

    async def new_key(self) -> DataKey:
        """Return a new data key, wrapped."""
        wrapped, version = await self._vault.wrap(WRAPPING_KEY, secrets.token_bytes(32))
        return DataKey(id=new_key_id(), kek=version, wrapped=base64.b64encode(wrapped).decode())

    async def of(self, config: Config) -> KeyRing:
        """Return the config's ring; many callers at once share one unwrapping."""
        known = (config.id, *(key.id for key in config.data_keys))
        if known not in self._rings:
            ring = asyncio.ensure_future(self._unwrap(config))
            self._rings[known] = ring
            ring.add_done_callback(lambda done: self._forget_if_failed(known, done))
        return await asyncio.shield(self._rings[known])

    def _forget_if_failed(self, known: tuple[str, ...], ring: asyncio.Future[KeyRing]) -> None:
        failed = ring.cancelled() or ring.exception() is not None
        if failed and self._rings.get(known) is ring:
            del self._rings[known]  # the next call tries again

    async def _unwrap(self, config: Config) -> KeyRing:
        plain = await asyncio.gather(
            *(
                self._vault.unwrap(WRAPPING_KEY, key.kek, base64.b64decode(key.wrapped))
                for key in config.data_keys
            )
        )
        ciphers = {key.id: AESGCM(data) for key, data in zip(config.data_keys, plain, strict=True)}
        return KeyRing(newest=config.data_keys[-1].id, ciphers=ciphers)

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
            self._rings[known] = asyncio.ensure_future(self._unwrap(config))
        ring = self._rings[known]
        try:
            return await asyncio.shield(ring)
        except BaseException:
            # A failed unwrapping is not remembered; the next call tries again.
            if ring.done() and (ring.cancelled() or ring.exception()):
                self._rings.pop(known, None)
            raise

    async def _unwrap(self, config: Config) -> KeyRing:
        plain = await asyncio.gather(
            *(
                self._vault.unwrap(WRAPPING_KEY, key.kek, base64.b64decode(key.wrapped))
                for key in config.data_keys
            )
        )
        ciphers = {key.id: AESGCM(data) for key, data in zip(config.data_keys, plain, strict=True)}
        return KeyRing(newest=config.data_keys[-1].id, ciphers=ciphers)

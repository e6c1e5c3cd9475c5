"""A keys vault in this process that counts: what is measured is how often the app asks."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from postern.ports import PublicKey, Signed

_VERSION = "bench"
# About what a call to a vault of the same region takes: long enough for callers to pile up.
_LATENCY_SECONDS = 0.02
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH),
}


class CountingVault:
    """`KeysVault` with one real RSA key for everything; several processes may share it."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self.counts: Counter[str] = Counter()

    @classmethod
    def new(cls) -> "CountingVault":
        """Return a vault with a new key."""
        return cls(rsa.generate_private_key(public_exponent=65_537, key_size=2048))

    @classmethod
    def opened(cls, pem: str) -> "CountingVault":
        """Return the vault of another process."""
        key = serialization.load_pem_private_key(pem.encode(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            msg = "not an RSA key"
            raise TypeError(msg)
        return cls(key)

    @property
    def pem(self) -> str:
        """Return the key, to be opened by another process of the same benchmark."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    async def sign(
        self, key: str, digest: bytes, *, algorithm: str, version: str | None = None
    ) -> Signed:
        """Sign a SHA-256 digest."""
        await self._called("sign")
        signature = self._key.sign(digest, _PADDINGS[algorithm], Prehashed(hashes.SHA256()))
        return Signed(signature=signature, key_version=version or _VERSION)

    async def public_keys(self, key: str) -> Sequence[PublicKey]:
        """Return the one version there is."""
        await self._called("public_keys")
        return [PublicKey(key=self._key.public_key(), version=_VERSION)]

    async def wrap(self, key: str, plain: bytes) -> tuple[bytes, str]:
        """Wrap a data key."""
        await self._called("wrap")
        return self._key.public_key().encrypt(plain, _OAEP), _VERSION

    async def unwrap(self, key: str, version: str, wrapped: bytes) -> bytes:
        """Unwrap a data key."""
        await self._called("unwrap")
        return self._key.decrypt(wrapped, _OAEP)

    async def reachable(self) -> None:
        """Answer."""
        await self._called("reachable")

    async def _called(self, operation: str) -> None:
        self.counts[operation] += 1
        await asyncio.sleep(_LATENCY_SECONDS)

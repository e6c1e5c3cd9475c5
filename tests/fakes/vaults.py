"""Both vaults in memory: soft delete that takes its time, and real keys that never leave."""

import functools
import hashlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from postern.errors import Unavailable
from postern.model.secret import Secret
from postern.ports import (
    Held,
    PublicKey,
    Purged,
    Signed,
)
from tests.fakes.clock import FakeClock
from tests.fakes.tape import Tape


@dataclass(slots=True)
class _Kept:
    value: Secret
    expires: datetime
    settles: datetime
    deleted: datetime | None = None
    purged: bool = False


class FakeIntakeVault:
    """Soft delete, then purge, both asynchronous: *delay* passes before either can be seen."""

    def __init__(
        self,
        clock: FakeClock,
        tape: Tape | None = None,
        *,
        purge_protection: bool = False,
        delay: timedelta = timedelta(seconds=2),
        retention: timedelta = timedelta(days=7),
        patience: timedelta = timedelta(seconds=30),
    ) -> None:
        self.url = "https://intake.vault.azure.net"
        self.clock = clock
        self.tape = tape or Tape()
        self.purge_protection = purge_protection
        self.delay = delay
        self.retention = retention
        self.patience = patience
        self._kept: dict[str, _Kept] = {}

    def secrets(self) -> dict[str, Secret]:
        """Return every value that can still be got at: live, or deleted and recoverable."""
        return {name: kept.value for name, kept in self._kept.items() if not self._over(kept)}

    async def put(
        self, name: str, value: Secret, *, expires: datetime, tags: Mapping[str, str]
    ) -> None:
        """Store the secret. A name that is deleted but recoverable is taken (409)."""
        async with self.tape.call("intake.put"):
            usable = name.isascii() and name.replace("-", "").isalnum() and len(name) <= 127
            small = len(value.reveal()) <= 25_600 and len(tags) <= 15
            if not (usable and small) or (name in self._kept and not self._over(self._kept[name])):
                raise Unavailable("vault-failed", "The vault answered with an error; try again.")
            self._kept[name] = _Kept(value, expires, settles=self.clock.now())

    async def remove(self, name: str) -> Purged:
        """Delete, purge and look again, as long as there is patience."""
        async with self.tape.call("intake.remove"):
            kept = self._kept.get(name)
            if kept is None or self._over(kept):
                now = self.clock.now()
                return Purged(deleted_at=now, purged_at=now, gone_at=now, recoverable_until=None)
            if kept.deleted is None:
                kept.deleted = self.clock.now()
                kept.settles = self.clock.now() + self.delay
            if not kept.purged and not await self._settled(kept):
                return Purged(deleted_at=None, purged_at=None, gone_at=None, recoverable_until=None)
            deleted_at = self.clock.now()
            if self.purge_protection:
                until = kept.deleted + self.retention
                return Purged(
                    deleted_at=deleted_at, purged_at=None, gone_at=None, recoverable_until=until
                )
            if not kept.purged:
                kept.purged = True
                kept.settles = self.clock.now() + self.delay
            gone = self.clock.now() if await self._settled(kept) else None
            return Purged(
                deleted_at=deleted_at, purged_at=gone, gone_at=gone, recoverable_until=None
            )

    async def held(self) -> AsyncIterator[Held]:
        """Yield every secret, also the deleted ones that can be recovered."""
        async with self.tape.call("intake.held"):
            kept = [(name, each) for name, each in self._kept.items() if not self._over(each)]
        for name, each in kept:
            yield Held(name=name, expires=each.expires, deleted=each.deleted is not None)

    async def reachable(self) -> None:
        """Return when the vault answers."""
        async with self.tape.call("intake.reachable"):
            return

    def _over(self, kept: _Kept) -> bool:
        return kept.purged and self.clock.now() >= kept.settles

    async def _settled(self, kept: _Kept) -> bool:
        until = self.clock.now() + self.patience
        while self.clock.now() < kept.settles:
            if self.clock.now() >= until:
                return False
            await self.clock.sleep(0.5)
        return True


@functools.cache
def _rsa_key(number: int) -> rsa.RSAPrivateKey:
    """Return one of a few real keys, made once: making one takes a tenth of a second."""
    return rsa.generate_private_key(65_537, 2048)


_SIGN, _WRAP = "sign", "wrap"
VAULT_KEYS = {"client-assertion": _SIGN, "receipts": _SIGN, "data-wrapping": _WRAP}
_PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), 32),
}
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class FakeKeysVault:
    """Real RSA keys that do only what they were made for, in versions."""

    def __init__(self, tape: Tape | None = None) -> None:
        self.tape = tape or Tape()
        self._use = VAULT_KEYS
        self._versions: dict[str, list[tuple[str, rsa.RSAPrivateKey]]] = {}
        self._made = itertools.count()
        for name in VAULT_KEYS:
            self.rotate(name)

    def rotate(self, name: str) -> None:
        """Make a new version of a key; it is the newest."""
        number = next(self._made)
        version = hashlib.sha256(f"{name}{number}".encode()).hexdigest()[:32]
        self._versions.setdefault(name, []).insert(0, (version, _rsa_key(number)))

    async def sign(
        self, key: str, digest: bytes, *, algorithm: str, version: str | None = None
    ) -> Signed:
        """Sign a SHA-256 digest."""
        async with self.tape.call("keys.sign"):
            its_version, private = self._find(key, version, _SIGN)
            if len(digest) != 32:
                raise _vault_failed()
            signature = private.sign(digest, _PADDINGS[algorithm], Prehashed(hashes.SHA256()))
            return Signed(signature=signature, key_version=its_version)

    async def public_keys(self, key: str) -> Sequence[PublicKey]:
        """Return every version's public part, the newest first."""
        async with self.tape.call("keys.public_keys"):
            self._find(key, None, None)
            return [
                PublicKey(key=private.public_key(), version=version)
                for version, private in self._versions[key]
            ]

    async def wrap(self, key: str, plain: bytes) -> tuple[bytes, str]:
        """Wrap with the newest version."""
        async with self.tape.call("keys.wrap"):
            version, private = self._find(key, None, _WRAP)
            return private.public_key().encrypt(plain, _OAEP), version

    async def unwrap(self, key: str, version: str, wrapped: bytes) -> bytes:
        """Return what that version wrapped."""
        async with self.tape.call("keys.unwrap"):
            _, private = self._find(key, version, _WRAP)
            try:
                return private.decrypt(wrapped, _OAEP)
            except ValueError as exc:
                raise _vault_failed() from exc

    async def reachable(self) -> None:
        """Return when the vault answers."""
        async with self.tape.call("keys.reachable"):
            return

    def _find(
        self, key: str, version: str | None, use: str | None
    ) -> tuple[str, rsa.RSAPrivateKey]:
        versions = self._versions.get(key, [])
        found = [each for each in versions if version in (None, each[0])]
        if not found:
            raise _vault_failed()
        if use not in (None, self._use[key]):
            raise Unavailable("access-refused", "The vault answered with an error; try again.")
        return found[0]


def _vault_failed() -> Unavailable:
    return Unavailable("vault-failed", "The vault answered with an error; try again.")

"""Where a client secret is for minutes, and where the keys stay for good."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from postern.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A secret that the intake vault lists, without its value."""

    name: str
    expires: datetime | None
    deleted: bool

    def past(self, now: datetime) -> bool:
        """Say whether it is past its deadline, or never had one."""
        return self.expires is None or self.expires <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What was seen of a removal: None where it was not seen."""

    deleted_at: datetime | None
    purged_at: datetime | None
    gone_at: datetime | None
    recoverable_until: datetime | None


class IntakeVault(Protocol):
    """Holds a pasted client secret for minutes. It allows purge."""

    url: str

    async def put(
        self, name: str, value: Secret, *, expires: datetime, tags: Mapping[str, str]
    ) -> None:
        """Store the secret under a name never used before."""
        ...

    async def remove(self, name: str) -> Purged:
        """Delete, purge, and read the secret and its deleted twin back. Safe to repeat.

        A purge that the vault refuses is not an error: *recoverable_until* tells it.
        """
        ...

    def held(self) -> AsyncIterator[Held]:
        """Yield every secret, also the deleted ones that can be recovered."""
        ...

    async def reachable(self) -> None:
        """Return when the vault answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature and the version of the key that made it."""

    signature: bytes
    key_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """The public part of a vault key's version."""

    key: rsa.RSAPublicKey
    version: str


class KeysVault(Protocol):
    """Signs and wraps with RSA keys that never leave. It has purge protection."""

    async def sign(
        self, key: str, digest: bytes, *, algorithm: str, version: str | None = None
    ) -> Signed:
        """Sign a SHA-256 digest; *algorithm* is RS256 or PS256, the newest version signs."""
        ...

    async def public_keys(self, key: str) -> Sequence[PublicKey]:
        """Return the public part of every version, the newest first."""
        ...

    async def wrap(self, key: str, plain: bytes) -> tuple[bytes, str]:
        """Return (wrapped, key version)."""
        ...

    async def unwrap(self, key: str, version: str, wrapped: bytes) -> bytes:
        """Return what that version wrapped."""
        ...

    async def reachable(self) -> None:
        """Return when the vault answers."""
        ...

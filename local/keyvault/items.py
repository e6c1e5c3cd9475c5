"""What soft deletion keeps of a name: its versions, its phase and when that phase ends."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar


class Versioned(Protocol):
    @property
    def version(self) -> str: ...


V = TypeVar("V", bound=Versioned)


class Phase(StrEnum):
    ACTIVE = "active"
    DELETING = "deleting"
    DELETED = "deleted"
    PURGING = "purging"
    RESERVED = "reserved"  # erased, but the name is not free yet
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the vault was created with; purge protection can never be switched off again."""

    purge_protection: bool = False
    retention_days: int = 7
    deletion_delay: float = 0.2

    @property
    def recovery_level(self) -> str:
        level = "Recoverable" if self.retention_days == 90 else "CustomizedRecoverable"
        return level if self.purge_protection else f"{level}+Purgeable"


@dataclass(slots=True, kw_only=True)
class Item(Generic[V]):
    """A name with its versions, oldest first, and where it stands between use and oblivion."""

    name: str
    versions: list[V] = field(default_factory=list)
    phase: Phase = Phase.ACTIVE
    until: float = math.inf
    deleted_at: float = 0
    purge_at: float = 0

    def enter(self, phase: Phase, until: float = math.inf) -> None:
        self.phase, self.until = phase, until

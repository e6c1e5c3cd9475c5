"""Soft deletion as a state machine: what naive code gets wrong first.

Deletion, purge and recovery answer at once and take effect a moment later. Between those moments
the name can be neither read, purged nor used again, and code that does not poll fails here as it
does against the service.

active -> deleting -> deleted -> purging -> reserved -> gone
              active <- recovering <-'
"""

from collections.abc import Iterator
from typing import Generic

from local.keyvault.errors import (
    refuse_conflict,
    refuse_forbidden,
    refuse_unknown,
    refuse_unknown_deleted,
)
from local.keyvault.items import Item, Phase, Rules, V
from local.serving import Clock

_DAY = 86_400


class Shelf(Generic[V]):
    """All items of one kind in one vault."""

    def __init__(self, noun: str, rules: Rules, clock: Clock) -> None:
        self.noun, self.rules, self._clock = noun, rules, clock
        self.items: dict[str, Item[V]] = {}

    def active(self, name: str) -> Item[V]:
        item = self.items.get(name)
        if item is None or item.phase is not Phase.ACTIVE:
            refuse_unknown(self.noun, name)
        return item

    def version(self, name: str, version: str) -> V:
        """The version asked for, or the newest one when none is named."""
        versions = self.active(name).versions
        if not version:
            return versions[-1]
        for held in versions:
            if held.version == version:
                return held
        refuse_unknown(self.noun, f"{name}/{version}")

    def add(self, name: str, version: V) -> None:
        item = self.items.setdefault(name, Item(name=name))
        match item.phase:
            case Phase.DELETED:
                refuse_conflict(
                    f"{self.noun} {name} is currently in a deleted but recoverable state, and its "
                    f"name cannot be reused; in this state, the {self.noun.lower()} can only be "
                    "recovered or purged.",
                    "ObjectIsDeletedButRecoverable",
                )
            case Phase.RECOVERING:
                refuse_conflict(
                    f"{self.noun} {name} is currently being recovered and cannot be re-created; "
                    "retry later.",
                    "ObjectIsBeingRecovered",
                )
            case Phase.DELETING | Phase.PURGING | Phase.RESERVED:
                refuse_conflict(
                    f"{self.noun} {name} is currently being deleted and cannot be re-created; "
                    "retry later.",
                    "ObjectIsBeingDeleted",
                )
        item.versions.append(version)

    def replace(self, name: str, version: V) -> None:
        versions = self.active(name).versions
        place = [held.version for held in versions].index(version.version)
        versions[place] = version

    def delete(self, name: str) -> Item[V]:
        item, now = self.active(name), self._clock.now()
        item.deleted_at = now
        item.purge_at = now + self.rules.retention_days * _DAY
        item.enter(Phase.DELETING, now + self.rules.deletion_delay)
        return item

    def deleted(self, name: str) -> Item[V]:
        item = self.items.get(name)
        if item is None or item.phase not in (Phase.DELETED, Phase.PURGING):
            refuse_unknown_deleted(self.noun, name)
        return item

    def purge(self, name: str) -> None:
        if self.rules.purge_protection:
            refuse_forbidden(
                'Operation "purge" is not allowed because purge protection is enabled for this '
                "vault. Key Vault service will automatically purge it after the retention period "
                "has passed."
            )
        self._settled(name).enter(Phase.PURGING, self._clock.now() + self.rules.deletion_delay)

    def recover(self, name: str) -> Item[V]:
        item = self._settled(name)
        item.enter(Phase.RECOVERING, self._clock.now() + self.rules.deletion_delay)
        return item

    def _settled(self, name: str) -> Item[V]:
        """A deleted item that nothing is under way for."""
        item = self.items.get(name)
        if item is not None and item.phase in (Phase.DELETING, Phase.PURGING):
            refuse_conflict(f"{self.noun} is currently being deleted.", "ObjectIsBeingDeleted")
        return self.deleted(name)

    def listed(self, *phases: Phase) -> Iterator[Item[V]]:
        """Items in these phases, by name: the order paging relies on."""
        return (self.items[name] for name in sorted(self.items) if self.items[name].phase in phases)

    def settle(self) -> bool:
        """Let due changes take effect and erase what is purged; true when anything changed."""
        now = self._clock.now()
        due = [item for item in self.items.values() if item.until <= now]
        for item in due:
            match item.phase:
                case Phase.DELETING:
                    item.enter(Phase.DELETED, item.purge_at)
                case Phase.RECOVERING:
                    item.enter(Phase.ACTIVE)
                case Phase.PURGING | Phase.DELETED:
                    item.versions.clear()
                    item.enter(Phase.RESERVED, now + self.rules.deletion_delay)
                case _:
                    del self.items[item.name]
        return bool(due)

"""One vault: two shelves, its rules, and the file that lets it survive a restart."""

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from local.keyvault.items import Item, Phase, Rules
from local.keyvault.records import KeyVersion, SecretVersion
from local.keyvault.shelf import Shelf
from local.serving import Clock

R = TypeVar("R", SecretVersion, KeyVersion)


@dataclass(slots=True, kw_only=True)
class Vault:
    name: str
    rules: Rules
    clock: Clock
    secrets: Shelf[SecretVersion]
    keys: Shelf[KeyVersion]
    file: Path | None = None

    @classmethod
    def open(cls, name: str, rules: Rules, clock: Clock, file: Path | None) -> "Vault":
        """Open the vault, with what the state file holds if there is one."""
        vault = cls(
            name=name,
            rules=rules,
            clock=clock,
            secrets=Shelf("Secret", rules, clock),
            keys=Shelf("Key", rules, clock),
            file=file,
        )
        if file is not None:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A writer that was killed half-way leaves its temporary file, with values in it.
            for leftover in file.parent.glob(f".{file.name}.*.tmp"):
                leftover.unlink()
            if file.exists():
                state = json.loads(file.read_text(encoding="utf-8"))
                _load(vault.secrets, state["secrets"], SecretVersion)
                _load(vault.keys, state["keys"], KeyVersion)
        vault.settle()
        return vault

    def settle(self) -> None:
        """Let due deletions and purges take effect, in the file as well."""
        # Both shelves, whatever the first one says: hence no short-circuiting `or`.
        if any([self.secrets.settle(), self.keys.settle()]):
            self.save()

    def save(self) -> None:
        """Write the state so that a reader sees the old file or the new one, never a mixture."""
        if self.file is None:
            return
        state = {"secrets": _dump(self.secrets), "keys": _dump(self.keys)}
        # mkstemp makes the file readable by its owner only, before anything is in it.
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{self.file.name}.", suffix=".tmp", dir=self.file.parent
        )
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as writer:
                json.dump(state, writer)
                writer.flush()
                os.fsync(writer.fileno())
            Path(temporary).replace(self.file)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(temporary).unlink()
            raise


def _dump(shelf: Shelf[Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": item.name,
            "phase": item.phase,
            # JSON has no infinity: null stands for "until something is asked of it".
            "until": None if item.phase is Phase.ACTIVE else item.until,
            "deleted_at": item.deleted_at,
            "purge_at": item.purge_at,
            "versions": [version.as_record() for version in item.versions],
        }
        for item in shelf.items.values()
    ]


def _load(shelf: Shelf[R], records: list[dict[str, Any]], kind: type[R]) -> None:
    for record in records:
        item: Item[R] = Item(
            name=record["name"],
            versions=[kind.from_record(version) for version in record["versions"]],
            deleted_at=record["deleted_at"],
            purge_at=record["purge_at"],
        )
        if record["until"] is not None:
            item.enter(Phase(record["phase"]), record["until"])
        shelf.items[item.name] = item

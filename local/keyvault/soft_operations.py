"""The operations secrets and keys have in common: listing, deleting, purging, recovering."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from local.keyvault.calls import Answer, Call, Operation, page
from local.keyvault.items import Item, Phase, Rules, V
from local.keyvault.records import Attributes
from local.keyvault.shelf import Shelf
from local.keyvault.vault import Vault


def described(attributes: Attributes, rules: Rules) -> dict[str, Any]:
    """Attributes as the service answers them, with what the vault's rules add."""
    return attributes.as_json() | {
        "recoveryLevel": rules.recovery_level,
        "recoverableDays": rules.retention_days,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftOperations(Generic[V]):
    """`bundle` describes an item in full (never with a secret's value), `entry` in a list."""

    word: str
    shelf: Callable[[Vault], Shelf[V]]
    bundle: Callable[[Vault, Call, V], dict[str, Any]]
    entry: Callable[[Vault, Call, str, V], dict[str, Any]]

    def all(self) -> tuple[Operation, ...]:
        word, gone = self.word, f"deleted{self.word}"
        return (
            Operation(method="GET", path=f"/{word}", right=f"{word}/list", perform=self.list),
            Operation(
                method="GET",
                path=f"/{word}/{{name}}/versions",
                right=f"{word}/list",
                perform=self.list_versions,
            ),
            Operation(
                method="DELETE",
                path=f"/{word}/{{name}}",
                right=f"{word}/delete",
                perform=self.delete,
                changes=True,
            ),
            Operation(
                method="GET", path=f"/{gone}", right=f"{word}/list", perform=self.list_deleted
            ),
            Operation(
                method="GET",
                path=f"/{gone}/{{name}}",
                right=f"{word}/get",
                perform=self.get_deleted,
            ),
            Operation(
                method="DELETE",
                path=f"/{gone}/{{name}}",
                right=f"{word}/purge",
                perform=self.purge,
                changes=True,
            ),
            Operation(
                method="POST",
                path=f"/{gone}/{{name}}/recover",
                right=f"{word}/recover",
                perform=self.recover,
                changes=True,
            ),
        )

    def list(self, vault: Vault, call: Call) -> Answer:
        items = self.shelf(vault).listed(Phase.ACTIVE)
        # A list names items without a version, though it shows the newest one's attributes.
        return page(
            call,
            ((i.name, self.entry(vault, call, i.name, i.versions[-1])) for i in items),
        )

    def list_versions(self, vault: Vault, call: Call) -> Answer:
        versions = sorted(self.shelf(vault).active(call.name).versions, key=lambda v: v.version)
        return page(
            call,
            ((v.version, self.entry(vault, call, f"{call.name}/{v.version}", v)) for v in versions),
        )

    def delete(self, vault: Vault, call: Call) -> Answer:
        return 200, self._farewell(vault, call, self.shelf(vault).delete(call.name))

    def list_deleted(self, vault: Vault, call: Call) -> Answer:
        items = self.shelf(vault).listed(Phase.DELETED, Phase.PURGING)
        return page(
            call,
            (
                (
                    i.name,
                    self.entry(vault, call, i.name, i.versions[-1]) | self._dates(call, i),
                )
                for i in items
            ),
        )

    def get_deleted(self, vault: Vault, call: Call) -> Answer:
        return 200, self._farewell(vault, call, self.shelf(vault).deleted(call.name))

    def purge(self, vault: Vault, call: Call) -> Answer:
        self.shelf(vault).purge(call.name)
        return 204, None

    def recover(self, vault: Vault, call: Call) -> Answer:
        item = self.shelf(vault).recover(call.name)
        return 200, self.bundle(vault, call, item.versions[-1])

    def _farewell(self, vault: Vault, call: Call, item: Item[V]) -> dict[str, Any]:
        return self.bundle(vault, call, item.versions[-1]) | self._dates(call, item)

    def _dates(self, call: Call, item: Item[V]) -> dict[str, Any]:
        return {
            "recoveryId": f"{call.base}/deleted{self.word}/{item.name}",
            "deletedDate": int(item.deleted_at),
            "scheduledPurgeDate": int(item.purge_at),
        }

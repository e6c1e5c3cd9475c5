"""The built-in roles that this deployment uses, and what each allows.

From Azure's role definitions (stored copies of Microsoft's page on built-in roles and of
azadvertizer, 2024-09 to 2026-08; the queue's and the publisher's from memory), not
checked live: `az role definition list --name <role>` shows the present ones.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """A role: what it allows on data, and what through Resource Manager."""

    name: str
    data: tuple[str, ...]
    management: tuple[str, ...] = ()


_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_MESSAGES = "Microsoft.Storage/storageAccounts/queueServices/queues/messages"
_QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"
_ENTITIES = "Microsoft.Storage/storageAccounts/tableServices/tables/entities"
_TABLES = "Microsoft.Storage/storageAccounts/tableServices/tables"

BUILT_IN = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": Role(
        "Storage Blob Data Owner",
        (f"{_BLOBS}/containers/blobs/*",),
        (f"{_BLOBS}/containers/*", f"{_BLOBS}/generateUserDelegationKey/action"),
    ),
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": Role(
        "Storage Queue Data Contributor",
        tuple(f"{_MESSAGES}/{each}" for each in ("delete", "read", "write", "process/action")),
        tuple(f"{_QUEUES}/{each}" for each in ("delete", "read", "write")),
    ),
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": Role(
        "Storage Table Data Contributor",
        tuple(
            f"{_ENTITIES}/{each}"
            for each in ("read", "write", "delete", "add/action", "update/action")
        ),
        tuple(f"{_TABLES}/{each}" for each in ("read", "write", "delete")),
    ),
    "3913510d-42f4-4e42-8a64-420c390055eb": Role(
        "Monitoring Metrics Publisher",
        ("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
        (
            "Microsoft.Insights/Register/Action",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Support/*",
        ),
    ),
}

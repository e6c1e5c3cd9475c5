"""Saves every row of the tables into a folder, and puts a saved folder back.

Azure has no backup of Table Storage: copies protect from a lost region, not from a mistake. What is
saved is what the tables hold: tokens sealed under keys that only the keys vault unwraps, hashes of
keys and links, and addresses of mailboxes in the clear. Keep the folder as you keep personal data.

    python scripts/tables.py save https://<account>.table.core.windows.net backup/
    python scripts/tables.py load https://<account>.table.core.windows.net backup/

It signs in as `az login` did, and needs Storage Table Data Reader to save, Contributor to load.
"""

import argparse
import base64
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.data.tables import (  # noqa: TID251 - an operator's tool, no part of the app
    EdmType,
    EntityProperty,
    TableClient,
    TableServiceClient,
)
from azure.identity import AzureCliCredential  # noqa: TID251

_LARGEST_TRANSACTION = 100
# The Functions host's own tables: its diagnostics, nothing to keep.
_THE_HOSTS = "AzureFunctions"


def save(service: TableServiceClient, folder: Path) -> dict[str, int]:
    """Write a file for each table, a line for each row; return how many rows each has."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    counts = {}
    for table in sorted(each.name for each in service.list_tables()):
        if table.startswith(_THE_HOSTS):
            continue
        path = folder / f"{table}.jsonl"
        path.touch(mode=0o600)
        with path.open("w") as file:
            counts[table] = 0
            for entity in service.get_table_client(table).list_entities():
                row = {name: _to_json(value) for name, value in entity.items()}
                file.write(json.dumps(row, sort_keys=True) + "\n")
                counts[table] += 1
    return counts


def load(service: TableServiceClient, folder: Path) -> dict[str, int]:
    """Put every saved row back, over what is there; rows that were not saved stay."""
    counts = {}
    for path in sorted(folder.glob("*.jsonl")):
        client = service.get_table_client(path.stem)
        with path.open() as file:
            rows = ({k: _from_json(v) for k, v in json.loads(line).items()} for line in file)
            counts[path.stem] = sum(_put(client, batch) for batch in _batches(rows))
    return counts


def _put(client: TableClient, batch: list[dict[str, Any]]) -> int:
    client.submit_transaction([("upsert", row, {"mode": "replace"}) for row in batch])
    return len(batch)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Group rows of one partition; a table gives its rows in the order of their keys."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        full = len(batch) == _LARGEST_TRANSACTION
        if batch and (full or row["PartitionKey"] != batch[0]["PartitionKey"]):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _to_json(value: Any) -> Any:
    """Keep the type of what JSON has no word for. Raises on what the app never stores."""
    if isinstance(value, bytes):
        return {"binary": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, EntityProperty) and value.edm_type is EdmType.INT64:
        return {"int64": str(value.value)}
    if isinstance(value, str | int | float | bool):
        return value
    msg = f"a column of type {type(value).__name__} is not known"
    raise TypeError(msg)


def _from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    if kind == "binary":
        return base64.b64decode(text)
    if kind == "datetime":
        return datetime.fromisoformat(text)
    return EntityProperty(int(text), EdmType.INT64)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Save the tables, or put them back.")
    parser.add_argument("what", choices=("save", "load"))
    parser.add_argument("endpoint", help="the storage account's table endpoint")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    with TableServiceClient(chosen.endpoint, credential=AzureCliCredential()) as service:
        counts = (save if chosen.what == "save" else load)(service, chosen.folder)
    for table, rows in counts.items():
        sys.stdout.write(f"{table}: {rows} rows\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

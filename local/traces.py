"""Looks for bytes everywhere that the local deployment can keep any: the proof of a removal."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from local.azurite import ACCOUNT, ACCOUNT_KEY, QUEUES, TABLES
from local.stack import Stack


def find(stack: Stack, secret: str) -> list[str]:
    """Return where *secret* can be found: vaults (deleted items too), tables, queues, disk, logs.

    Also as base64 at each of its three alignments, URL-escaped and JSON-escaped.
    """
    needles = [form.encode() for form in sorted(_forms(secret))]
    return [*_vaults(stack, secret), *_tables(stack, needles), *_queues(stack, needles)] + [
        str(path.relative_to(stack.folder))
        for path in stack.folder.rglob("*")
        if path.is_file() and _holds(path.read_bytes(), needles)
    ]


def _forms(secret: str) -> set[str]:
    forms = {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]}
    for shift in range(3):
        # What is left of the base64 when the ends are cut is the same whatever stands around.
        encoded = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")
        forms.add(encoded[4 if shift else 0 : -2])
    return forms | {form.replace("+", "-").replace("/", "_") for form in forms}


def _holds(data: bytes, needles: list[bytes]) -> bool:
    return any(needle in data for needle in needles)


def _vaults(stack: Stack, secret: str) -> Iterator[str]:
    needle = base64.b64encode(secret.encode()).decode()
    for name, vault in (("intake", stack.intake_vault), ("keys", stack.keys_vault)):
        if vault.post("search", needle=needle)["found"]:
            yield f"{name} vault"


def _tables(stack: Stack, needles: list[bytes]) -> Iterator[str]:
    with TableServiceClient(
        stack.deployment.azurite.tables_url,
        credential=AzureNamedKeyCredential(ACCOUNT, ACCOUNT_KEY),
        connection_verify=str(stack.certificates.ca),
    ) as service:
        for name in TABLES:
            for row in service.get_table_client(name).list_entities():
                if any(_holds(_bytes(value), needles) for value in row.values()):
                    yield f"table {name}, row {row['RowKey']}"


def _queues(stack: Stack, needles: list[bytes]) -> Iterator[str]:
    with QueueServiceClient(
        stack.deployment.azurite.queues_url,
        credential={"account_name": ACCOUNT, "account_key": ACCOUNT_KEY},
        connection_verify=str(stack.certificates.ca),
    ) as service:
        for name in QUEUES:
            for message in service.get_queue_client(name).peek_messages(max_messages=32):
                if _holds(_bytes(message.content), needles):
                    yield f"queue {name}"


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def written_to(folder: Path, name: str) -> str:
    """Return what a program of the stack wrote to its log."""
    return (folder / "logs" / f"{name}.log").read_text(errors="replace")

"""What `scripts/tables.py` saves is what it puts back, byte for byte."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import EdmType, EntityProperty, TableServiceClient

from local.azurite import ACCOUNT, ACCOUNT_KEY, Azurite
from local.certificates import throw_away
from local.processes import Processes, free_ports
from scripts.tables import load, save

pytestmark = pytest.mark.contract


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableServiceClient]:
    folder = tmp_path_factory.mktemp("azurite")
    certificates = throw_away(folder)
    blob, queue, table = free_ports(3)
    azurite = Azurite(blob=blob, queue=queue, table=table)
    processes = Processes(folder)
    processes.start(azurite.program(certificates, location=None))
    try:
        azurite.create_tables_and_queues(certificates)
        credential = AzureNamedKeyCredential(ACCOUNT, ACCOUNT_KEY)
        with TableServiceClient(
            azurite.tables_url, credential=credential, connection_verify=str(certificates.ca)
        ) as client:
            yield client
    finally:
        processes.stop()


def rows(service: TableServiceClient, table: str) -> list[dict[str, Any]]:
    return [dict(each) for each in service.get_table_client(table).list_entities()]


def put(service: TableServiceClient, table: str, **row: object) -> None:
    service.get_table_client(table).upsert_entity(row)


def test_what_was_saved_comes_back(service, tmp_path):
    for number in range(205):  # more than two transactions of one partition
        put(
            service,
            "grants",
            PartitionKey=f"{number % 2:02}",
            RowKey=f"grant~abc~{number:03}",
            refresh_token=bytes([number, 0, 255]),
            attempts=number,
        )
    put(service, "configs", PartitionKey="config", RowKey="a", name='Ähre "1"', direct=True)
    put(
        service,
        "audit",
        PartitionKey="-~20260101",
        RowKey="1",
        at=datetime(2026, 1, 1, 12, 30, 1, tzinfo=UTC),
        large=EntityProperty(2**40, EdmType.INT64),
    )
    before = {table: rows(service, table) for table in ("grants", "configs", "audit")}

    counts = save(service, tmp_path / "backup")
    assert (counts["grants"], counts["configs"], counts["links"]) == (205, 1, 0)
    for table in before:
        for row in before[table]:
            service.get_table_client(table).delete_entity(row["PartitionKey"], row["RowKey"])
    assert rows(service, "grants") == []

    assert load(service, tmp_path / "backup") == counts
    assert {table: rows(service, table) for table in before} == before


def test_loading_puts_back_what_was_changed_and_leaves_what_is_newer(service, tmp_path):
    put(service, "configs", PartitionKey="config", RowKey="a", name="right")
    save(service, tmp_path)
    put(service, "configs", PartitionKey="config", RowKey="a", name="wrong", extra="column")
    put(service, "configs", PartitionKey="config", RowKey="b", name="newer")
    load(service, tmp_path)
    assert {each["RowKey"]: each["name"] for each in rows(service, "configs")} == {
        "a": "right",
        "b": "newer",
    }
    assert "extra" not in rows(service, "configs")[0]


def test_a_backup_is_for_its_owner_only(service, tmp_path):
    save(service, tmp_path / "backup")
    folder = tmp_path / "backup"
    modes = {stat.S_IMODE(each.stat().st_mode) for each in Path(folder).iterdir()}
    assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})


def test_the_hosts_own_tables_are_left_out(service, tmp_path):
    service.create_table("AzureFunctionsDiagnosticEvents202601")
    assert "AzureFunctionsDiagnosticEvents202601" not in save(service, tmp_path)

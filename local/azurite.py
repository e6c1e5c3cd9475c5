"""Azurite, Microsoft's storage emulator, as the local storage account.

It runs with HTTPS and `--oauth basic`, so that the app signs in to its tables with a token of its
managed identity as in production. Azurite looks at the token's issuer, audience and times, not at
its signature and not at roles: who may do what in storage is proven by `infra/`, not here.

Tables and queues are made here with the emulator's account key, as `infra/` makes them in
production: the app's own identity may write rows, never create tables.
"""

from dataclasses import dataclass
from pathlib import Path

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from local.certificates import Certificates
from local.processes import Program

# Public: the one account of every emulator, printed in Microsoft's documentation
# (learn.microsoft.com/azure/storage/common/storage-use-azurite, "well-known storage account").
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

TABLES = (
    "configs",
    "tenants",
    "clients",
    "keys",
    "mailboxes",
    "addresses",
    "grants",
    "links",
    "pending",
    "audit",
)
QUEUES = ("refresh-due", "refresh-due-poison")

_PROJECT = Path(__file__).parent.parent
_SCRIPT = _PROJECT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


@dataclass(frozen=True, slots=True, kw_only=True)
class Azurite:
    """One emulator process: blobs, queues and tables on three ports."""

    blob: int
    queue: int
    table: int

    @property
    def blobs_url(self) -> str:
        return f"https://127.0.0.1:{self.blob}/{ACCOUNT}"

    @property
    def queues_url(self) -> str:
        return f"https://127.0.0.1:{self.queue}/{ACCOUNT}"

    @property
    def tables_url(self) -> str:
        return f"https://127.0.0.1:{self.table}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """What the platform (the dev host) is given as `AzureWebJobsStorage`; never the app."""
        return (
            f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={self.blobs_url};QueueEndpoint={self.queues_url};"
            f"TableEndpoint={self.tables_url};"
        )

    def program(self, certificates: Certificates, *, location: Path | None) -> Program:
        """The emulator, keeping its data in a folder, or in memory when there is none."""
        persistence = ("--location", str(location)) if location else ("--inMemoryPersistence",)
        command = (
            *("node", "--require", str(Path(__file__).with_name("stop_with_parent.cjs"))),
            *(str(_SCRIPT), "--silent", "--disableTelemetry", "--skipApiVersionCheck"),
            *("--blobPort", str(self.blob), "--queuePort", str(self.queue)),
            *("--tablePort", str(self.table), "--oauth", "basic"),
            *("--cert", str(certificates.cert), "--key", str(certificates.key)),
            *persistence,
        )
        # The three services start in turn; tables come last.
        ready = "Azurite Table service is successfully listening"
        return Program(name="azurite", command=command, ready=ready)

    def create_tables_and_queues(self, certificates: Certificates) -> None:
        """Make what the app needs and find it already there after a restart."""
        account = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}
        trust = str(certificates.ca)
        credential = AzureNamedKeyCredential(ACCOUNT, ACCOUNT_KEY)
        with TableServiceClient(
            self.tables_url, credential=credential, connection_verify=trust
        ) as tables:
            for name in TABLES:
                tables.create_table_if_not_exists(name)
        with QueueServiceClient(
            self.queues_url, credential=account, connection_verify=trust
        ) as queues:
            for name in QUEUES:
                try:
                    queues.create_queue(name)
                except ResourceExistsError:
                    continue

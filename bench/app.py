"""The app on the canned services: every adapter is real but the keys vault, which counts."""

from dataclasses import dataclass

import aiohttp

from bench.stage import Stage
from bench.vault import CountingVault
from postern.adapters.clock import SystemClock
from postern.adapters.entra import EntraProvider
from postern.adapters.graph import GraphDirectory
from postern.adapters.key_vault import IntakeKeyVault
from postern.adapters.managed_identity import EntraManagedIdentity
from postern.adapters.tables import TableRecords
from postern.assembly import Postern, World, compose
from postern.settings import Settings, read

TENANT = "be000000-0000-4000-8000-000000000001"
CLIENT = "be000000-0000-4000-8000-0000000000aa"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The app with its adapters at hand. Vault calls are counted; all else is real."""

    postern: Postern
    settings: Settings
    world: World
    vault: CountingVault
    records: TableRecords
    session: aiohttp.ClientSession
    identity: EntraManagedIdentity
    intake: IntakeKeyVault

    async def close(self) -> None:
        """Close every connection."""
        await self.records.close()
        await self.session.close()
        await self.intake.close()
        await self.identity.close()


def app(stage: Stage, vault: CountingVault, tables_url: str | None = None) -> App:
    """Build the app as `postern.assembly` does, with the keys vault replaced."""
    settings = read(
        {
            "POSTERN_BASE_URL": "https://127.0.0.1",
            "POSTERN_TENANT_ID": TENANT,
            "POSTERN_IDENTITY_CLIENT_ID": CLIENT,
            "POSTERN_IDENTITY_PRINCIPAL_ID": CLIENT,
            "POSTERN_TABLES_URL": tables_url or stage.tables_url,
            "POSTERN_INTAKE_VAULT_URL": stage.url,
            "POSTERN_KEYS_VAULT_URL": stage.url,
            "POSTERN_AUTHORITY_HOST": stage.url,
        }
    )
    clock = SystemClock()
    identity = EntraManagedIdentity(settings.identity_client_id)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=128))
    records = TableRecords(settings.tables_url, identity.credential)
    intake = IntakeKeyVault(
        settings.intake_vault_url, identity.credential, clock, verify_challenge=False
    )
    world = World(
        records=records,
        intake=intake,
        keys=vault,
        identity=identity,
        provider=EntraProvider(session, settings.authority_host),
        directory=GraphDirectory(session, settings.graph_url),
        clock=clock,
    )
    return App(
        postern=compose(settings, world),
        settings=settings,
        world=world,
        vault=vault,
        records=records,
        session=session,
        identity=identity,
        intake=intake,
    )

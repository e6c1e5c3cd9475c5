"""What stands in the tables before a benchmark begins, written by the app's own code."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bench.app import CLIENT, TENANT, App
from postern.model.branding import Branding
from postern.model.caller import Role
from postern.model.config import Audience, Config, ConfigState, CredentialKind
from postern.model.grant import Access, Grant
from postern.model.mailbox import AGENCY, MailboxId
from postern.model.scopes import Protocol, Resource
from postern.model.secret import Secret
from postern.services.assertions import Assertions
from postern.services.keyrings import KeyRings
from postern.stores.configs import ConfigStore
from postern.stores.grants import GrantStore

_AT_ONCE = 16


async def activated(app: App) -> Config:
    """Store and return a configuration whose credential is a certificate of the vault."""
    assertions = Assertions(app.vault, app.identity, app.world.provider, app.world.clock)
    now = datetime.now(UTC)
    config = Config(
        id="benchmrk",
        name="Benchmark",
        client_id=CLIENT,
        tenant_id=TENANT,
        audience=Audience.ORGANIZATIONS,
        protocols=(Protocol.SMTP, Protocol.IMAP),
        branding=Branding(product="Benchmark"),
        state=ConfigState.ACTIVE,
        created=now,
        changed=now,
        activation="benchmark",
        credential=CredentialKind.CERTIFICATE,
        certificate=await assertions.new_certificate("Benchmark"),
        data_keys=(await KeyRings(app.vault).new_key(),),
    )
    await ConfigStore(app.records).add(config)
    return config


async def connected(
    app: App, config: Config, names: Sequence[str], *, lives: timedelta
) -> list[Grant]:
    """Store and return a grant for each name, whose access token still lives so long."""
    ring = await KeyRings(app.vault).of(config)
    store = GrantStore(app.records)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> Grant:
        now = datetime.now(UTC)
        mailbox = MailboxId.of(config.id, AGENCY, TENANT, name)
        access, refresh = Secret("a" * 1_800), Secret("r" * 1_400)
        grant = Grant(
            config=config.id,
            hash=mailbox.hash,
            client=AGENCY,
            username=f"{name}@fabrikam.example",
            protocols=config.protocols,
            refresh_token=ring.seal(refresh, config.id, mailbox.hash, "refresh"),
            outlook=Access(
                token=ring.seal(access, config.id, mailbox.hash, f"access:{Resource.OUTLOOK}"),
                expires=now + lives,
            ),
            refreshed=now,
            due=now + timedelta(hours=20),
        )
        async with gate:
            await store.add(grant)
        return grant

    return list(await asyncio.gather(*(one(name) for name in names)))


async def sender_key(app: App) -> Secret:
    """Mint and return the API key of a sender."""
    callers = app.postern.callers
    admin = await callers.bootstrap(again=False)
    minted = await callers.create(
        admin.caller, name="benchmark", role=Role.SENDER, config=None, client=None
    )
    return minted.key

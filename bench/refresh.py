"""Refreshing mailboxes through the real path, against the same requests sent by hand."""

from datetime import UTC, datetime, timedelta

import aiohttp

from bench.app import App, app
from bench.bare import BareClient
from bench.figures import Figures, progress
from bench.load import Taken, Work, run
from bench.rows import activated, connected
from bench.stage import CAP_PER_SECOND, IN_FLIGHT, LATENCY_SECONDS, Stage
from bench.vault import CountingVault
from postern.model.config import Config
from postern.model.grant import Grant, Rhythm
from postern.model.scopes import Resource
from postern.services.assertions import Assertions
from postern.services.breakers import Breakers
from postern.services.keyrings import KeyRings
from postern.services.needs import Need
from postern.services.refresh import Refresher
from postern.stores.audit import AuditStore
from postern.stores.configs import ConfigStore
from postern.stores.grants import GrantStore
from postern.stores.mailboxes import MailboxStore

_MAILBOXES = 4 * IN_FLIGHT
_COUNT = 10 * IN_FLIGHT
_REPEATS = 5


async def measure(stage: Stage, figures: Figures) -> None:
    """Note what a refresh costs, how many go through, and how long one takes."""
    progress("refresh: 64 in flight against a token endpoint of 100 ms")
    postern = app(stage, CountingVault.new())
    # A pool as large as the work: the bare client shall wait for nothing but answers.
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            await _measure(stage, figures, postern, session)
    finally:
        await postern.close()


async def _measure(
    stage: Stage, figures: Figures, postern: App, session: aiohttp.ClientSession
) -> None:
    config = await activated(postern)
    names = [f"mailbox-{number}" for number in range(2 * _MAILBOXES)]
    grants = await connected(postern, config, names, lives=timedelta(hours=1))
    ours, bares = grants[:_MAILBOXES], grants[_MAILBOXES:]
    refresh = _through_the_app(postern, config, ours)
    await run(refresh, count=2 * IN_FLIGHT, in_flight=IN_FLIGHT)
    await _count_requests(stage, figures, postern, refresh)
    bare = await _bare(stage, postern, session, ours[0], bares)
    await run(bare, count=2 * IN_FLIGHT, in_flight=IN_FLIGHT)

    pairs: list[tuple[Taken, Taken]] = []
    busy: list[float] = []
    for repeat in range(_REPEATS):
        used = stage.cpu_seconds()
        app_taken = await run(refresh, count=_COUNT, in_flight=IN_FLIGHT)
        between = stage.cpu_seconds()
        bare_taken = await run(bare, count=_COUNT, in_flight=IN_FLIGHT)
        busy.append((stage.cpu_seconds() - between) / bare_taken.seconds)
        busy.append((between - used) / app_taken.seconds)
        pairs.append((app_taken, bare_taken))
        progress(
            f"refresh {repeat + 1}/{_REPEATS}: {app_taken.cpu_microseconds:.0f} us and"
            f" {app_taken.per_second:.0f}/s, bare {bare_taken.cpu_microseconds:.0f} us and"
            f" {bare_taken.per_second:.0f}/s, server {max(busy[-2:]):.0%} busy"
        )
    _note(figures, pairs, busy)


def _note(figures: Figures, pairs: list[tuple[Taken, Taken]], busy: list[float]) -> None:
    ratios = [ours.cpu_microseconds / bare.cpu_microseconds for ours, bare in pairs]
    figures.add("refresh: CPU / bare client's CPU", ratios, goal=2.5)
    through = [ours.per_second / CAP_PER_SECOND for ours, _ in pairs]
    figures.add("refresh: refreshes / latency cap", through, goal=0.8, better="higher")
    waits = [ours.latency(0.99) / LATENCY_SECONDS for ours, _ in pairs]
    figures.add("refresh: p99 / server latency", waits, goal=1.5)
    for name, index in (("refresh", 0), ("bare refresh", 1)):
        taken = [pair[index] for pair in pairs]
        figures.absolute(f"{name}: CPU microseconds", [each.cpu_microseconds for each in taken])
        figures.absolute(f"{name}: per second", [each.per_second for each in taken])
        figures.absolute(f"{name}: p50 ms", [each.latency(0.5) * 1e3 for each in taken])
        figures.absolute(f"{name}: p99 ms", [each.latency(0.99) * 1e3 for each in taken])
    figures.absolute("canned services: % of a core, busiest repeat", [max(busy) * 100])


def refresher(postern: App) -> Refresher:
    """Return the app's refresher, put together as `postern.assembly` does."""
    records, clock = postern.records, postern.world.clock
    provider = postern.world.provider
    return Refresher(
        grants=GrantStore(records),
        mailboxes=MailboxStore(records),
        provider=provider,
        assertions=Assertions(postern.vault, postern.identity, provider, clock),
        rings=KeyRings(postern.vault),
        breakers=Breakers(ConfigStore(records), AuditStore(records), clock),
        clock=clock,
        rhythm=Rhythm(keep_alive=postern.settings.keep_alive, margin=postern.settings.margin),
    )


def _through_the_app(postern: App, config: Config, grants: list[Grant]) -> Work:
    real = refresher(postern)

    async def refresh(number: int) -> None:
        need = Need(resources=(Resource.OUTLOOK,), later_than=datetime.now(UTC))
        await real.refresh(config, grants[number % len(grants)].id, need)

    return refresh


async def _count_requests(stage: Stage, figures: Figures, postern: App, refresh: Work) -> None:
    """Count what the services are asked for by a refresh, once everything is warm."""
    before, vault = stage.counts(), postern.vault.counts.total()
    await run(refresh, count=_MAILBOXES, in_flight=IN_FLIGHT)
    seen = stage.counts() - before
    storage = seen["reads"] + seen["writes"] + seen["transactions"]
    for name, count, goal in (
        ("token requests", seen["tokens"], 1.0),
        ("storage requests", storage, 3.0),
        ("discoveries", seen["discoveries"], 0.0),
        ("vault operations", postern.vault.counts.total() - vault, 0.0),
    ):
        figures.add(f"refresh: {name} each", [count / _MAILBOXES], goal=goal, unit="requests")


async def _bare(
    stage: Stage, postern: App, session: aiohttp.ClientSession, sample: Grant, grants: list[Grant]
) -> Work:
    """Return the bare client, which sends what the app sends for one mailbox."""
    need = Need(resources=(Resource.OUTLOOK,), later_than=datetime.now(UTC))
    config = await ConfigStore(postern.records).get(sample.config)
    if config is None:
        msg = "the benchmark's configuration is not stored"
        raise LookupError(msg)
    await refresher(postern).refresh(config, sample.id, need)
    token = await postern.identity.credential.get_token("https://storage.azure.com/.default")
    endpoint = postern.world.provider.token_endpoint(config.app.authority)
    client = BareClient(session, stage.tables_url, endpoint, token.token)
    client.learn(stage.bodies(), sample, grants)
    return client.refresh

"""Handing out a warm token: the route's own handler against the one point read it needs."""

import json
from datetime import timedelta

import azure.functions as func
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient

from bench.app import App, app
from bench.figures import Figures, progress
from bench.load import Taken, Work, compare, run
from bench.rows import activated, connected, sender_key
from bench.stage import Stage
from bench.vault import CountingVault
from functions.token import token
from postern import bootstrap
from postern.model.grant import Grant
from postern.model.secret import Secret
from postern.stores.grants import TABLE

_REPEATS = 5
_MAILBOXES = 64
# Concurrency, and how many are handed out at it in one repeat.
_LOADS = ((1, 800), (32, 3_200))


class NotHandedOut(Exception):
    """The handler refused: there is nothing to compare."""


async def measure(stage: Stage, figures: Figures) -> None:
    """Note what the handler adds to a point read through the same SDK."""
    progress("delivery: the handler of POST /api/token against one point read")
    postern = app(stage, CountingVault.new())
    # The same client library, set up as the app's adapter sets it up.
    bare = TableServiceClient(
        stage.tables_url,
        credential=postern.identity.credential,
        transport=AioHttpTransport(use_env_settings=False),
    )
    bootstrap._built = postern.postern  # what the first call of a worker does
    try:
        await _measure(figures, postern, bare)
    finally:
        bootstrap._built = None
        await bare.close()
        await postern.close()


async def _measure(figures: Figures, postern: App, bare: TableServiceClient) -> None:
    config = await activated(postern)
    names = [f"mailbox-{number}" for number in range(_MAILBOXES)]
    grants = await connected(postern, config, names, lives=timedelta(hours=1))
    handed_out = _handler(grants, await sender_key(postern))
    read = _point_read(bare, grants)
    for work in (handed_out, read):
        await run(work, count=200, in_flight=32)
    for in_flight, count in _LOADS:
        pairs = [
            await compare(handed_out, read, count=count, in_flight=in_flight)
            for _ in range(_REPEATS)
        ]
        _note(figures, in_flight, pairs)


def _note(figures: Figures, in_flight: int, pairs: list[tuple[Taken, Taken]]) -> None:
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        ratios = [ours.latency(share) / read.latency(share) for ours, read in pairs]
        figures.add(f"delivery: {name} / point read, {in_flight} at once", ratios, goal=1.3)
        for who, index in (("delivery", 0), ("point read", 1)):
            waits = [pair[index].latency(share) * 1e3 for pair in pairs]
            figures.absolute(f"{who}: {name} ms, {in_flight} at once", waits)
    for who, index in (("delivery", 0), ("point read", 1)):
        used = [pair[index].cpu_microseconds for pair in pairs]
        figures.absolute(f"{who}: CPU microseconds, {in_flight} at once", used)
    progress(f"delivery at {in_flight} at once: {_REPEATS} repeats done")


def _handler(grants: list[Grant], key: Secret) -> Work:
    headers = {"Authorization": f"Bearer {key.reveal()}", "Content-Type": "application/json"}
    bodies = [
        json.dumps({"mailbox": str(grant.id), "protocol": "smtp"}).encode() for grant in grants
    ]

    async def hand_out(number: int) -> None:
        request = func.HttpRequest(
            method="POST",
            url="https://127.0.0.1/api/token",
            headers=headers,
            body=bodies[number % len(bodies)],
        )
        response = await token(request)
        if response.status_code != 200:
            raise NotHandedOut(response.get_body())

    return hand_out


def _point_read(service: TableServiceClient, grants: list[Grant]) -> Work:
    table = service.get_table_client(TABLE)
    keys = [(grant.id.shard, f"grant~{grant.config}~{grant.hash}") for grant in grants]

    async def read(number: int) -> None:
        await table.get_entity(*keys[number % len(keys)])

    return read

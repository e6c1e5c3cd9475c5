"""Several processes that want one expired mailbox: the lease in Azurite lets one go to Entra."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from bench.app import app
from bench.crowd import CALLERS, EXPIRED, REPEATS, NotAnswered, all_answered
from bench.figures import Figures, progress
from bench.rows import activated, connected
from bench.stage import Stage
from bench.vault import CountingVault
from local.azurite import Azurite
from local.processes import PROJECT, Processes, free_ports

_PROCESSES = 4


async def measure(stage: Stage, figures: Figures) -> None:
    """Note how many of the processes go to Entra."""
    progress(f"single flight: {CALLERS} callers in {_PROCESSES} processes, rows in Azurite")
    blob, queue, table = free_ports(3)
    azurite = Azurite(blob=blob, queue=queue, table=table)
    processes = Processes(stage.folder / "azurite")
    processes.start(azurite.program(stage.certificates, location=None))
    try:
        azurite.create_tables_and_queues(stage.certificates)
        calls = await _races(stage, azurite.tables_url)
    finally:
        processes.stop()
    name = f"single flight: Entra calls, {_PROCESSES} processes"
    figures.add(name, calls, goal=1, unit="requests")


async def _races(stage: Stage, tables_url: str) -> list[float]:
    postern = app(stage, CountingVault.new(), tables_url)
    key = stage.folder / "vault-key.pem"
    key.touch(mode=0o600)
    key.write_text(postern.vault.pem)
    calls = []
    try:
        config = await activated(postern)
        names = [f"shared-{repeat}" for repeat in range(REPEATS)]
        for grant in await connected(postern, config, names, lives=EXPIRED):
            before = stage.counts()["tokens"]
            await _race(stage, tables_url, key, str(grant.id))
            calls.append(float(stage.counts()["tokens"] - before))
    finally:
        await postern.close()
    return calls


async def _race(stage: Stage, tables_url: str, key: Path, mailbox: str) -> None:
    """Start the processes, let them begin together, and see that every caller got a token."""
    pipe = asyncio.subprocess.PIPE
    command = (
        *(sys.executable, "-m", "bench.worker", "--url", stage.url),
        *("--folder", str(stage.folder), "--tables", tables_url, "--vault-key", str(key)),
        *("--mailbox", mailbox, "--count", str(CALLERS // _PROCESSES)),
    )
    workers = [
        await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=PROJECT)
        for _ in range(_PROCESSES)
    ]
    try:
        for worker in workers:
            if worker.stdout is None or await worker.stdout.readline() != b"ready\n":
                raise NotAnswered("a process did not start")
        ended = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    for out, _ in ended:
        all_answered(Counter(json.loads(out)))

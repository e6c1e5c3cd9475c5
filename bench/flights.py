"""Many at once in one process: how often it goes to Entra and to the vault when once would do."""

from collections import Counter
from collections.abc import Sequence

from bench.app import App, app
from bench.crowd import CALLERS, EXPIRED, REPEATS, all_answered, ask_at_once
from bench.figures import Figures, progress
from bench.rows import activated, connected
from bench.stage import IN_FLIGHT, Stage
from bench.vault import CountingVault
from postern.model.config import Config


async def measure(stage: Stage, figures: Figures) -> None:
    """Note the calls of a crowd that wants one mailbox, and of a process that knows nothing yet."""
    warm = app(stage, CountingVault.new())
    try:
        config = await activated(warm)
        await _crowd(stage, figures, warm, config)
        await _cold_start(stage, figures, warm, config)
    finally:
        await warm.close()


async def _crowd(stage: Stage, figures: Figures, warm: App, config: Config) -> None:
    progress(f"single flight: {CALLERS} callers of one expired mailbox, in one process")
    names = [f"crowd-{repeat}" for repeat in range(REPEATS)]
    calls = []
    for grant in await connected(warm, config, names, lives=EXPIRED):
        before = stage.counts()["tokens"]
        all_answered(await ask_at_once(warm, [str(grant.id)] * CALLERS))
        calls.append(float(stage.counts()["tokens"] - before))
    figures.add("single flight: Entra calls, 1 process", calls, goal=1, unit="requests")


async def _cold_start(stage: Stage, figures: Figures, warm: App, config: Config) -> None:
    progress(f"cold start: {IN_FLIGHT} expired mailboxes at once, {REPEATS} times")
    seen = []
    for repeat in range(REPEATS):
        names = [f"cold-{repeat}-{number}" for number in range(IN_FLIGHT)]
        grants = await connected(warm, config, names, lives=EXPIRED)
        seen.append(await _cold(stage, warm, [str(grant.id) for grant in grants]))
    for operation, name in (("sign", "assertion signatures"), ("unwrap", "unwraps")):
        counts = [float(each[operation]) for each in seen]
        figures.add(f"cold, 64 at once: {name}", counts, goal=1, unit="operations")
    figures.absolute("cold, 64 at once: storage reads", [float(each["reads"]) for each in seen])


async def _cold(stage: Stage, warm: App, mailboxes: Sequence[str]) -> Counter[str]:
    """Return what a new process asks services and vault for."""
    new = app(stage, CountingVault.opened(warm.vault.pem))
    before = stage.counts()
    try:
        all_answered(await ask_at_once(new, mailboxes))
    finally:
        await new.close()
    return new.vault.counts + (stage.counts() - before)

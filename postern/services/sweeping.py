"""Finishing what a crash left: secrets past their deadline, hand-overs under way, old rows."""

import logging
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta

from postern.errors import PosternError
from postern.model.config import UNFINISHED, Config, ConfigState, Problem
from postern.model.explanations import explain
from postern.ports import Clock, IntakeVault
from postern.services.activation import Activation
from postern.services.census import Census
from postern.services.changes import Changes
from postern.services.custody import INTAKE_PREFIX, CustodyKeeper
from postern.services.handover import ENDED_EARLY
from postern.services.renewal import Renewal
from postern.services.succession import Succession
from postern.stores.configs import ConfigStore
from postern.stores.links import LinkStore, PendingStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

# Expired links are kept this long, so that their page can say that they expired.
_KEEP_LINKS = timedelta(days=30)
# The platform cuts an HTTP call at 230 seconds, so an activation older than this is dead.
_LONGEST_ACTIVATION = timedelta(minutes=10)
# An active successor is one that a crash kept from taking its place.
_TO_FINISH = UNFINISHED | {ConfigState.ACTIVE}
_COUNT_HOUR = 3  # UTC
_INTERRUPTED = "activation-interrupted"


class Sweeper:
    """Runs on a timer. Every step is safe to repeat, and one failing does not stop the others."""

    def __init__(
        self,
        *,
        intake: IntakeVault,
        configs: ConfigStore,
        successors: ConfigStore,
        links: LinkStore,
        pending: PendingStore,
        custody: CustodyKeeper,
        activation: Activation,
        succession: Succession,
        changes: Changes,
        renewal: Renewal,
        census: Census,
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._configs = configs
        self._successors = successors
        self._links = links
        self._pending = pending
        self._custody = custody
        self._activation = activation
        self._succession = succession
        self._changes = changes
        self._renewal = renewal
        self._census = census
        self._counted: date | None = None
        self._clock = clock

    async def sweep(self) -> Counter[str]:
        """Do everything once; return how many of what.

        Secrets come first: whatever else fails, what is past its time leaves the vault.
        """
        counts: Counter[str] = Counter()
        parts = (
            self._orphans,
            self._activations,
            self._renewal.renew_all,
            self._old_rows,
            self._count,
        )
        for part in parts:
            try:
                counts += await part()
            except PosternError as exc:
                log.warning("sweep left %s why=%s", part.__name__, type(exc).__name__)
        log.info("sweep done %s", " ".join(f"{k}={v}" for k, v in sorted(counts.items())))
        return counts

    async def _count(self) -> Counter[str]:
        """Once a night, write how the mailboxes stand; the workbook in infra/ reads it."""
        now = self._clock.now()
        if now.hour != _COUNT_HOUR or self._counted == now.date():
            return Counter()
        self._counted = now.date()
        for config in [known.value async for known in self._configs.all()]:
            states, whole = await self._census.states(config.id)
            log.info(
                "census config=%s %s whole=%s",
                config.id,
                " ".join(f"{state}={count}" for state, count in states.items()),
                "yes" if whole else "no",
            )
        return Counter(census=1)

    async def _activations(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for store in (self._configs, self._successors):
            # Read whole before anything is changed: pages must not shift under the sweep.
            for known in [known async for known in store.all()]:
                counts[await self._config(store, known)] += 1
        return counts

    async def _config(self, store: ConfigStore, known: Versioned[Config]) -> str:
        config = known.value
        try:
            if config.deleting:
                return "deleted" if await self._changes.erase(config.id) else "deleting"
            if config.intake or config.state is ConfigState.VALIDATING:
                if self._deadline(config) > self._clock.now():
                    return "waiting"
                await self._close(store, known)
                return "closed"
            if store is self._successors and config.state in _TO_FINISH:
                return f"succeeded-{(await self._succession.finish('clock', config.id)).state}"
            if config.state in UNFINISHED:
                return f"verified-{(await self._activation.verify('clock', config.id)).state}"
        except PosternError as exc:
            log.warning("sweep left config=%s why=%s", config.id, type(exc).__name__)
            return "left"
        return "settled"

    def _deadline(self, config: Config) -> datetime:
        """Return when an activation that still runs has died: also one without a secret."""
        return config.intake_deadline or config.changed + _LONGEST_ACTIVATION

    async def _close(self, store: ConfigStore, known: Versioned[Config]) -> None:
        """Remove the secret of an activation that died, and say so on the config."""
        config = known.value
        custody = await self._configs.custody(config.id, config.activation)
        if custody is not None:
            custody = await self._custody.remove(custody, closed_by="swept", note=ENDED_EARLY)
            if not (custody.gone_at or custody.recoverable_until):
                return
        changed = replace(config, intake=None, intake_deadline=None)
        if config.state is ConfigState.VALIDATING:
            problem = Problem(code=_INTERRUPTED, description=explain(_INTERRUPTED))
            changed = replace(changed, state=ConfigState.FAILED, problem=problem)
        await store.save(known, replace(changed, changed=self._clock.now()))

    async def _orphans(self) -> Counter[str]:
        """Remove what is past its time in the vault, whatever the records say of it."""
        removed: Counter[str] = Counter()
        now = self._clock.now()
        for each in [each async for each in self._intake.held()]:
            if not each.name.startswith(INTAKE_PREFIX) or not each.past(now):
                continue
            try:
                await self._intake.remove(each.name)
                removed["secrets"] += 1
            except PosternError as exc:
                log.warning("sweep left secret=%s why=%s", each.name, type(exc).__name__)
        return removed

    async def _old_rows(self) -> Counter[str]:
        now = self._clock.now()
        removed = Counter(rows=await self._pending.expired(now.isoformat()))
        for known in [known async for known in self._configs.all()]:
            async for link in self._links.of(known.value.id):
                if link.value.expires + _KEEP_LINKS < now:
                    await self._links.remove(link.value)
                    removed["rows"] += 1
        return removed

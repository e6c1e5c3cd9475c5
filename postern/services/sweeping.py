"""Finishing what a crash left: secrets past their deadline, hand-overs under way, old rows."""

import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

from postern.errors import PosternError
from postern.model.config import UNFINISHED, Config, ConfigState, Problem
from postern.model.explanations import explain
from postern.ports import Clock, IntakeVault
from postern.services.activation import Activation
from postern.services.custody import CustodyKeeper
from postern.stores.configs import ConfigStore
from postern.stores.links import LinkStore, PendingStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

# Expired links are kept this long, so that their page can say that they expired.
_KEEP_LINKS = timedelta(days=30)
# The platform cuts an HTTP call at 230 seconds, so an activation older than this is dead.
_LONGEST_ACTIVATION = timedelta(minutes=10)
_INTERRUPTED = "activation-interrupted"


class Sweeper:
    """Runs on a timer. Every step is safe to repeat, and one failing does not stop the others."""

    def __init__(
        self,
        *,
        intake: IntakeVault,
        configs: ConfigStore,
        links: LinkStore,
        pending: PendingStore,
        custody: CustodyKeeper,
        activation: Activation,
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._configs = configs
        self._links = links
        self._pending = pending
        self._custody = custody
        self._activation = activation
        self._clock = clock

    async def sweep(self) -> Counter[str]:
        """Do everything once; return how many of what."""
        counts: Counter[str] = Counter()
        async for known in self._each_config():
            counts[await self._config(known)] += 1
        counts["secrets"] = await self._orphans()
        counts["rows"] = await self._old_rows()
        log.info("sweep done %s", " ".join(f"{k}={v}" for k, v in sorted(counts.items())))
        return counts

    async def _each_config(self) -> AsyncIterator[Versioned[Config]]:
        # Read whole before anything is changed: pages must not shift under the sweep.
        for known in [known async for known in self._configs.all()]:
            yield known

    async def _config(self, known: Versioned[Config]) -> str:
        config = known.value
        try:
            if config.intake or config.state is ConfigState.VALIDATING:
                if self._deadline(config) > self._clock.now():
                    return "waiting"
                await self._close(known)
                return "closed"
            if config.state in UNFINISHED:
                changed = await self._activation.verify("clock", config.id)
                return f"verified-{changed.state}"
        except PosternError as exc:
            log.warning("sweep left config=%s why=%s", config.id, type(exc).__name__)
            return "left"
        return "settled"

    def _deadline(self, config: Config) -> datetime:
        """Return when an activation that still runs has died: also one without a secret."""
        return config.intake_deadline or config.changed + _LONGEST_ACTIVATION

    async def _close(self, known: Versioned[Config]) -> None:
        """Remove the secret of an activation that died, and say so on the config."""
        config = known.value
        custody = await self._configs.custody(config.id, config.activation)
        if custody is not None:
            custody = await self._custody.remove(custody, closed_by="swept")
            if not (custody.gone_at or custody.recoverable_until):
                return
        changed = replace(config, intake=None, intake_deadline=None)
        if config.state is ConfigState.VALIDATING:
            problem = Problem(code=_INTERRUPTED, description=explain(_INTERRUPTED))
            changed = replace(changed, state=ConfigState.FAILED, problem=problem)
        await self._configs.save(known, replace(changed, changed=self._clock.now()))

    async def _orphans(self) -> int:
        """Remove what is past its time in the vault, whatever the records say of it."""
        removed = 0
        now = self._clock.now()
        try:
            held = [each async for each in self._intake.held()]
        except PosternError as exc:
            log.warning("sweep left the intake vault why=%s", type(exc).__name__)
            return removed
        for each in held:
            if each.expires is not None and each.expires > now:
                continue
            try:
                await self._intake.remove(each.name)
                removed += 1
            except PosternError as exc:
                log.warning("sweep left secret=%s why=%s", each.name, type(exc).__name__)
        return removed

    async def _old_rows(self) -> int:
        now = self._clock.now()
        removed = await self._pending.expired(now.isoformat())
        async for known in self._each_config():
            async for link in self._links.of(known.value.id):
                if link.value.expires + _KEEP_LINKS < now:
                    await self._links.remove(link.value)
                    removed += 1
        return removed

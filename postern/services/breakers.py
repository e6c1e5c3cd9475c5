"""One breaker per config: when the app's own credential fails, its mailboxes are left alone."""

import logging
from datetime import datetime, timedelta

from postern.ports import Clock
from postern.stores.audit import AuditStore, Event
from postern.stores.configs import Breaker, ConfigStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

_PROBE_EVERY = timedelta(minutes=5)
_REMEMBER = timedelta(seconds=10)


class Breakers:
    """Opens, probes and closes. What was read is remembered for ten seconds."""

    def __init__(self, configs: ConfigStore, audit: AuditStore, clock: Clock) -> None:
        self._configs = configs
        self._audit = audit
        self._clock = clock
        self._read: dict[str, tuple[datetime, Versioned[Breaker] | None]] = {}

    async def may_try(self, config: str) -> bool:
        """Say whether a refresh may go to Entra: closed, or this call is the probe."""
        known = await self._known(config)
        now = self._clock.now()
        if known is None:
            return True
        if now < known.value.probe:
            return False
        moved = Breaker(
            config=config,
            cause=known.value.cause,
            since=known.value.since,
            probe=now + _PROBE_EVERY,
        )
        self._read.pop(config, None)
        return await self._configs.claim_probe(known, moved)

    async def failed(self, config: str, cause: str, correlation_id: str | None) -> None:
        """Open the breaker; the first time is the one alert."""
        now = self._clock.now()
        breaker = Breaker(config=config, cause=cause, since=now, probe=now + _PROBE_EVERY)
        opened = await self._configs.open_breaker(breaker)
        self._read.pop(config, None)
        if not opened:
            return
        log.error("breaker opened config=%s cause=%s", config, cause)
        await self._audit.append(
            Event(
                at=now,
                config=config,
                caller="clock",
                did="opened the breaker",
                what=config,
                result=cause,
                correlation_id=correlation_id,
            )
        )

    async def worked(self, config: str) -> None:
        """Close the breaker if it was open."""
        if await self._known(config) is not None:
            await self.reset(config)
            log.warning("breaker closed config=%s", config)

    async def reset(self, config: str) -> None:
        """Close the breaker, e.g. because an admin just proved the credential."""
        await self._configs.close_breaker(config)
        self._read.pop(config, None)

    async def open_now(self, config: str) -> Breaker | None:
        """Return the open breaker, for an admin."""
        known = await self._known(config)
        return known.value if known else None

    async def _known(self, config: str) -> Versioned[Breaker] | None:
        now = self._clock.now()
        if (entry := self._read.get(config)) and entry[0] > now:
            return entry[1]
        known = await self._configs.breaker(config)
        self._read[config] = (now + _REMEMBER, known)
        return known

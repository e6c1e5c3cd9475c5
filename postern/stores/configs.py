"""Table `configs`: configurations, their custody records and their breakers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

from postern.errors import AlreadyThere, Conflicting
from postern.model.config import Config, is_config_id
from postern.model.receipt import Custody
from postern.ports import Records
from postern.stores.codec import decode
from postern.stores.versioned import Versioned, to_row, versioned

TABLE = "configs"
_CONFIG = "config"
_SUCCESSOR = "successor"
_CUSTODY = "custody"
_BREAKER = "breaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """An open breaker: the app's credential fails, so its mailboxes are left alone."""

    config: str
    cause: str
    since: datetime
    probe: datetime


class ConfigStore:
    """Reads and writes configurations. Tokens are never in these rows.

    With *successors*, the rows are those of re-activations under way: each has the id of the
    configuration that it will replace, which works on until then.
    """

    def __init__(self, records: Records, *, successors: bool = False) -> None:
        self._records = records
        self._partition = _SUCCESSOR if successors else _CONFIG

    async def add(self, config: Config) -> Versioned[Config]:
        """Write a new configuration."""
        row = await self._records.insert(TABLE, to_row(config, self._partition, config.id))
        return Versioned(config, row.etag or "")

    async def find(self, config_id: str) -> Versioned[Config] | None:
        """Return a configuration, or None."""
        if not is_config_id(config_id):
            return None
        row = await self._records.get(TABLE, self._partition, config_id)
        return versioned(Config, row) if row else None

    async def get(self, config_id: str) -> Config | None:
        """Return a configuration to read only, or None."""
        known = await self.find(config_id)
        return known.value if known else None

    async def reachable(self) -> None:
        """Return when the records answer."""
        await self._records.get(TABLE, self._partition, "none")

    async def save(self, known: Versioned[Config], changed: Config) -> Versioned[Config]:
        """Write *changed* over the version that was read. Raises `Conflicting`."""
        row = await self._records.replace(
            TABLE, to_row(changed, self._partition, changed.id, known.etag)
        )
        return Versioned(changed, row.etag or "")

    async def remove(self, known: Versioned[Config]) -> None:
        """Delete the row that was read. Raises `Conflicting`."""
        row = to_row(known.value, self._partition, known.value.id, known.etag)
        await self._records.delete(TABLE, row)

    async def all(self) -> AsyncIterator[Versioned[Config]]:
        """Yield every configuration."""
        async for row in self._records.rows(TABLE, self._partition):
            yield versioned(Config, row)

    async def save_custody(self, custody: Custody) -> None:
        """Write a custody record; its activation is its only writer until the deadline."""
        key = _custody_key(custody.config, custody.activation)
        await self._records.put(TABLE, to_row(custody, _CUSTODY, key))

    async def custody(self, config: str, activation: str) -> Custody | None:
        """Return the custody record of one activation."""
        row = await self._records.get(TABLE, _CUSTODY, _custody_key(config, activation))
        return decode(Custody, row.values) if row else None

    async def breaker(self, config: str) -> Versioned[Breaker] | None:
        """Return the config's breaker while it is open."""
        row = await self._records.get(TABLE, _BREAKER, config)
        return versioned(Breaker, row) if row else None

    async def open_breaker(self, breaker: Breaker) -> bool:
        """Open the breaker; True for the one call that did."""
        try:
            await self._records.insert(TABLE, to_row(breaker, _BREAKER, breaker.config))
        except AlreadyThere:
            return False
        return True

    async def claim_probe(self, known: Versioned[Breaker], changed: Breaker) -> bool:
        """Move the probe on; True for the one process that may try now."""
        row = to_row(changed, _BREAKER, changed.config, known.etag)
        try:
            await self._records.replace(TABLE, row)
        except Conflicting:
            return False
        return True

    async def close_breaker(self, config: str) -> None:
        """Close the breaker; closed already is fine."""
        row = await self._records.get(TABLE, _BREAKER, config)
        if row:
            await self._records.delete(TABLE, replace(row, etag=None))


def _custody_key(config: str, activation: str) -> str:
    return f"{config}~{activation}"

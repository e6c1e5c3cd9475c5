"""Table `audit`: who did what to what, append-only, by config and day. Never a secret."""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime

from postern.errors import StoreError, Unavailable
from postern.ports import Records
from postern.stores.versioned import to_row

log = logging.getLogger(__name__)

TABLE = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the audit. *config* is `-` for what belongs to none."""

    at: datetime
    config: str
    caller: str
    did: str
    what: str
    result: str = "done"
    correlation_id: str | None = None


class AuditStore:
    """Appends events."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def append(self, event: Event) -> None:
        """Write one event.

        It is written after what it tells of, so a failure here is logged and undoes nothing: the
        caller would otherwise read that what was done was not.
        """
        try:
            await self._write(event)
        except (Unavailable, StoreError) as exc:
            log.error("audit lost config=%s did=%s why=%s", event.config, event.did, exc)

    async def _write(self, event: Event) -> None:
        partition = f"{event.config}~{event.at:%Y%m%d}"
        key = f"{event.at:%H%M%S%f}~{secrets.token_hex(4)}"
        await self._records.insert(TABLE, to_row(event, partition, key))

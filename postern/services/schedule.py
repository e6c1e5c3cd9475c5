"""The clock's work: find what is due, queue it in batches, refresh a batch."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from postern.errors import (
    AlreadyThere,
    Conflicting,
    ConsentLost,
    NotFound,
    PosternError,
    Unavailable,
)
from postern.model.config import Config
from postern.model.grant import DAY, Grant
from postern.model.mailbox import SHARDS
from postern.model.scopes import Resource, resources
from postern.ports import Clock
from postern.services.needs import Need
from postern.services.refresh import Refresher
from postern.services.remembered import Remembered
from postern.stores.grants import Cursor, DueKey, GrantStore, moment, stamp

log = logging.getLogger(__name__)

_BATCH = 100
_OVERDUE = timedelta(minutes=15)
_AT_ONCE = 64
_SHARDS_AT_ONCE = 8


class Schedule:
    """Queues due rows and works through a queue message. Both are safe to run twice."""

    def __init__(
        self,
        *,
        grants: GrantStore,
        configs: Remembered[Config],
        refresher: Refresher,
        clock: Clock,
        margin: timedelta,
    ) -> None:
        self._grants = grants
        self._configs = configs
        self._refresher = refresher
        self._clock = clock
        self._margin = margin

    async def due_batches(self) -> list[str]:
        """Return queue messages for what is due: keys of one shard each, never a token."""
        gate = asyncio.Semaphore(_SHARDS_AT_ONCE)

        async def one(number: int) -> list[DueKey]:
            async with gate:
                try:
                    return await self._shard(f"{number:02}")
                except (PosternError, ValueError) as exc:  # the other shards go on
                    log.error("shard left shard=%02d why=%s", number, type(exc).__name__)
                    return []

        shards = await asyncio.gather(*(one(number) for number in range(SHARDS)))
        keys = [shard[i : i + _BATCH] for shard in shards for i in range(0, len(shard), _BATCH)]
        self._tell([key for shard in shards for key in shard], len(keys))
        return [json.dumps({"v": 1, "due": [str(key) for key in batch]}) for batch in keys]

    def _tell(self, queued: Sequence[DueKey], batches: int) -> None:
        """Write how far behind we are: an alert listens to this line (infra/alerts)."""
        oldest = min((key.stamp for key in queued), default=None)
        age = self._clock.now() - moment(oldest) if oldest else timedelta()
        log.info(
            "due queued batches=%s mailboxes=%s oldest_seconds=%s",
            batches,
            len(queued),
            max(0, int(age.total_seconds())),
        )

    async def run_batch(self, message: str) -> Counter[str]:
        """Refresh what a message names; return how many ended how."""
        keys = [DueKey.parse(text) for text in json.loads(message)["due"]]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(key: DueKey) -> str:
            async with gate:
                return await self._refresh(key)

        counts = Counter(await asyncio.gather(*(one(key) for key in keys)))
        log.info("batch done %s", " ".join(f"{k}={v}" for k, v in sorted(counts.items())))
        return counts

    async def _shard(self, shard: str) -> list[DueKey]:
        now = self._clock.now().replace(microsecond=0)
        known, keys = await self._grants.due(shard, now)
        wanted, cursor = _to_queue(known.value if known else None, keys, now)
        if known is None or wanted or cursor.overdue_at != known.value.overdue_at:
            try:
                await self._grants.advance(shard, known, cursor)
            except (Conflicting, AlreadyThere):
                return []  # another timer queues this shard
        return wanted

    async def _refresh(self, key: DueKey) -> str:
        """Refresh one mailbox; whatever fails here must not stop the others of its batch."""
        try:
            known = await self._grants.find(key.mailbox)
            if known is None or known.value.due is None or stamp(known.value.due) != key.stamp:
                return "moved-on"
            config = await self._configs.get(key.mailbox.config)
            if config is None:
                await self._grants.remove(known)  # deleted meanwhile, and its keys with it
                return "erased"
            if config.deleting:
                return "deleting"
            await self._refresher.refresh(config, key.mailbox, self._need(known.value))
        except ConsentLost:
            return "lost"
        except (Unavailable, NotFound) as exc:
            return exc.code
        except PosternError as exc:
            log.warning("refresh failed mailbox=%s why=%s", key.mailbox, type(exc).__name__)
            return "failed"
        return "refreshed"

    def _need(self, grant: Grant) -> Need:
        """Keep what senders use warm; for a mailbox at rest one token of one resource will do."""
        now = self._clock.now()
        warm = [
            resource
            for resource in Resource
            if (access := grant.access(resource)) and access.asked and now - access.asked < DAY
        ]
        ending = [
            resource
            for resource in warm
            if (access := grant.access(resource)) and access.expires - now < 2 * self._margin
        ]
        chosen = ending or warm[:1] or resources(grant.protocols)[:1]
        return Need(resources=tuple(chosen), later_than=grant.refreshed)


def _to_queue(
    cursor: Cursor | None, keys: Sequence[DueKey], now: datetime
) -> tuple[list[DueKey], Cursor]:
    """Return what to queue now: what came due since the cursor, and every 15 minutes what is
    overdue by that much, so that a backlog is not queued again at every run."""
    if cursor is None:
        return list(keys), Cursor(queued_to=now, overdue_at=now)
    wanted = [key for key in keys if key.stamp > stamp(cursor.queued_to)]
    overdue_at = cursor.overdue_at
    if now - cursor.overdue_at >= _OVERDUE:
        line = min(stamp(now - _OVERDUE), stamp(cursor.queued_to))
        wanted = [key for key in keys if key.stamp <= line] + wanted
        overdue_at = now
    return wanted, Cursor(queued_to=now, overdue_at=overdue_at)

"""Table `grants`: sealed tokens and their due rows, side by side in 64 shards.

A grant and its due row share a partition, so that updating the one and moving the other is one
atomic transaction: there are no orphans by construction. The timer reads one key range per shard
and never a mailbox that is not due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from postern.errors import Conflicting
from postern.model.grant import Grant
from postern.model.mailbox import MailboxId
from postern.ports import Change, Operation, Records, Row
from postern.stores.codec import decode
from postern.stores.versioned import Versioned, to_row, versioned

TABLE = "grants"
_CURSOR = "cursor"
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a shard's due rows were queued, and when what is overdue was queued again."""

    queued_to: datetime
    overdue_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DueKey:
    """A due row's key, which says all there is to know: when, and which mailbox."""

    stamp: str
    mailbox: MailboxId

    @classmethod
    def parse(cls, text: str) -> "DueKey":
        """Return the key that *text* writes. Raises ValueError."""
        word, stamp, config, mailbox_hash = text.split("~")
        if word != "due":
            msg = "not a due key"
            raise ValueError(msg)
        return cls(stamp=stamp, mailbox=MailboxId(config=config, hash=mailbox_hash))

    def __str__(self) -> str:
        return f"due~{self.stamp}~{self.mailbox.config}~{self.mailbox.hash}"


def stamp(moment: datetime) -> str:
    """Return *moment* as it stands in a due key, to the second, so that keys sort by time."""
    return moment.strftime(_STAMP)


def moment(stamped: str) -> datetime:
    """Return the time that a due key writes. Raises ValueError."""
    return datetime.strptime(stamped, _STAMP).replace(tzinfo=UTC)


class GrantStore:
    """Reads grants and moves them along their schedule."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def find(self, mailbox: MailboxId) -> Versioned[Grant] | None:
        """Return the grant: one point read, since the shard follows from the id."""
        row = await self._records.get(TABLE, mailbox.shard, _key(mailbox))
        return versioned(Grant, row) if row else None

    async def add(self, grant: Grant) -> None:
        """Write a new grant with its due row. Raises `AlreadyThere`."""
        await self._records.transact(
            TABLE, [Operation(Change.INSERT, _row(grant)), *_due(grant, Change.PUT)]
        )

    async def lease(self, known: Versioned[Grant], changed: Grant) -> Versioned[Grant]:
        """Write *changed*, whose due time is the same. Raises `Conflicting`."""
        row = await self._records.replace(TABLE, _row(changed, known.etag))
        return Versioned(changed, row.etag or "")

    async def move(self, known: Versioned[Grant], changed: Grant) -> None:
        """Write *changed* and move its due row, both or neither. Raises `Conflicting`."""
        write = [Operation(Change.REPLACE, _row(changed, known.etag)), *_due(changed, Change.PUT)]
        leave = _due(known.value, Change.DELETE)
        if _due(changed, Change.DELETE) == leave:
            leave = []
        try:
            await self._records.transact(TABLE, [*write, *leave])
        except Conflicting:
            current = await self.find(changed.id)
            if not leave or current is None or current.etag != known.etag:
                raise
            # The grant is as we read it, so what failed is the delete: its due row is not there.
            await self._records.transact(TABLE, write)

    async def remove(self, known: Versioned[Grant]) -> None:
        """Erase the grant and its due row. Raises `Conflicting`."""
        erase = Operation(Change.DELETE, _row(known.value, known.etag))
        try:
            await self._records.transact(TABLE, [erase, *_due(known.value, Change.DELETE)])
        except Conflicting:
            current = await self.find(known.value.id)
            if current is None or current.etag != known.etag:
                raise
            await self._records.transact(TABLE, [erase])

    async def due(
        self, shard: str, until: datetime
    ) -> tuple[Versioned[Cursor] | None, Sequence[DueKey]]:
        """Return the shard's cursor and what is due up to *until*: one key range."""
        cursor, keys = None, []
        async for row in self._records.rows(
            TABLE, shard, first=_CURSOR, before=f"due~{stamp(until)}~\x7f"
        ):
            if row.key == _CURSOR:
                cursor = Versioned(decode(Cursor, row.values), row.etag or "")
            else:
                keys.append(DueKey.parse(row.key))
        return cursor, keys

    async def advance(self, shard: str, known: Versioned[Cursor] | None, cursor: Cursor) -> None:
        """Write the cursor. Raises `Conflicting` or `AlreadyThere` if another was faster."""
        row = to_row(cursor, shard, _CURSOR, known.etag if known else None)
        if known is None:
            await self._records.insert(TABLE, row)
        else:
            await self._records.replace(TABLE, row)


def _key(mailbox: MailboxId) -> str:
    return f"grant~{mailbox.config}~{mailbox.hash}"


def _row(grant: Grant, etag: str | None = None) -> Row:
    return to_row(grant, grant.id.shard, _key(grant.id), etag)


def _due(grant: Grant, change: Change) -> list[Operation]:
    if grant.due is None:
        return []
    key = DueKey(stamp=stamp(grant.due), mailbox=grant.id)
    return [Operation(change, Row(partition=grant.id.shard, key=str(key)))]

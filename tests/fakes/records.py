"""`Records` in memory, with the limits of Azure Table Storage."""

import base64
import itertools
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace

from local.azurite import TABLES
from postern.errors import AlreadyThere, Conflicting, Malformed, Unavailable
from postern.ports import (
    Change,
    Operation,
    Row,
    RowPage,
    Value,
)
from tests.fakes.tape import AsyncCallback, Tape

_FORBIDDEN = frozenset("/\\#?") | {chr(c) for c in (*range(0x20), *range(0x7F, 0xA0))}
_KEY_BYTES, _PROPERTY_BYTES, _ENTITY_BYTES = 1024, 65_536, 1_048_576
_OPERATIONS, _PROPERTIES, _PAGE = 100, 252, 1000
_RESERVED = frozenset({"PartitionKey", "RowKey", "Timestamp"})


class FakeRecords:
    """`Records` with the limits of Azure Table Storage. An unknown table is a fault of the test."""

    def __init__(self, tape: Tape | None = None, tables: Iterable[str] = TABLES) -> None:
        self.tape = tape or Tape()
        self._tables: dict[str, dict[tuple[str, str], Row]] = {name: {} for name in tables}
        self._versions = itertools.count(1)

    def before(self, operation: str, callback: AsyncCallback) -> None:
        """Force a race: let *callback* happen right before the next *operation*."""
        self.tape.before(f"records.{operation}", callback)

    def all(self, table: str, beginning: str = "") -> list[Row]:
        """Return a table's rows whose key begins so, for a test to look at."""
        found = self._tables[table].items()
        return [row for (_, key), row in sorted(found) if key.startswith(beginning)]

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        """Return the row, or None."""
        async with self.tape.call("records.get"):
            _check_key(partition, key)
            return self._tables[table].get((partition, key))

    async def insert(self, table: str, row: Row) -> Row:
        """Write a new row."""
        async with self.tape.call("records.insert"):
            return self._apply(table, [Operation(Change.INSERT, row)])

    async def replace(self, table: str, row: Row) -> Row:
        """Write the row if it still has its etag."""
        async with self.tape.call("records.replace"):
            return self._apply(table, [Operation(Change.REPLACE, row)])

    async def put(self, table: str, row: Row) -> Row:
        """Write the row, whatever is there."""
        async with self.tape.call("records.put"):
            return self._apply(table, [Operation(Change.PUT, row)])

    async def delete(self, table: str, row: Row) -> None:
        """Delete the row; without an etag, gone already is fine."""
        async with self.tape.call("records.delete"):
            _check_key(row.partition, row.key)
            if row.etag is not None or (row.partition, row.key) in self._tables[table]:
                self._apply(table, [Operation(Change.DELETE, row)])

    async def transact(self, table: str, operations: Sequence[Operation]) -> None:
        """Do all or none."""
        async with self.tape.call("records.transact"):
            self._apply(table, operations)

    async def rows(
        self, table: str, partition: str, *, first: str = "", before: str = "\x7f"
    ) -> AsyncIterator[Row]:
        """Yield a key range of one partition, in key order."""
        async with self.tape.call("records.rows"):
            found = sorted(self._tables[table].items())
        for (its_partition, key), row in found:
            if its_partition == partition and first <= key < before:
                yield row

    async def page(
        self, table: str, *, first: str, before: str, limit: int, mark: str | None = None
    ) -> RowPage:
        """Return a page. A full one has a mark even when nothing follows, as Azure's may."""
        async with self.tape.call("records.page"):
            if not 1 <= limit <= _PAGE:
                raise _bad_request()
            after = _unmark(mark) if mark else ("", "")
            found = [
                row
                for place, row in sorted(self._tables[table].items())
                if first <= place[0] < before and place > after
            ][:limit]
            full = len(found) == limit
            return RowPage(rows=found, mark=_mark(found[-1]) if full else None)

    def _apply(self, table: str, operations: Sequence[Operation]) -> Row:
        _check_transaction(operations)
        rows = self._tables[table]
        for operation in operations:
            self._check(rows, operation)
        for operation in operations:
            place = (operation.row.partition, operation.row.key)
            written = replace(operation.row, etag=f'W/"{next(self._versions)}"')
            if operation.change is Change.DELETE:
                del rows[place]
            else:
                rows[place] = written
        return written

    def _check(self, rows: Mapping[tuple[str, str], Row], operation: Operation) -> None:
        row = operation.row
        current = rows.get((row.partition, row.key))
        _check_key(row.partition, row.key)
        if operation.change is not Change.DELETE:
            _check_values(row.values)
        match operation.change:
            case Change.INSERT if current is not None:
                raise AlreadyThere
            case Change.REPLACE if row.etag is None:
                msg = "a replace needs the etag that was read"
                raise ValueError(msg)
            case Change.REPLACE | Change.DELETE:
                if current is None or row.etag not in (None, current.etag):
                    raise Conflicting


def _bad_request() -> Unavailable:
    return Unavailable("records-failed", "The records answered with an error; try again.")


def _wide(text: str) -> int:
    return len(text.encode("utf-16-le"))


def _check_key(*keys: str) -> None:
    for key in keys:
        if _wide(key) > _KEY_BYTES or _FORBIDDEN & set(key):
            raise _bad_request()


def _check_transaction(operations: Sequence[Operation]) -> None:
    if not operations or len({each.row.partition for each in operations}) > 1:
        msg = "a transaction has operations of one partition"
        raise ValueError(msg)
    if len(operations) > _OPERATIONS or len({o.row.key for o in operations}) < len(operations):
        raise _bad_request()


def _check_values(values: Mapping[str, Value]) -> None:
    if len(values) > _PROPERTIES or sum(map(_size, values.values())) > _ENTITY_BYTES:
        raise _bad_request()
    for name, value in values.items():
        if not name.isidentifier() or name in _RESERVED or len(name) > 255:
            raise _bad_request()
        if type(value) not in (str, int, bool, float, bytes):
            msg = f"a {type(value).__name__} is no value of a row"
            raise TypeError(msg)
        if type(value) is int and not -(2**31) <= value < 2**31:
            msg = "an integer of a row has 32 bits"
            raise TypeError(msg)
        if _size(value) > _PROPERTY_BYTES:
            raise _bad_request()


def _size(value: Value) -> int:
    if isinstance(value, str):
        return _wide(value)
    return len(value) if isinstance(value, bytes) else 8


def _mark(row: Row) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.partition, row.key]).encode()).decode()


def _unmark(mark: str) -> tuple[str, str]:
    try:
        partition, key = json.loads(base64.urlsafe_b64decode(mark))
    except (ValueError, TypeError) as exc:
        raise Malformed("mark-malformed", "'mark' is what the page before gave.") from exc
    return str(partition), str(key)

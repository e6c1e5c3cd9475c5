"""Rows with conditional writes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

Value = str | int | bool | float | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entity. *etag* is None until it was read or written."""

    partition: str
    key: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str | None = None


class Change(StrEnum):
    """What an operation of a transaction does."""

    INSERT = "insert"
    REPLACE = "replace"  # only if the row still has its etag
    PUT = "put"  # whatever is there
    DELETE = "delete"  # only if the row still has its etag; any, when it has none


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a transaction."""

    change: Change
    row: Row


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows in key order and, when there are more, the mark to go on from."""

    rows: Sequence[Row]
    mark: str | None


class Records(Protocol):
    """Rows under (table, partition, key) with conditional writes. No scan has a non-key filter."""

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        """Return the row, or None."""
        ...

    async def insert(self, table: str, row: Row) -> Row:
        """Write a new row; return it with its etag. Raises `AlreadyThere`."""
        ...

    async def replace(self, table: str, row: Row) -> Row:
        """Write the row if it still has its etag. Raises `Conflicting`, also when it is gone."""
        ...

    async def put(self, table: str, row: Row) -> Row:
        """Write the row, whatever is there."""
        ...

    async def delete(self, table: str, row: Row) -> None:
        """Delete the row. With an etag, raises `Conflicting` if it has another one or is gone."""
        ...

    async def transact(self, table: str, operations: Sequence[Operation]) -> None:
        """Do up to 100 operations of one partition, all or none.

        Raises `Conflicting` or `AlreadyThere`, in which case none was done.
        """
        ...

    def rows(
        self, table: str, partition: str, *, first: str = "", before: str = "\x7f"
    ) -> AsyncIterator[Row]:
        """Yield the rows of one partition with first ≤ key < before, in key order."""
        ...

    async def page(
        self, table: str, *, first: str, before: str, limit: int, mark: str | None = None
    ) -> RowPage:
        """Return rows of all partitions with first ≤ partition < before, at most *limit*."""
        ...

"""A value together with the etag that it was read with."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from postern.ports import Row
from postern.stores.codec import decode, encode

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Versioned(Generic[T]):
    """What was read, and the etag that a conditional write must still find."""

    value: T
    etag: str


def to_row(record: object, partition: str, key: str, etag: str | None = None) -> Row:
    """Return *record* as the row (partition, key)."""
    return Row(partition=partition, key=key, values=encode(record), etag=etag)


def versioned(kind: type[T], row: Row) -> Versioned[T]:
    """Return the value of *row* with its etag."""
    return Versioned(decode(kind, row.values), row.etag or "")

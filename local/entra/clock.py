"""Entra's time: the machine's, plus what a test has advanced it by."""

import datetime
import time

DAY = 24 * 60 * 60


class Clock:
    """Two times on purpose.

    `now` is Entra's own time, by which grants, codes, secrets and user tokens age. `machine` is
    the time of everybody else: a client that signs an assertion and a resource such as Azurite
    live on it, and advancing Entra's clock must not turn their work into errors of another kind.
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        return time.time() + self.offset

    def machine(self) -> float:
        return time.time()

    def advance(self, seconds: float) -> None:
        self.offset += seconds


def stamp(moment: float) -> str:
    """Write a time as Entra does in its error bodies."""
    return _utc(moment).strftime("%Y-%m-%d %H:%M:%SZ")


def iso(moment: float) -> str:
    """Write a time as Graph does."""
    return _utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> float:
    """Read a time as Graph does; raises ValueError for one without a zone."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = "the time names no zone"
        raise ValueError(msg)
    return moment.timestamp()


def _utc(moment: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)

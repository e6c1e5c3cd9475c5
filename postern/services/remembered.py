"""A short memory, so that a warm call costs one read and not four."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from postern.ports import Clock

T = TypeVar("T")

# A revoked key or a switched-off client stops within this time, everywhere.
LIFE = timedelta(seconds=60)
_LARGEST = 10_000


class Remembered(Generic[T]):
    """Keeps what a look-up found for at most 60 seconds. What was not found is not kept."""

    def __init__(self, clock: Clock, look_up: Callable[[str], Awaitable[T | None]]) -> None:
        self._clock = clock
        self._look_up = look_up
        self._known: dict[str, tuple[datetime, T]] = {}

    async def get(self, key: str) -> T | None:
        """Return what is known of *key*, looking it up when that is too old."""
        now = self._clock.now()
        if (entry := self._known.get(key)) and entry[0] > now:
            return entry[1]
        found = await self._look_up(key)
        if found is None:
            self._known.pop(key, None)
            return None
        if len(self._known) >= _LARGEST:
            self._known.clear()
        self._known[key] = (now + LIFE, found)
        return found

    def forget(self, key: str) -> None:
        """Drop what is known of *key*: this process just changed it."""
        self._known.pop(key, None)

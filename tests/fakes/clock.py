"""Time in the hands of a test."""

from asyncio import sleep
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Time that passes only when somebody lets it, or sleeps."""

    def __init__(self, start: datetime = datetime(2025, 6, 2, 12, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the present."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Let that time pass, and others go on."""
        self.advance(seconds=seconds)
        await sleep(0)

    def advance(self, delta: timedelta = timedelta(), *, seconds: float = 0) -> None:
        """Let time pass."""
        self._now += delta + timedelta(seconds=seconds)

"""The machine's clock."""

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """Tells UTC."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let that time pass."""
        await asyncio.sleep(seconds)

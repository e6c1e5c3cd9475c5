"""Is everything that we need there? Said without secrets, addresses or error texts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from postern.errors import PosternError
from postern.ports import Clock

_PATIENCE = 5.0
_REMEMBER = timedelta(seconds=10)


class Health:
    """Tries each dependency once, at most every ten seconds: anybody may ask."""

    def __init__(self, checks: Mapping[str, Callable[[], Awaitable[object]]], clock: Clock) -> None:
        self._checks = checks
        self._clock = clock
        self._last: tuple[datetime, dict[str, str]] | None = None
        self._lock = asyncio.Lock()

    async def report(self) -> dict[str, str]:
        """Return each dependency's state: `reached`, `refused` or `not-reached`."""
        async with self._lock:
            now = self._clock.now()
            if self._last is None or self._last[0] + _REMEMBER <= now:
                states = await asyncio.gather(*(_state(check) for check in self._checks.values()))
                self._last = (now, dict(zip(self._checks, states, strict=True)))
            return self._last[1]


async def _state(check: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except TimeoutError:
        return "not-reached"
    except PosternError as exc:
        return "refused" if getattr(exc, "code", "") == "access-refused" else "not-reached"
    return "reached"

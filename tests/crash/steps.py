"""The boundaries of an activation: each call of a port, and each request that changes something.

A port call may be several requests (a removal deletes, then purges), and what is outside differs
after each of them. So a boundary lies before and after every port call and, inside it, before and
after every request that is no mere read. Nobody lists them: they are what a first run passes.
"""

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import aiohttp

DIED = 86

Reached = Callable[[str], None]

_READS = frozenset({"GET", "HEAD"})
_NAMED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}(_[0-9a-f]{32})?|[0-9a-f]{32}|~[^')]*|'[^']*'")
_within: ContextVar[str] = ContextVar("within", default="-")


class Steps:
    """Passes boundaries, and at one of them does what it was told."""

    def __init__(self, at: int | None, act: Reached) -> None:
        self.passed: list[str] = []
        self._at = at
        self._act = act

    def reach(self, boundary: str) -> None:
        """Note *boundary*; number `at` is where it happens."""
        self.passed.append(boundary)
        if len(self.passed) - 1 == self._at:
            self._act(boundary)


def distinct(passed: Sequence[str]) -> list[tuple[int, str]]:
    """Return the boundaries that differ from each other by what a call may have done outside.

    To die after one call is to die before the next: nothing outside happens in between. So each
    innermost call counts once, for the death before it, and the last for the death after it too.
    """
    followers = [*passed[1:], "after all"]
    return [
        (number, boundary)
        for number, (boundary, follower) in enumerate(zip(passed, followers, strict=True))
        if follower == "after all" or (boundary[:6], follower[:5]) == ("before", "after")
    ]


class Counted:
    """One port of the world, whose calls are boundaries; what is not asynchronous passes."""

    def __init__(self, name: str, port: object, reach: Reached) -> None:
        self._name = name
        self._port = port
        self._reach = reach

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._port, name)
        if inspect.iscoroutinefunction(member):
            return self._call(f"{self._name}.{name}", member)
        if inspect.isasyncgenfunction(member):
            return self._iteration(f"{self._name}.{name}", member)
        return member

    def _call(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            self._reach(f"before {name}")
            token = _within.set(name)
            try:
                answer = await call(*args, **kwargs)
            except Exception as exc:
                self._reach(f"after {name}, which raised {type(exc).__name__}")
                raise
            finally:
                _within.reset(token)
            self._reach(f"after {name}")
            return answer

        return counted

    def _iteration(self, name: str, call: Callable[..., AsyncIterator[Any]]) -> Callable[..., Any]:
        async def counted(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            self._reach(f"before {name}")
            async for each in call(*args, **kwargs):
                yield each
            self._reach(f"after {name}")

        return counted


def watch_requests(reach: Reached) -> None:
    """Make each changing request a boundary. Only for a process that ends soon.

    What *reach* raises is what a broken connection would: before, the request never left; after,
    it took effect and nobody heard of it.

    Tables, vaults and Graph are all spoken to through aiohttp; the one port beside them, Entra's
    token endpoint, changes nothing.
    """
    send = aiohttp.ClientSession._request

    async def counted(
        session: aiohttp.ClientSession, method: str, url: Any, **kwargs: Any
    ) -> aiohttp.ClientResponse:
        if method in _READS:
            return await send(session, method, url, **kwargs)
        request = f"{_within.get()}: {method} {_NAMED.sub('*', urlsplit(str(url)).path)}"
        reach(f"before {request}")
        response = await send(session, method, url, **kwargs)
        reach(f"after {request}")
        return response

    aiohttp.ClientSession._request = counted  # type: ignore[method-assign,assignment]

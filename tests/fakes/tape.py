"""Every call of every port on one tape: counted, made to fail, or met by something else."""

from asyncio import sleep
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from postern.errors import Unavailable

AsyncCallback = Callable[[], Awaitable[object]]
Failure = Callable[[], BaseException]


def down() -> Unavailable:
    """What every port raises when its dependency does not answer."""
    return Unavailable("not-there", "The dependency does not answer; try again.")


@dataclass(slots=True)
class _Fault:
    pattern: str
    failure: Failure
    after: bool
    times: int
    skip: int = 0


class Tape:
    """Every call of every port, in order. Patterns are globs, e.g. `records.*`."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._faults: list[_Fault] = []
        self._callbacks: list[tuple[str, AsyncCallback]] = []

    def count(self, pattern: str) -> int:
        """Say how many calls there were."""
        return sum(fnmatchcase(call, pattern) for call in self.calls)

    def before(self, pattern: str, callback: AsyncCallback) -> None:
        """Let *callback* happen right before the next such call takes effect: a forced race."""
        self._callbacks.append((pattern, callback))

    def fail(
        self,
        pattern: str,
        failure: Failure = down,
        *,
        times: int = 1,
        after: bool = False,
        skip: int = 0,
    ) -> None:
        """Let the next *times* calls raise, after *skip* good ones.

        With *after*, the effect took place and only the answer was lost.
        """
        self._faults.append(_Fault(pattern, failure, after, times, skip))

    def heal(self) -> None:
        """Let nothing fail any more."""
        self._faults.clear()

    @asynccontextmanager
    async def call(self, operation: str) -> AsyncIterator[None]:
        """Surround one effect. Always yields to the loop, as a call over the network does."""
        self.calls.append(operation)
        fault = self._fault(operation)
        await sleep(0)
        for entry in [entry for entry in self._callbacks if fnmatchcase(operation, entry[0])]:
            self._callbacks.remove(entry)
            await entry[1]()
        if fault and not fault.after:
            raise fault.failure()
        yield
        if fault:
            raise fault.failure()

    def _fault(self, operation: str) -> _Fault | None:
        for fault in self._faults:
            if fnmatchcase(operation, fault.pattern):
                if fault.skip:
                    fault.skip -= 1
                elif fault.times:
                    fault.times -= 1
                    return fault
        return None

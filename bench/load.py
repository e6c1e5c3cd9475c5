"""Runs one piece of work many times, so many at once, and says what it took."""

import asyncio
import gc
import math
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Work = Callable[[int], Awaitable[None]]

_TURNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What *count* pieces of work took. Processor time is user + system of this process."""

    count: int
    seconds: float
    cpu_seconds: float
    latencies: Sequence[float]

    @property
    def per_second(self) -> float:
        """Return pieces of work per second."""
        return self.count / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """Return the processor time of one piece of work."""
        return self.cpu_seconds / self.count * 1e6

    def latency(self, share: float) -> float:
        """Return the latency that *share* of the work stayed within, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


async def run(work: Work, *, count: int, in_flight: int) -> Taken:
    """Do *work* with the numbers up to *count*, always *in_flight* at once."""
    numbers = iter(range(count))
    latencies: list[float] = []

    async def worker() -> None:
        for number in numbers:
            started = time.perf_counter()
            await work(number)
            latencies.append(time.perf_counter() - started)

    gc.collect()
    started, used = time.perf_counter(), _cpu_seconds()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return Taken(
        count=count,
        seconds=time.perf_counter() - started,
        cpu_seconds=_cpu_seconds() - used,
        latencies=latencies,
    )


async def compare(one: Work, other: Work, *, count: int, in_flight: int) -> tuple[Taken, Taken]:
    """Do *count* of each in turns, so that a busy moment of the machine meets both."""
    turns: list[tuple[Taken, Taken]] = []
    for _ in range(_TURNS):
        first = await run(one, count=count // _TURNS, in_flight=in_flight)
        turns.append((first, await run(other, count=count // _TURNS, in_flight=in_flight)))
    return _joined([ours for ours, _ in turns]), _joined([theirs for _, theirs in turns])


def _joined(parts: Sequence[Taken]) -> Taken:
    return Taken(
        count=sum(part.count for part in parts),
        seconds=sum(part.seconds for part in parts),
        cpu_seconds=sum(part.cpu_seconds for part in parts),
        latencies=[latency for part in parts for latency in part.latencies],
    )


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

"""Planned faults and the log of operations: how a test breaks the vault and counts its calls."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Self

_KEPT = 10_000


@dataclass(slots=True, kw_only=True)
class Fault:
    """What befalls the next `times` operations (all of them, or those needing one right)."""

    operation: str | None = None
    times: int = 1
    status: int | None = None
    retry_after: int | None = None
    latency: float = 0
    lose_response: bool = False

    @classmethod
    def read(cls, given: dict[str, Any]) -> Self:
        """Refuse unknown words: a misspelt fault would make a test pass for nothing."""
        fault = cls(**given)
        if fault.times < 1 or fault.latency < 0:
            msg = "times and latency must be positive"
            raise ValueError(msg)
        if fault.status is not None and not 400 <= fault.status <= 599:
            msg = "status must be an error"
            raise ValueError(msg)
        return fault


@dataclass(slots=True)
class Faults:
    planned: list[Fault] = field(default_factory=list)

    def take(self, operation: str) -> Fault | None:
        """The first fault that fits, one of its times used up."""
        for fault in self.planned:
            if fault.operation in (None, operation):
                fault.times -= 1
                if fault.times == 0:
                    self.planned.remove(fault)
                return fault
        return None


@dataclass(slots=True)
class Log:
    """Every operation that reached an authenticated caller's answer; never a value."""

    entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    counts: Counter[str] = field(default_factory=Counter)

    def note(
        self, at: float, operation: str, name: str, caller: str, status: int, *, lost: bool = False
    ) -> None:
        self.counts[operation] += 1
        self.entries.append(
            {
                "at": at,
                "operation": operation,
                "name": name,
                "caller": caller,
                "status": status,
                "lost": lost,
            }
        )

    def clear(self) -> None:
        self.entries.clear()
        self.counts.clear()

"""What this host knows of a function once it is indexed: plain values, all of them checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.devhost.routing import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTrigger:
    argument: str
    template: Template
    methods: frozenset[str]  # empty: every method
    level: str  # "anonymous", "function" or "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerTrigger:
    argument: str
    schedule: str
    run_on_startup: bool
    use_monitor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTrigger:
    argument: str
    queue: str
    connection: str  # the connection string itself


Trigger = HttpTrigger | TimerTrigger | QueueTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A queue output; `argument` is `$return` when the function returns what is to be sent."""

    argument: str
    converter: str
    queue: str
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    name: str
    call: Callable[..., Any]
    directory: str
    is_async: bool
    wants_context: bool
    may_return: bool
    converter: str  # between the trigger's data and its argument
    trigger: Trigger
    outputs: tuple[Output, ...]

    @property
    def answers(self) -> bool:
        """Say whether somebody waits for what it returns."""
        return isinstance(self.trigger, HttpTrigger)

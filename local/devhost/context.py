"""The `context` argument, with the attributes that the worker's own class has."""

import secrets
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func


@dataclass(frozen=True, slots=True)
class TraceContext:
    """W3C trace context; the capitalised names are the worker's older spelling."""

    trace_parent: str
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def Traceparent(self) -> str:
        return self.trace_parent

    @property
    def Tracestate(self) -> str:
        return self.trace_state

    @property
    def Attributes(self) -> dict[str, str]:
        return self.attributes


@dataclass(frozen=True, slots=True)
class RetryContext:
    """Always a first try: this host has no retry policies."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: Any = None


@dataclass(frozen=True, slots=True)
class Context:
    function_name: str
    function_directory: str
    trace_context: TraceContext
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    retry_context: RetryContext = RetryContext()
    thread_local_storage: Any = field(default_factory=threading.local)


class Out(func.Out[Any]):
    """Where a function puts what an output binding is to send."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


def trace_of(parent: str) -> TraceContext:
    """Go on with the caller's trace in a span of our own, or begin one."""
    parts = parent.split("-")
    trace = parts[1] if len(parts) == 4 and len(parts[1]) == 32 else secrets.token_hex(16)
    return TraceContext(f"00-{trace}-{secrets.token_hex(8)}-00")

"""Runs a function as the worker does: async ones on the one loop, others in a few threads."""

import asyncio
import concurrent.futures
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from azure.functions.meta import Datum

from local.devhost.context import Context, Out, trace_of
from local.devhost.data import Metadata
from local.devhost.functions import Function, Output
from local.devhost.messages import encode, messages_of
from local.devhost.worker_rules import converter_of

log = logging.getLogger("devhost")

Send = Callable[[Output, list[bytes]], Awaitable[None]]


class FunctionTimedOut(Exception):
    """The function ran longer than functionTimeout of host.json."""


class Cancelled(Exception):
    """The host stopped while the function ran."""


class Invoker:
    """Every invocation is a task of its own, so that it ends neither with its caller's connection
    nor later than the host."""

    def __init__(self, *, timeout: float | None, send: Send) -> None:
        self._timeout = timeout
        self._send = send
        self._running: set[asyncio.Task[Datum | None]] = set()
        threads = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT")
        self._pool = concurrent.futures.ThreadPoolExecutor(int(threads) if threads else None)

    async def run(
        self, function: Function, data: Datum, metadata: Metadata, trace_parent: str = ""
    ) -> Datum | None:
        """Return what the function returned, encoded; raise what it raised."""
        task = asyncio.create_task(self._call(function, data, metadata, trace_parent))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=self._timeout)
        if not done:
            task.cancel()
            # A function that refuses to end is left behind; the real host would end its process.
            await asyncio.wait({task}, timeout=1)
            if task.done() and not task.cancelled():
                task.exception()  # seen, so that asyncio does not complain about it as well
            msg = f"{function.name} ran longer than functionTimeout ({self._timeout} s)"
            raise FunctionTimedOut(msg)
        if task.cancelled():
            msg = f"{function.name} was cancelled"
            raise Cancelled(msg)
        return task.result()

    async def attempt(self, function: Function, data: Datum, metadata: Metadata) -> bool:
        """Run a function that nobody waits for an answer of; a failure goes to the log only."""
        try:
            await self.run(function, data, metadata)
        except Exception:
            log.exception("%s failed", function.name)
            return False
        return True

    async def stop(self, grace: float) -> None:
        """Let what runs come to its end for a moment, then cancel it."""
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(
        self, function: Function, data: Datum, metadata: Metadata, trace_parent: str
    ) -> Datum | None:
        arguments: dict[str, Any] = {
            function.trigger.argument: _decode(function.converter, data, metadata)
        }
        outs = {one.argument: Out() for one in function.outputs if one.argument != "$return"}
        arguments.update(outs)
        if function.wants_context:
            arguments["context"] = Context(
                function.name, function.directory, trace_of(trace_parent)
            )
        if function.is_async:
            returned = await function.call(**arguments)
        else:
            returned = await asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: function.call(**arguments)
            )
        return await self._finish(function, returned, outs)

    async def _finish(
        self, function: Function, returned: Any, outs: dict[str, Out]
    ) -> Datum | None:
        if returned is not None and not function.may_return:
            msg = f"{function.name}: without a $return binding it returned a value"
            raise RuntimeError(msg)
        answer: Datum | None = None
        if function.answers:
            # Before anything is sent, as in the worker: what cannot be answered sends nothing.
            answer = encode("http", returned)
        to_send = []
        for output in function.outputs:
            value = returned if output.argument == "$return" else outs[output.argument].get()
            if value is not None:
                to_send.append((output, messages_of(encode(output.converter, value))))
        for output, messages in to_send:
            await self._send(output, messages)
        return answer


def _decode(converter: str, data: Datum, metadata: Metadata) -> Any:
    if converter != "generic":
        return converter_of(converter).decode(data, trigger_metadata=metadata)
    if data.type not in ("string", "bytes", "json"):
        msg = f"a {data.type} trigger cannot be read as text"
        raise TypeError(msg)
    return data.value

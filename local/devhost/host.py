"""Puts the parts together and runs them from "ready" to the end."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from local.devhost.admin import Admin
from local.devhost.functions import Function, QueueTrigger, TimerTrigger
from local.devhost.host_json import HostRules
from local.devhost.http import Http
from local.devhost.invoke import Invoker
from local.devhost.keys import Keys
from local.devhost.queues import Listener
from local.devhost.refusal import Refused
from local.devhost.stopping import Stopping
from local.devhost.storage import Storage
from local.devhost.timers import Timer

_GRACE_SECONDS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    port: int
    cert: Path | None
    key: Path | None

    @property
    def scheme(self) -> str:
        return "https" if self.cert else "http"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # `Stopping` has them


async def run(
    functions: tuple[Function, ...],
    *,
    rules: HostRules,
    keys: Keys,
    address: Address,
    lease: float,
    stopping: Stopping,
) -> None:
    async with Storage(encode_base64=rules.queues.base64) as storage:
        invoker = Invoker(timeout=rules.function_timeout, send=storage.send)
        timers = {
            one.name: Timer(one, one.trigger, invoker)
            for one in functions
            if isinstance(one.trigger, TimerTrigger)
        }
        listeners = [
            Listener(
                one, one.trigger, invoker=invoker, storage=storage, rules=rules.queues, lease=lease
            )
            for one in functions
            if isinstance(one.trigger, QueueTrigger)
        ]
        app = Http(
            functions,
            invoker=invoker,
            admin=Admin(functions, timers, invoker, keys),
            keys=keys,
            custom_headers=rules.custom_headers,
        )
        server = _server(app, address)
        async with _listening(server, address) as bound:
            polling = [asyncio.create_task(listener.listen()) for listener in listeners]
            ticking = [asyncio.create_task(timer.keep_running()) for timer in timers.values()]
            print(f"ready {address.scheme}://127.0.0.1:{bound}", flush=True)
            await stopping.wait()
            server.should_exit = True
            for task in ticking:
                task.cancel()
            for listener in listeners:
                listener.stop()
            await invoker.stop(_GRACE_SECONDS)
            await asyncio.gather(*(listener.settle(_GRACE_SECONDS) for listener in listeners))
            if polling:
                await asyncio.wait(polling, timeout=_GRACE_SECONDS)
            for task in polling:
                task.cancel()  # its queue service does not answer
            await asyncio.gather(*polling, *ticking, return_exceptions=True)


def _server(app: Http, address: Address) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            ssl_certfile=str(address.cert) if address.cert else None,
            ssl_keyfile=str(address.key) if address.key else None,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


@contextlib.asynccontextmanager
async def _listening(server: _Server, address: Address) -> AsyncIterator[int]:
    # asyncio switches Nagle's delay off only where the protocol is named: 40 ms an answer else.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", address.port))
    except OSError as error:
        raise Refused("--port", f"{address.port} cannot be used: {error.strerror}") from error
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        if serving.done():
            serving.result()
        await asyncio.sleep(0.01)
    try:
        yield int(bound.getsockname()[1])
    finally:
        await serving

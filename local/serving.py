"""Runs a stand-in as a well-behaved child process.

Shared by every stand-in: loopback only, one "ready" line when connections are
accepted, and an end without traceback on SIGTERM, on SIGINT and when the parent is gone, so that a
killed test run leaves no servers behind.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

_LOOPBACK = ("127.0.0.1", "localhost")


class Clock:
    """The stand-in's time: the machine's, plus what a test has advanced it by."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        return time.time() + self._offset

    def advance(self, seconds: float) -> float:
        self._offset += seconds
        return self._offset


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Bind a port (0: any free one) on the loopback address and nowhere else."""
    if host not in _LOOPBACK:
        msg = f"a stand-in binds to the loopback address only, not to {host}"
        raise SystemExit(msg)
    # asyncio switches Nagle's delay off only where the protocol is named: 40 ms an answer else.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def port_of(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


class _Server(uvicorn.Server):
    """uvicorn, announcing itself on stdout and ending at once on a signal."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    def stop(self) -> None:
        # Keep-alive connections of SDK clients would hold a graceful end back for no gain.
        self.should_exit = self.force_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises a caught signal again when it is done, which ends in a traceback.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(f"ready {self._ready}", flush=True)


async def serve(
    app: ASGIApp,
    bound: socket.socket,
    cert: Path,
    key: Path,
    ready: str,
    *background: Coroutine[Any, Any, None],
) -> None:
    """Serve over HTTPS until told to stop or orphaned; `background` runs as long as the server."""
    config = uvicorn.Config(
        app,
        ssl_certfile=str(cert),
        ssl_keyfile=str(key),
        log_level="warning",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        # From Python 3.12 on, a closed server waits for its connections, and a TLS connection waits
        # half a minute for a client that does not say goodbye.
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, ready)
    tasks = [asyncio.create_task(work) for work in (_watch_parent(server), *background)]
    try:
        await server.serve(sockets=[bound])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch_parent(server: _Server) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    server.stop()

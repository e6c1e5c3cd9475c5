"""Runs the canned services: `python -m bench.canned --port 9000 --cert … --key … --core 1`."""

import argparse
import asyncio
import gc
import os
import signal
import ssl
from pathlib import Path

from bench.canned.http import Connection
from bench.canned.services import Services


async def _serve(port: int, tls: ssl.SSLContext, services: Services) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(services.answer), "127.0.0.1", port, ssl=tls, backlog=512
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    print(f"ready https://127.0.0.1:{port}", flush=True)
    parent = os.getppid()
    while not stop.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), 0.5)
        except TimeoutError:
            continue
    server.close()


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.canned")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--core", type=int, help="run on this core only")
    parser.add_argument("--latency", type=float, default=0.1, help="of a token answer, in seconds")
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(given.cert, given.key)
    gc.freeze()
    asyncio.run(_serve(given.port, tls, Services(given.latency)))


if __name__ == "__main__":
    _main()

"""`python -m local.entra --port N --cert FILE --key FILE [--base-url URL] [--state FILE]`."""

import argparse
import asyncio
from pathlib import Path

from local.entra.app import build
from local.entra.context import Entra
from local.entra.store import Store
from local.serving import listen, port_of, serve


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.entra", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes any free port")
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--base-url", help="how clients call it; default https://localhost:PORT")
    parser.add_argument("--state", type=Path, help="a file that carries everything over a restart")
    return parser.parse_args()


async def _main() -> None:
    asked = _arguments()
    bound = listen(asked.port)
    base_url = asked.base_url or f"https://localhost:{port_of(bound)}"
    store = Store(asked.state)
    app = build(Entra.open(base_url, store))
    try:
        await serve(app, bound, asked.cert, asked.key, base_url, store.keep_saved())
    finally:
        store.save()


if __name__ == "__main__":
    asyncio.run(_main())

"""One process of several that want the same expired mailbox at the same moment.

Says "ready" when its connections are open, begins when a line comes in, and prints how its calls
ended. Started by bench/race.py.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from bench.app import app
from bench.crowd import ask_at_once
from bench.stage import Stage
from bench.vault import CountingVault


async def _work(stage: Stage, tables_url: str, pem: str, mailbox: str, count: int) -> Counter[str]:
    postern = app(stage, CountingVault.opened(pem), tables_url)
    try:
        await postern.records.get("configs", "config", "none")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        return await ask_at_once(postern, [mailbox] * count)
    finally:
        await postern.close()


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.worker")
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--tables", required=True)
    parser.add_argument("--vault-key", type=Path, required=True)
    parser.add_argument("--mailbox", required=True)
    parser.add_argument("--count", type=int, required=True)
    given = parser.parse_args()
    stage = Stage(url=given.url, folder=given.folder)
    pem = given.vault_key.read_text()
    ended = asyncio.run(_work(stage, given.tables, pem, given.mailbox, given.count))
    print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    _main()

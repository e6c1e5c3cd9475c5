"""Runs one benchmark as a client of the canned services, in a process that ends with it."""

import argparse
import asyncio
import importlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figures import Figures
from bench.stage import Stage, stay_off_the_services_core

Measure = Callable[[Stage, Figures], Awaitable[None]]

# In the order in which they are run. Each is the module `bench.<name>` with a `measure`.
CLIENTS = ("refresh", "delivery", "flights", "race")


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.client")
    parser.add_argument("name", choices=CLIENTS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    stay_off_the_services_core()
    measure: Measure = importlib.import_module(f"bench.{given.name}").measure
    figures = Figures()
    asyncio.run(_run(measure, Stage(url=given.url, folder=given.folder), figures))
    figures.write(given.out, {})


async def _run(measure: Measure, stage: Stage, figures: Figures) -> None:
    await measure(stage, figures)


if __name__ == "__main__":
    _main()

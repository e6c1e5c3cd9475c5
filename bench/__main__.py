"""`make bench`: runs every benchmark, prints the figures, writes bench/results.json.

`python -m bench refresh race` runs those two and writes nothing.

A goal that is not reached is printed as such and fails nothing: the figures are for people.
"""

import sys
import time
from pathlib import Path

from bench import imports
from bench.client import CLIENTS
from bench.figures import Figures, progress
from bench.machine import machine
from bench.stage import run_client, stage

RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Run all, or the benchmarks named on the command line."""
    wanted = sys.argv[1:] or ["imports", *CLIENTS]
    if unknown := set(wanted) - {"imports", *CLIENTS}:
        print(f"no such benchmark: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    started = time.monotonic()
    described = machine()
    cores, load = described["cores"], described["load"]
    print(f"bench on {cores} cores, load {load}: loopback only, so use the ratios")
    figures = Figures()
    if "imports" in wanted:
        imports.measure(figures)
    for name in CLIENTS:
        if name in wanted:
            with stage() as fresh:
                figures.read(run_client(fresh, name))
            progress(f"{name} done after {time.monotonic() - started:.0f} s")
    print(f"\n{figures.table()}\n")
    if not sys.argv[1:]:  # a part of the figures must not pass for all
        figures.write(RESULTS, described)
        print(f"written to bench/{RESULTS.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

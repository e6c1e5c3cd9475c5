"""Numbered steps: what was done, and what was proven by it. An unproven step ends the walk."""

import time


class Unproven(Exception):
    """A step did not show what it had to."""


class Walk:
    """Prints one line a step."""

    def __init__(self) -> None:
        self._number = 0
        self._started = time.monotonic()

    def title(self, text: str) -> None:
        print(f"\n{text}", flush=True)

    def step(self, done: str, proven: str) -> None:
        self._number += 1
        print(f"  {self._number:2}  {done}\n        -> {proven}", flush=True)

    def note(self, text: str) -> None:
        print(f"        {text}", flush=True)

    def wait(self, text: str) -> None:
        print(f"      … {text}", flush=True)

    def end(self) -> None:
        seconds = time.monotonic() - self._started
        print(f"\nAll {self._number} steps proven in {seconds:.0f} seconds.", flush=True)


def require(fact: object, why: str) -> None:
    """Go on only if *fact* holds."""
    if not fact:
        raise Unproven(why)

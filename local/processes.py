"""Starts the programs of the local stack, waits until each can be used, and leaves none behind.

Everything a program prints goes straight into a file of the run folder: no pipe can fill up, no
thread has to read one, and what was said is still there afterwards. A program is ready when its
own words say so in that file.

A parent that is killed cannot clean up, so every child has to notice by itself that its parent is
gone. The Python servers watch for it themselves; Node gets `local/stop_with_parent.cjs`.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parent.parent
POLL_SECONDS = 0.02
STOP_SECONDS = 10.0


class NotStarted(Exception):
    """A program ended or stayed silent instead of becoming ready; the text shows its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start, and how the line begins with which it says that it can be used."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    ready: str = "ready"


class Processes:
    """The running programs of one stack, each writing to `<folder>/<name>.log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, _Running] = {}

    def start(self, *programs: Program, timeout: float = 60.0) -> None:
        """Start all at once and return when each is ready; if one fails, stop everything."""
        self._folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout
        try:
            for program in programs:
                self._running[program.name] = _Running(program, self._folder)
            for program in programs:
                self._running[program.name].wait_until_ready(deadline)
        except BaseException:
            self.stop()
            raise

    def stop(self, *names: str) -> None:
        """Stop these programs (all, if none is named) side by side: politely, then by force."""
        stopping = [self._running.pop(name) for name in names or tuple(self._running)]
        for running in stopping:
            running.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for running in stopping:
            running.make_sure_it_stopped(deadline)

    def kill(self, name: str) -> None:
        """End a program at once, as a crash would."""
        running = self._running.pop(name)
        running.process.kill()
        running.process.wait()

    @property
    def pids(self) -> dict[str, int]:
        return {name: running.process.pid for name, running in self._running.items()}

    def ended(self) -> list[str]:
        """Name those that ended without being asked."""
        return [name for name, one in self._running.items() if one.process.poll() is not None]


class _Running:
    def __init__(self, program: Program, folder: Path) -> None:
        self._program = program
        self._log = folder / f"{program.name}.log"
        with self._log.open("ab") as output:
            self._start_of_output = output.tell()
            self.process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=PROJECT,
                env={**os.environ, **program.environment, "PYTHONUNBUFFERED": "1"},
                # A Ctrl-C in the terminal reaches only us; we stop the children in good order.
                start_new_session=True,
            )

    def wait_until_ready(self, deadline: float) -> None:
        while not self._has_said(self._program.ready):
            if self.process.poll() is not None:
                raise NotStarted(self._why(f"ended with status {self.process.returncode}"))
            if time.monotonic() > deadline:
                raise NotStarted(self._why(f"did not say {self._program.ready!r} in time"))
            time.sleep(POLL_SECONDS)

    def ask_to_stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def make_sure_it_stopped(self, deadline: float) -> None:
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _has_said(self, words: str) -> bool:
        return any(line.startswith(words) for line in self._output().splitlines())

    def _output(self) -> str:
        with self._log.open("rb") as output:
            output.seek(self._start_of_output)
            return output.read().decode(errors="replace")

    def _why(self, what: str) -> str:
        last_lines = "\n".join(self._output().splitlines()[-30:])
        return f"{self._program.name} {what}. It printed:\n{last_lines}"


def free_ports(count: int) -> list[int]:
    """Find ports that nothing listens on.

    They come from below the range that the kernel hands to outgoing connections: one of those
    could otherwise take a port between this look and its use, or during a restart.
    """
    found: set[int] = set()
    while len(found) < count:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)

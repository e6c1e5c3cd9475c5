"""Ends this process when it is told to or when its parent is gone, whatever the app is doing.

A blocked loop cannot end itself, so the watch and the last resort are threads.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from types import FrameType

HARD_STOP_SECONDS = 2.5
_WATCH_SECONDS = 0.5


class Stopping:
    """`wait()` returns once the end was asked for; soon after it comes in any case."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()
        self._parent = os.getppid()
        threading.Thread(target=self._watch_parent, daemon=True).start()

    def obey_signals(self) -> None:
        """Call after the app was imported: a handler that it set for SIGTERM is called first."""
        theirs = signal.getsignal(signal.SIGTERM)

        def stop(number: int, frame: FrameType | None) -> None:
            if callable(theirs):
                theirs(number, frame)
            self.ask()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, lambda *_: self.ask())

    def ask(self) -> None:
        last_resort = threading.Timer(HARD_STOP_SECONDS, _leave)
        last_resort.daemon = True
        last_resort.start()
        self._loop.call_soon_threadsafe(self._asked.set)

    async def wait(self) -> None:
        await self._asked.wait()

    def _watch_parent(self) -> None:
        while os.getppid() == self._parent:
            time.sleep(_WATCH_SECONDS)
        self.ask()


def _leave() -> None:
    sys.stderr.write("devhost: something did not end in time and was left behind\n")
    sys.stderr.flush()
    os._exit(0)

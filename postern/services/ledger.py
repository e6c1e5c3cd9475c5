"""How many tokens each caller was handed, told in lines that stay few however many there are."""

import asyncio
import logging
from collections import Counter

log = logging.getLogger(__name__)

# A process that dies loses at most what it counted in this time.
FLUSH_SECONDS = 60.0


class Ledger:
    """Counts in memory and writes a line for each caller and configuration once a minute."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, caller: str, config: str) -> None:
        """Count one token."""
        if not self._counts:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._counts[caller, config] += 1

    def flush(self) -> None:
        """Write what was counted; the workbook in infra/ reads these lines."""
        counts, self._counts = self._counts, Counter()
        for (caller, config), count in sorted(counts.items()):
            log.info("tokens handed out caller=%s config=%s count=%s", caller, config, count)

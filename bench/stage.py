"""The stage of a benchmark: the canned services on one core, the measured client on another."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.canned.services import ACCOUNT
from local.certificates import Certificates, throw_away
from local.processes import PROJECT, Processes, Program, free_ports

LATENCY_SECONDS = 0.1
IN_FLIGHT = 64
# 64 requests in flight, each answered after 100 ms: no client can do more.
CAP_PER_SECOND = IN_FLIGHT / LATENCY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the canned services answer and whom they are trusted by, as a client knows them."""

    url: str
    folder: Path

    @property
    def certificates(self) -> Certificates:
        """Return the certificates that the services show."""
        return throw_away(self.folder / "tls")

    @property
    def tables_url(self) -> str:
        """Return the address of the table service."""
        return f"{self.url}/{ACCOUNT}"

    @property
    def environment(self) -> dict[str, str]:
        """Return what the platform gives to a process of the app.

        It must be there before the process starts: aiohttp reads whom to trust when imported.
        """
        return {
            **os.environ,
            **self.certificates.environment,
            "IDENTITY_ENDPOINT": f"{self.url}/msi/token",
            "IDENTITY_HEADER": "canned",
            "NO_PROXY": "localhost,127.0.0.1",
        }

    def counts(self) -> Counter[str]:
        """Return how many requests of each kind were answered so far."""
        return Counter(self._ask("counts")["counts"])

    def bodies(self) -> dict[str, str]:
        """Return the newest body of each kind of request."""
        return dict(self._ask("bodies")["bodies"])

    def cpu_seconds(self) -> float:
        """Return the processor time that the services used so far."""
        return float(self._ask("counts")["cpu_seconds"])

    def _ask(self, what: str) -> dict[str, Any]:
        trust = ssl.create_default_context(cafile=str(self.certificates.ca))
        url = f"{self.url}/_canned/{what}"
        with urllib.request.urlopen(url, context=trust) as answer:  # noqa: S310 - our own https
            return dict(json.load(answer))


@contextmanager
def stage() -> Iterator[Stage]:
    """Start the canned services; afterwards leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        certificates = throw_away(Path(folder) / "tls")
        processes = Processes(Path(folder))
        (port,) = free_ports(1)
        processes.start(_canned(port, certificates))
        try:
            yield Stage(url=f"https://127.0.0.1:{port}", folder=Path(folder))
        finally:
            processes.stop()


def run_client(stage: Stage, name: str) -> Path:
    """Run the benchmark *name* in a process of its own; return the file of its figures."""
    file = stage.folder / f"{name}.json"
    command = [sys.executable, "-m", "bench.client", name]
    arguments = ["--url", stage.url, "--folder", str(stage.folder), "--out", str(file)]
    subprocess.run([*command, *arguments], check=True, cwd=PROJECT, env=stage.environment)
    return file


def stay_off_the_services_core() -> None:
    """Keep this process, a client, from the core that answers."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:-1] or cores)


def _canned(port: int, certificates: Certificates) -> Program:
    core = max(os.sched_getaffinity(0))
    return Program(
        name="canned",
        command=(
            *(sys.executable, "-m", "bench.canned", "--port", str(port), "--core", str(core)),
            *("--cert", str(certificates.cert), "--key", str(certificates.key)),
            *("--latency", str(LATENCY_SECONDS)),
        ),
    )

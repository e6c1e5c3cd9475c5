"""The whole product on one machine: every stand-in, its seed and the app, ready within seconds.

    with Stack(folder) as stack:                            free ports, nothing kept: for tests
    with Stack(folder, ports=KNOWN, keep=True) as stack:    for `make run`

`stop()` and `start()` may follow each other: the ports stay, and with `keep` so does the state. A
kept folder belongs to one set of ports, since redirect URIs and issuers hold them. Whatever the
programs print is in `<folder>/logs`.

`python -m local.stack` starts it on the well-known ports and stays.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from local import seed
from local.certificates import throw_away
from local.control import Control
from local.deployment import KNOWN, Deployment, Ports
from local.processes import PROJECT, Processes
from local.programs import Programs, app_settings

RUN_FOLDER = PROJECT / ".run"

# A timer that fires once a year is one that a test fires itself, through /admin/functions.
NEVER = "0 0 0 1 1 *"
EVERY_TEN_SECONDS = "*/10 * * * * *"


class Stack:
    """A local deployment that can be started and stopped, and what reaches into it."""

    def __init__(
        self,
        folder: Path,
        *,
        ports: Ports | None = None,
        keep: bool = False,
        schedule: str = NEVER,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.deployment = Deployment.of(folder, ports, keep=keep)
        self.certificates = throw_away(folder / "certificates")
        self.settings = {**app_settings(self.deployment, schedule), **(settings or {})}
        self.processes = Processes(folder / "logs")
        self.entra = Control(self.deployment.entra_url, self.certificates.ca)
        self.intake_vault = Control(self.deployment.intake_url, self.certificates.ca)
        self.keys_vault = Control(self.deployment.keys_url, self.certificates.ca)
        self.mail = Control(self.deployment.mail_url, self.certificates.ca)
        self._state = folder / "state" if keep else None
        self._programs = Programs(self.deployment, self.certificates, self._state)

    def start(self, *, app: bool = True) -> Self:
        """Start the stand-ins side by side, fill them the first time, then start the app."""
        if self._state:
            if not self.deployment.seeded:  # what is there was cut off while it was filled
                shutil.rmtree(self._state, ignore_errors=True)
            self._state.mkdir(parents=True, exist_ok=True)
        self.processes.start(*self._programs.stand_ins())
        try:
            if not self.deployment.seeded:
                self._fill()
            if app:
                self.start_app()
        except BaseException:
            self.stop()
            raise
        return self

    def start_app(self) -> None:
        self.processes.start(self._programs.app(self.settings))

    def stop_app(self) -> None:
        self.processes.stop("app")

    def kill_app(self) -> None:
        """End the app in the middle of whatever it does."""
        self.processes.kill("app")

    def stop(self) -> None:
        """Stop the app first, while it can still write what it holds, then the rest."""
        if "app" in self.processes.pids:
            self.stop_app()
        self.processes.stop()
        self.deployment.seeded = self.deployment.seeded and self._state is not None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _fill(self) -> None:
        deployment = self.deployment
        with ThreadPoolExecutor() as pool:
            parts = (
                pool.submit(
                    seed.seed_entra,
                    self.entra,
                    base_url=deployment.base_url,
                    identity_header=deployment.identity_header,
                ),
                pool.submit(seed.seed_keys_vault, self.keys_vault),
                pool.submit(deployment.azurite.create_tables_and_queues, self.certificates),
            )
        for part in parts:
            part.result()
        deployment.seeded = True
        if self._state:
            deployment.remember(self.folder)


def stay(stack: Stack) -> int:
    """Wait for Ctrl-C (or SIGTERM); return early, with status 1, when a program ends by itself."""
    try:
        while not (ended := stack.processes.ended()):
            time.sleep(1)
    except KeyboardInterrupt:
        return 0
    print(f"ended by itself: {', '.join(ended)}; see {stack.folder / 'logs'}", file=sys.stderr)
    return 1


def _main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.stack",
        description="Start the local stack on its well-known ports and stay until Ctrl-C.",
    )
    parser.add_argument("--folder", type=Path, default=RUN_FOLDER)
    parser.add_argument(
        "--no-app",
        action="store_true",
        help="leave the app to `func start`: its settings are written to local.settings.json",
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stack = Stack(given.folder, ports=KNOWN, keep=True, schedule=EVERY_TEN_SECONDS)
    try:
        stack.start(app=not given.no_app)
        if given.no_app:
            _write_local_settings({**stack.settings, **stack.certificates.environment})
        deployment = stack.deployment
        print(f"ready {deployment.base_url} entra={deployment.entra_url} logs={given.folder}/logs")
        print(f"master key {deployment.master_key}", flush=True)
        return stay(stack)
    except KeyboardInterrupt:
        return 0
    finally:
        stack.stop()


def _write_local_settings(values: Mapping[str, str]) -> None:
    file = PROJECT / "local.settings.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"IsEncrypted": False, "Values": values}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(_main())

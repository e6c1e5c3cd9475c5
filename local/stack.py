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
from local.azurite import Azurite
from local.certificates import throw_away
from local.control import Control
from local.deployment import KNOWN, Deployment, Ports
from local.processes import Processes, Program

PROJECT = Path(__file__).parent.parent
RUN_FOLDER = PROJECT / ".run"

# A timer that fires once a year is one that a test fires itself, through /admin/functions.
NEVER = "0 0 0 1 1 *"
EVERY_TEN_SECONDS = "*/10 * * * * *"


class Stack:
    """A local deployment: the stand-ins, what is in them, and the app in its dev host."""

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
        self.processes = Processes(folder / "logs")
        self._state = folder / "state" if keep else None
        self._schedule = schedule
        self._more_settings = dict(settings or {})

        ports = self.deployment.ports
        self.azurite = Azurite(blob=ports.blob, queue=ports.queue, table=ports.table)
        self.base_url = f"https://127.0.0.1:{ports.app}"
        # `localhost` is another site than 127.0.0.1: cookies behave as they do in production.
        self.entra_url = f"https://localhost:{ports.entra}"
        self.intake_url = f"https://127.0.0.1:{ports.intake}"
        self.keys_url = f"https://127.0.0.1:{ports.keys}"
        self.mail_url = f"https://127.0.0.1:{ports.mail_control}"
        self.smtp = ("127.0.0.1", ports.smtp)

    # --- controls of the stand-ins ---

    @property
    def entra(self) -> Control:
        return Control(self.entra_url, self.certificates.ca)

    @property
    def intake_vault(self) -> Control:
        return Control(self.intake_url, self.certificates.ca)

    @property
    def keys_vault(self) -> Control:
        return Control(self.keys_url, self.certificates.ca)

    @property
    def mail(self) -> Control:
        return Control(self.mail_url, self.certificates.ca)

    # --- life ---

    def start(self, *, app: bool = True) -> Self:
        """Start the stand-ins side by side, fill them the first time, then start the app."""
        if self._state and not self.deployment.seeded:
            shutil.rmtree(self._state, ignore_errors=True)  # a start that was cut off half way
        if self._state:
            self._state.mkdir(parents=True, exist_ok=True)
        self.processes.start(*self._stand_ins())
        try:
            self._fill()
            if app:
                self.start_app()
        except BaseException:
            self.stop()
            raise
        return self

    def start_app(self) -> None:
        self.processes.start(self._app())

    def stop_app(self) -> None:
        self.processes.stop("app")

    def kill_app(self) -> None:
        """End the app in the middle of whatever it does."""
        self.processes.kill("app")

    def stop(self) -> None:
        """Stop the app first, while it can still write what it holds, then the rest."""
        if "app" in self.processes.pids:
            self.processes.stop("app")
        self.processes.stop()
        if not self._state:
            self.deployment.seeded = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _fill(self) -> None:
        if self.deployment.seeded:
            return
        deployment = self.deployment
        with ThreadPoolExecutor() as pool:
            parts = [
                pool.submit(
                    seed.seed_entra,
                    self.entra,
                    base_url=self.base_url,
                    identity_header=deployment.identity_header,
                ),
                pool.submit(seed.seed_keys_vault, self.keys_vault),
                pool.submit(self.azurite.create_tables_and_queues, self.certificates),
            ]
        for part in parts:
            part.result()
        deployment.seeded = True
        if self._state:
            deployment.remember(self.folder)

    # --- programs ---

    def settings(self) -> dict[str, str]:
        """What the app is given as its environment, as a deployment would by its app settings."""
        return {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsStorage": self.azurite.connection_string,
            "IDENTITY_ENDPOINT": f"{self.entra_url}/msi/token",
            "IDENTITY_HEADER": self.deployment.identity_header,
            "POSTERN_BASE_URL": self.base_url,
            "POSTERN_TENANT_ID": seed.CONTOSO,
            "POSTERN_IDENTITY_CLIENT_ID": seed.IDENTITY_CLIENT_ID,
            "POSTERN_IDENTITY_PRINCIPAL_ID": seed.IDENTITY_PRINCIPAL_ID,
            "POSTERN_TABLES_URL": self.azurite.tables_url,
            "POSTERN_INTAKE_VAULT_URL": self.intake_url,
            "POSTERN_KEYS_VAULT_URL": self.keys_url,
            "POSTERN_AUTHORITY_HOST": self.entra_url,
            "POSTERN_GRAPH_URL": self.entra_url,
            "POSTERN_REFRESH_SCHEDULE": self._schedule,
            "POSTERN_SWEEP_SCHEDULE": self._schedule,
            **self._more_settings,
        }

    def _stand_ins(self) -> tuple[Program, ...]:
        ports = self.deployment.ports
        location = self._state / "azurite" if self._state else None
        return (
            self.azurite.program(self.certificates, location=location),
            self._python(
                "entra",
                *("--port", str(ports.entra), "--base-url", self.entra_url),
                *self._state_file("entra"),
            ),
            self._vault("intake", ports.intake, seed.INTAKE_RIGHTS),
            self._vault("keys", ports.keys, seed.KEYS_RIGHTS, "--purge-protection"),
            self._python(
                "mail",
                *("--port", str(ports.smtp), "--control-port", str(ports.mail_control)),
                *("--entra", self.entra_url),
            ),
        )

    def _vault(self, name: str, port: int, rights: tuple[str, ...], *more: str) -> Program:
        return self._python(
            "keyvault",
            *("--port", str(port), "--vault", name),
            *("--entra", self.entra_url, "--tenant", seed.CONTOSO),
            *("--allow", f"{seed.IDENTITY_PRINCIPAL_ID}={','.join(rights)}"),
            *self._state_file(f"{name}-vault"),
            *more,
            name=f"{name}-vault",
        )

    def _app(self) -> Program:
        deployment = self.deployment
        return self._python(
            "devhost",
            str(PROJECT),
            *("--port", str(deployment.ports.app)),
            *("--master-key", deployment.master_key),
            *("--function-key", deployment.function_key),
            name="app",
            environment=self.settings(),
        )

    def _state_file(self, name: str) -> tuple[str, ...]:
        return ("--state", str(self._state / f"{name}.json")) if self._state else ()

    def _python(
        self,
        module: str,
        *arguments: str,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        return Program(
            name=name or module,
            command=(
                *(sys.executable, "-m", f"local.{module}", *arguments),
                *("--cert", str(self.certificates.cert), "--key", str(self.certificates.key)),
            ),
            environment={
                **self.certificates.environment,
                # A company's proxy has no business between programs of one machine.
                "NO_PROXY": "localhost,127.0.0.1",
                "no_proxy": "localhost,127.0.0.1",
                **(environment or {}),
            },
        )


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
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
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
            _write_local_settings({**stack.settings(), **stack.certificates.environment})
        print(f"ready {stack.base_url} entra={stack.entra_url} logs={stack.folder / 'logs'}")
        print(f"master key {stack.deployment.master_key}", flush=True)
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

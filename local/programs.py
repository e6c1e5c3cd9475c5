"""The command lines of the local stack: one per stand-in, and the app's with its settings."""

import sys
from collections.abc import Mapping
from pathlib import Path

from local import seed
from local.certificates import Certificates
from local.deployment import Deployment
from local.processes import PROJECT, Program


def app_settings(deployment: Deployment, schedule: str) -> dict[str, str]:
    """What the app finds in its environment, as app settings in a real deployment."""
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": deployment.azurite.connection_string,
        "IDENTITY_ENDPOINT": f"{deployment.entra_url}/msi/token",
        "IDENTITY_HEADER": deployment.identity_header,
        "POSTERN_BASE_URL": deployment.base_url,
        "POSTERN_TENANT_ID": seed.CONTOSO,
        "POSTERN_IDENTITY_CLIENT_ID": seed.IDENTITY_CLIENT_ID,
        "POSTERN_IDENTITY_PRINCIPAL_ID": seed.IDENTITY_PRINCIPAL_ID,
        "POSTERN_TABLES_URL": deployment.azurite.tables_url,
        "POSTERN_INTAKE_VAULT_URL": deployment.intake_url,
        "POSTERN_KEYS_VAULT_URL": deployment.keys_url,
        "POSTERN_AUTHORITY_HOST": deployment.entra_url,
        "POSTERN_GRAPH_URL": f"{deployment.entra_url}/graph",
        "POSTERN_REFRESH_SCHEDULE": schedule,
        "POSTERN_SWEEP_SCHEDULE": schedule,
    }


class Programs:
    """The programs of one deployment; with a state folder they find again what they knew."""

    def __init__(
        self, deployment: Deployment, certificates: Certificates, state: Path | None
    ) -> None:
        self._deployment = deployment
        self._certificates = certificates
        self._state = state

    def stand_ins(self) -> tuple[Program, ...]:
        deployment, ports = self._deployment, self._deployment.ports
        location = self._state / "azurite" if self._state else None
        return (
            deployment.azurite.program(self._certificates, location=location),
            self._python(
                "entra",
                *("--port", str(ports.entra), "--base-url", deployment.entra_url),
                *self._state_file("entra"),
            ),
            self._vault("intake", ports.intake, seed.INTAKE_RIGHTS),
            self._vault("keys", ports.keys, seed.KEYS_RIGHTS, "--purge-protection"),
            self._python(
                "mail",
                *("--port", str(ports.smtp), "--control-port", str(ports.mail_control)),
                *("--entra", deployment.entra_url),
            ),
        )

    def app(self, settings: Mapping[str, str]) -> Program:
        deployment = self._deployment
        return self._python(
            "devhost",
            str(PROJECT),
            *("--port", str(deployment.ports.app)),
            # With "=", since a random key may begin with a dash.
            f"--master-key={deployment.master_key}",
            f"--function-key={deployment.function_key}",
            *("--settings", "none"),  # a developer's own file would leak into tests
            name="app",
            settings=settings,
        )

    def _vault(self, name: str, port: int, rights: tuple[str, ...], *more: str) -> Program:
        return self._python(
            "keyvault",
            *("--port", str(port), "--vault", name, "--entra", self._deployment.entra_url),
            *("--tenant", seed.CONTOSO),
            *("--allow", f"{seed.IDENTITY_PRINCIPAL_ID}={','.join(rights)}"),
            *self._state_file(f"{name}-vault"),
            *more,
            name=f"{name}-vault",
        )

    def _state_file(self, name: str) -> tuple[str, ...]:
        return ("--state", str(self._state / f"{name}.json")) if self._state else ()

    def _python(
        self,
        module: str,
        *arguments: str,
        name: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Program:
        files = self._certificates
        return Program(
            name=name or module,
            command=(
                *(sys.executable, "-m", f"local.{module}", *arguments),
                *("--cert", str(files.cert), "--key", str(files.key)),
            ),
            # A company's proxy has no business between programs of one machine.
            environment={
                **files.environment,
                "NO_PROXY": "localhost,127.0.0.1",
                "no_proxy": "localhost,127.0.0.1",
                **(settings or {}),
            },
        )

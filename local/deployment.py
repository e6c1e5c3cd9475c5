"""What one local deployment is: its addresses and the platform's keys, the same after a restart."""

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from local.azurite import Azurite
from local.processes import free_ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One port for each that listens."""

    app: int
    entra: int
    intake: int
    keys: int
    smtp: int
    mail_control: int
    blob: int
    queue: int
    table: int

    @classmethod
    def free(cls) -> Self:
        names = [one.name for one in fields(cls)]
        return cls(**dict(zip(names, free_ports(len(names)), strict=True)))


KNOWN = Ports(
    app=7071,
    entra=8401,
    intake=8402,
    keys=8403,
    smtp=8587,
    mail_control=8588,
    blob=10000,
    queue=10001,
    table=10002,
)


def _key() -> str:
    return secrets.token_urlsafe(30)


@dataclass(slots=True, kw_only=True)
class Deployment:
    """The keys are the platform's (host keys, identity header), thrown away with the folder."""

    ports: Ports
    seeded: bool = False
    master_key: str = field(default_factory=_key, repr=False)
    function_key: str = field(default_factory=_key, repr=False)
    identity_header: str = field(default_factory=_key, repr=False)

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.ports.app}"

    @property
    def entra_url(self) -> str:
        # `localhost` is another site than 127.0.0.1: cookies behave as they do in production.
        return f"https://localhost:{self.ports.entra}"

    @property
    def intake_url(self) -> str:
        return f"https://127.0.0.1:{self.ports.intake}"

    @property
    def keys_url(self) -> str:
        return f"https://127.0.0.1:{self.ports.keys}"

    @property
    def mail_url(self) -> str:
        return f"https://127.0.0.1:{self.ports.mail_control}"

    @property
    def smtp(self) -> tuple[str, int]:
        return "127.0.0.1", self.ports.smtp

    @property
    def azurite(self) -> Azurite:
        return Azurite(blob=self.ports.blob, queue=self.ports.queue, table=self.ports.table)

    @classmethod
    def of(cls, folder: Path, ports: Ports | None, *, keep: bool) -> Self:
        """The deployment that a kept folder holds, or a new one."""
        file = _file(folder)
        if not (keep and file.exists()):
            return cls(ports=ports or Ports.free())
        found = json.loads(file.read_text())
        kept = cls(**{**found, "ports": Ports(**found["ports"])})
        if ports not in (None, kept.ports):
            msg = f"{folder} holds a deployment on other ports; remove it or give another folder"
            raise ValueError(msg)
        return kept

    def remember(self, folder: Path) -> None:
        file = _file(folder)
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self)))


def _file(folder: Path) -> Path:
    return folder / "deployment.json"

"""An admin's machine, on which the setup script is run: `az` signed in, the API key at hand."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import az
from local.processes import PROJECT
from local.stack import Stack


@dataclass(frozen=True)
class AdminsMachine:
    """The script, sh and curl are real; `az` is local/az.py, which plays Entra's admin."""

    folder: Path
    stack: Stack
    tenant: str
    key: str

    def run(self, script: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a script with /bin/sh in the machine's folder."""
        self._sign_in()
        return subprocess.run(
            ["/bin/sh"],
            input=script,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "CURL_CA_BUNDLE": str(self.stack.certificates.ca),
                "POSTERN_API_KEY": key or self.key,
                "POSTERN_SETUP_PAUSE": "1",
            },
        )

    @property
    def notes(self) -> dict[str, Any]:
        """Return what az noted: the apps that it made, and every change."""
        return dict(json.loads((self.folder / "notes.json").read_text()))

    def _sign_in(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "tenant": self.tenant,
            "entra": self.stack.deployment.entra_url,
            "ca": str(self.stack.certificates.ca),
        }
        (self.folder / "world.json").write_text(json.dumps(facts))
        words = shlex.join([sys.executable, "-m", az.__name__, str(self.folder)])
        program = self.folder / "az"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(PROJECT))} exec {words} "$@"\n')
        program.chmod(0o700)

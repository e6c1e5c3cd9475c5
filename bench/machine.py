"""What a figure was taken on."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from local.processes import PROJECT

_PACKAGES = (
    "aiohttp",
    "azure-core",
    "azure-data-tables",
    "azure-functions",
    "azure-identity",
    "cryptography",
    "msal",
    "msgspec",
)


def machine() -> dict[str, object]:
    """Describe processor, interpreter and the libraries that matter."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "commit": _commit(),
        **{name: version(name) for name in _PACKAGES},
        "azurite": _azurite(),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _commit() -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(asked, capture_output=True, cwd=PROJECT, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _azurite() -> str:
    package = PROJECT / "node_modules" / "azurite" / "package.json"
    return str(json.loads(package.read_text())["version"]) if package.exists() else "not installed"

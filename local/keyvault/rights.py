"""Who may do what: data-action words per caller, and the refusal Azure RBAC gives."""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

from local.keyvault.errors import refuse_forbidden

# Where Azure names a data action differently from the plain word.
_ACTIONS = {
    "secrets/get": "secrets/getSecret/action",
    "secrets/set": "secrets/setSecret/action",
    "secrets/list": "secrets/readMetadata/action",
    "secrets/delete": "secrets/delete",
    "keys/get": "keys/read",
    "keys/list": "keys/read",
    "keys/delete": "keys/delete",
}


class Rights:
    """Nobody may do anything that is not granted to their object id."""

    def __init__(self, granted: Mapping[str, Iterable[str]]) -> None:
        self._granted = {oid: tuple(words) for oid, words in granted.items()}

    @classmethod
    def read(cls, file: Path | None, allowed: Iterable[str]) -> "Rights":
        """From a JSON file {oid: [word, ...]} and from OID=word,word options."""
        granted: dict[str, list[str]] = json.loads(file.read_text()) if file is not None else {}
        for option in allowed:
            oid, separator, words = option.partition("=")
            if not separator or not oid or not words:
                msg = f"--allow takes OID=word,word, not {option}"
                raise SystemExit(msg)
            granted.setdefault(oid, []).extend(words.split(","))
        return cls(granted)

    def grant(self, oid: str, words: Iterable[str]) -> None:
        """Replace what a caller may do; an empty list takes everything away."""
        self._granted[oid] = tuple(words)

    def may(self, oid: str, word: str) -> bool:
        return any(fnmatchcase(word, granted) for granted in self._granted.get(oid, ()))


def refuse_right(vault: str, oid: str, word: str, path: str) -> NoReturn:
    action = _ACTIONS.get(word, f"{word}/action")
    refuse_forbidden(
        "Caller is not authorized to perform action on resource.\r\n"
        "If role assignments, deny assignments or role definitions were changed recently, please "
        "observe propagation time.\r\n"
        f"Caller: oid={oid}\r\n"
        f"Action: 'Microsoft.KeyVault/vaults/{action}'\r\n"
        f"Resource: '{path}'\r\n"
        "Assignment: (not found)\r\nDenyAssignmentId: null\r\n"
        f"DecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault};location=loopback\r\n",
        "ForbiddenByRbac",
    )

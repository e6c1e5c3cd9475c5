"""What the suites of the ports share: trust in throw-away certificates, and a signed-in caller."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import connector
from azure.core.credentials import AccessToken, AccessTokenInfo

CALLER = "8f2b4d0e-7d0c-4f6e-9d1a-0c6f1f1f0001"


def trust(ca: Path) -> None:
    """Let this process trust *ca* beside what it trusts already.

    The adapters verify against aiohttp's one shared context, made when aiohttp is imported: too
    early for SSL_CERT_FILE, which is how the app itself is told (local/certificates.py).
    """
    connector._SSL_CONTEXT_VERIFIED.load_verify_locations(ca)


class SignedIn:
    """A credential that has its token already."""

    def __init__(self, token: str, scope: str) -> None:
        self._token = token
        self._scope = scope

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == (self._scope,)
        return AccessToken(self._token, self._ends)

    async def get_token_info(self, *scopes: str, **_: Any) -> AccessTokenInfo:
        assert scopes == (self._scope,)
        return AccessTokenInfo(self._token, self._ends)

    @property
    def _ends(self) -> int:
        return int(datetime.now(UTC).timestamp()) + 3600

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> "SignedIn":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

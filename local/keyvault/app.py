"""Puts the vault together as an ASGI application."""

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from local import bearer
from local.keyvault import key_operations, secret_operations
from local.keyvault.control import Control
from local.keyvault.errors import VaultError
from local.keyvault.faults import Faults, Log
from local.keyvault.gate import AUDIENCE, Gate
from local.keyvault.items import Rules
from local.keyvault.rights import Rights
from local.keyvault.vault import Vault
from local.serving import Clock


class _Maybe(Convertor[str]):
    """A path segment that may be empty: the SDK writes "latest version" as nothing."""

    regex = "[^/]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("maybe", _Maybe())


async def _vault_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, VaultError):
        raise error
    return JSONResponse(error.body(), error.status)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    body = {"error": {"code": "BadRequest", "message": f"{error.detail}: {request.url.path}"}}
    return JSONResponse(body, error.status_code, error.headers)


def build(
    *, name: str, rules: Rules, rights: Rights, entra: str, tenant: str, file: Path | None
) -> tuple[ASGIApp, Vault]:
    vault = Vault.open(name, rules, Clock(), file)
    faults, log = Faults(), Log()
    gate = Gate(
        vault=vault,
        expected=bearer.Expected(entra=entra, audience=AUDIENCE, tenant=tenant),
        keys=bearer.SigningKeys(entra, tenant),
        rights=rights,
        faults=faults,
        log=log,
    )
    operations = (*secret_operations.OPERATIONS, *key_operations.OPERATIONS)
    inner = Starlette(
        routes=[
            *Control(vault=vault, rights=rights, faults=faults, log=log).routes(),
            *(
                Route(operation.path, gate.guard(operation), methods=[operation.method])
                for operation in operations
            ),
        ],
        exception_handlers={VaultError: _vault_error, HTTPException: _http_error},
    )
    inner.router.redirect_slashes = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Kept for a planned lost response, which has to reach below Starlette's wrappers.
        scope["postern.send"] = send
        await inner(scope, receive, send)

    return app, vault


async def settle_forever(vault: Vault) -> None:
    """Let purges reach the state file though nobody calls."""
    while True:
        vault.settle()
        await asyncio.sleep(max(vault.rules.deletion_delay / 2, 0.05))

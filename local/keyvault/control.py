"""The control interface: what only tests and the demo may do. Key Vault has nothing like it."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.keyvault.calls import Call
from local.keyvault.errors import VaultError, refuse_parameter
from local.keyvault.faults import Fault, Faults, Log
from local.keyvault.key_operations import create_key
from local.keyvault.rights import Rights
from local.keyvault.search import search
from local.keyvault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    vault: Vault
    rights: Rights
    faults: Faults
    log: Log

    def routes(self) -> list[Route]:
        return [
            Route("/_control/faults", self.add_fault, methods=["POST"]),
            Route("/_control/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_control/operations", self.operations, methods=["GET"]),
            Route("/_control/operations", self.clear_operations, methods=["DELETE"]),
            Route("/_control/permissions", self.grant, methods=["POST"]),
            Route("/_control/search", self.search, methods=["POST"]),
            Route("/_control/keys", self.deploy_key, methods=["POST"]),
            Route("/_control/clock", self.advance, methods=["POST"]),
        ]

    async def add_fault(self, request: Request) -> Response:
        given = await _json(request)
        try:
            self.faults.planned.append(Fault.read(given))
        except (TypeError, ValueError) as error:
            refuse_parameter(f"Not a fault: {error}")
        return Response(status_code=204)

    async def clear_faults(self, request: Request) -> Response:
        self.faults.planned.clear()
        return Response(status_code=204)

    async def operations(self, request: Request) -> Response:
        return JSONResponse({"counts": dict(self.log.counts), "operations": list(self.log.entries)})

    async def clear_operations(self, request: Request) -> Response:
        self.log.clear()
        return Response(status_code=204)

    async def grant(self, request: Request) -> Response:
        given = await _json(request)
        oid, words = given.get("oid"), given.get("allow")
        if not isinstance(oid, str) or not isinstance(words, list):
            refuse_parameter('Give {"oid": "...", "allow": ["secrets/get", ...]}')
        self.rights.grant(oid, [str(word) for word in words])
        return Response(status_code=204)

    async def search(self, request: Request) -> Response:
        needle = (await _json(request)).get("needle")
        try:
            sought = base64.b64decode(str(needle), validate=True)
        except binascii.Error:
            refuse_parameter("needle must be base64")
        if not sought:
            refuse_parameter("An empty needle is everywhere")
        self.vault.settle()
        where = search(self.vault, sought)
        return JSONResponse({"found": bool(where), "where": where})

    async def deploy_key(self, request: Request) -> Response:
        """Make a key as the deployment does; an existing one is left alone, as by Bicep."""
        given = await _json(request)
        name = given.get("name")
        if not isinstance(name, str) or not name:
            refuse_parameter("A key needs a name")
        call = Call(
            path=request.url.path,
            base=str(request.base_url).rstrip("/"),
            name=name,
            query={},
            body={
                "kty": "RSA",
                "key_ops": given.get("ops"),
                "key_size": given.get("size", 2048),
            },
        )
        try:
            held = self.vault.keys.version(name, "")
        except VaultError:
            _, bundle = create_key(self.vault, call)
            self.vault.save()
            return JSONResponse(bundle, 201)
        return JSONResponse({"key": {"kid": f"{call.base}/keys/{name}/{held.version}"}})

    async def advance(self, request: Request) -> Response:
        seconds = (await _json(request)).get("advance")
        if not isinstance(seconds, int | float):
            refuse_parameter('Give {"advance": seconds}')
        offset = self.vault.clock.advance(seconds)
        self.vault.settle()
        return JSONResponse({"offset": offset})


async def _json(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(await request.body())
    except ValueError:
        refuse_parameter("The request body is not JSON")
    if not isinstance(given, dict):
        refuse_parameter("The request body must be a JSON object")
    return given

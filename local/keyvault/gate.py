"""What every operation passes: challenge, token, api-version, planned faults, rights, log.

In this order, so that a caller without a token learns nothing and causes nothing.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local import bearer
from local.keyvault.calls import Call, Operation
from local.keyvault.errors import VaultError, refuse_as_planned, refuse_parameter
from local.keyvault.faults import Fault, Faults, Log
from local.keyvault.rights import Rights, refuse_right
from local.keyvault.vault import Vault

AUDIENCE = "https://vault.azure.net"
_API_VERSION = re.compile(r"7\.[0-6](-preview[.\d]*)?|20\d\d-\d\d-\d\d(-preview[.\d]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    vault: Vault
    expected: bearer.Expected
    keys: bearer.SigningKeys
    rights: Rights
    faults: Faults
    log: Log

    def guard(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                caller = await self._caller(request)
                _check_api_version(request)
            except VaultError as error:
                return self._refuse(error)
            fault = self.faults.take(operation.right)
            status, body = await self._perform(operation, request, caller, fault)
            lost = fault is not None and fault.lose_response
            self.log.note(
                self.vault.clock.now(),
                operation.right,
                request.path_params.get("name", ""),
                caller,
                status,
                lost=lost,
            )
            if lost:
                return LostResponse()
            return _answer(status, body, fault)

        return endpoint

    async def _perform(
        self, operation: Operation, request: Request, caller: str, fault: Fault | None
    ) -> tuple[int, dict[str, Any] | None]:
        try:
            if fault is not None:
                await asyncio.sleep(fault.latency)
                if fault.status is not None:
                    refuse_as_planned(fault.status)
            if not self.rights.may(caller, operation.right):
                refuse_right(self.vault.name, caller, operation.right, request.url.path)
            call = await _read(request)
            self.vault.settle()
            answer = operation.perform(self.vault, call)
            if operation.changes:
                self.vault.save()
        except VaultError as error:
            return error.status, error.body()
        return answer

    async def _caller(self, request: Request) -> str:
        scheme, _, unverified = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not unverified:
            _refuse_token("AKV10000: Request is missing a Bearer or PoP token.")
        try:
            claims = await bearer.verify(
                unverified.strip(), self.keys, self.expected, self.vault.clock
            )
        except bearer.TokenRefused as refused:
            _refuse_token(f"Error validating token: {refused}")
        return str(claims["oid"])

    def _refuse(self, error: VaultError) -> Response:
        if error.status != 401:
            return JSONResponse(error.body(), error.status)
        challenge = (
            f'Bearer authorization="{self.expected.entra}/{self.expected.tenant}", '
            f'resource="{AUDIENCE}"'
        )
        return JSONResponse(error.body(), 401, {"WWW-Authenticate": challenge})


class LostResponse(Response):
    """The operation was done, but its answer never arrives: the connection breaks instead."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI has no word for this; the transport is behind the bound method uvicorn gave us.
        scope["postern.send"].__self__.transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


def _refuse_token(message: str) -> NoReturn:
    raise VaultError(401, "Unauthorized", message)


def _check_api_version(request: Request) -> None:
    version = request.query_params.get("api-version")
    if version is None:
        refuse_parameter("api-version must be specified")
    if not _API_VERSION.fullmatch(version):
        refuse_parameter(f"The specified version ({version}) is not recognized.")


async def _read(request: Request) -> Call:
    body: Any = {}
    raw = await request.body()
    if raw:
        try:
            body = json.loads(raw)
        except ValueError:
            refuse_parameter("The request body is not JSON")
    if not isinstance(body, dict):
        refuse_parameter("The request body must be a JSON object")
    return Call(
        path=request.url.path,
        base=str(request.base_url).rstrip("/"),
        name=request.path_params.get("name", ""),
        version=request.path_params.get("version", ""),
        query=request.query_params,
        body=body,
    )


def _answer(status: int, body: dict[str, Any] | None, fault: Fault | None) -> Response:
    headers = {"Cache-Control": "no-cache"}
    if fault is not None and fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if body is None:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers)

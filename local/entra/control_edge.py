"""The edge of the control API, which does what a portal, an admin or fate would do. Loopback only.

Every body is read into a type that refuses unknown fields, so that a misspelt wish is an error
and not a silent nothing.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.context import Entra, entra_of
from local.entra.model import Tenant

T = TypeVar("T")


class Unclear(Exception):
    """A control call that cannot be followed."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


Handler = Callable[[Request, Entra], Awaitable[Any]]


def control(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def handle(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            # A web page that a developer happens to have open must not steer the stand-in.
            return JSONResponse({"error": "not from a web page"}, 403)
        try:
            return JSONResponse(await handler(request, entra_of(request)) or {})
        except Unclear as unclear:
            return JSONResponse({"error": str(unclear)}, unclear.status)

    return handle


async def read(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        raise Unclear(str(error)) from error


def apply(target: Struct, changes: Struct) -> None:
    """Set what was named and leave the rest."""
    for name, value in msgspec.structs.asdict(changes).items():
        if value is not UNSET:
            setattr(target, name, value)


def tenant_of(entra: Entra, name: str) -> Tenant:
    found = entra.state.tenant(name)
    if found is None:
        message = f"no tenant {name}"
        raise Unclear(message, 404)
    return found

"""The edge of the Graph calls: bearer tokens, rights, and errors in Graph's shape."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import jwt
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.answers import correlation_id
from local.entra.audit import Exchange
from local.entra.authority import is_guid
from local.entra.clock import iso
from local.entra.context import Entra, entra_of
from local.entra.errors import Refused
from local.entra.faults import Lost
from local.entra.model import App, User, new_id
from local.entra.permissions import GRAPH

READ_ALL, WRITE_ALL = "Application.Read.All", "Application.ReadWrite.All"
OWNED = "Application.ReadWrite.OwnedBy"


class GraphError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after: float | None = None


def bad_request(message: str) -> GraphError:
    return GraphError(400, "Request_BadRequest", message)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever the token names. Graph believes the token, not the directory, until it expires."""

    claims: dict[str, Any]

    def has_scope(self, *names: str) -> bool:
        return bool(set(names) & set(str(self.claims.get("scp", "")).split()))

    def has_role(self, *names: str) -> bool:
        return bool(set(names) & set(self.claims.get("roles", [])))


Handler = Callable[[Request, Entra, Caller], Awaitable[Response]]


def graph(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Check the token before anything else, and turn errors into answers."""

    @wraps(handler)
    async def handle(request: Request) -> Response:
        entra = entra_of(request)
        correlation = correlation_id(request)
        path = f"{request.method} {request.url.path.removeprefix('/graph/v1.0')}"
        exchange = entra.audit.begin(
            Exchange(
                at=entra.clock.now(), endpoint="graph", correlation_id=correlation, resource=path
            )
        )
        try:
            caller = _caller(entra, request)
            exchange.tenant, exchange.client_id = caller.claims["tid"], caller.claims.get("appid")
            exchange.user = caller.claims.get("upn")
            lost = await _faults(entra, exchange)
            response = await handler(request, entra, caller)
        except GraphError as error:
            exchange.failed(error.code, error.status)
            return _error(entra, error, correlation)
        return Lost() if lost else response

    return handle


def _caller(entra: Entra, request: Request) -> Caller:
    kind, _, unverified = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not unverified:
        raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty.")
    try:
        claims = entra.key.verified(unverified)
    except jwt.PyJWTError as error:
        message = "Access token validation failure. Invalid signature."
        raise GraphError(401, "InvalidAuthenticationToken", message) from error
    if str(claims["aud"]).rstrip("/") not in GRAPH.uris:
        message = "Access token validation failure. Invalid audience."
        raise GraphError(401, "InvalidAuthenticationToken", message)
    if entra.clock.now() >= claims["exp"]:
        message = "Lifetime validation failed, the token is expired."
        raise GraphError(401, "InvalidAuthenticationToken", message)
    return Caller(claims)


async def _faults(entra: Entra, exchange: Exchange) -> bool:
    try:
        return await entra.faults.meet(exchange)
    except Refused as refused:
        codes = {429: "TooManyRequests", 503: "ServiceUnavailable", 500: "InternalServerError"}
        error = GraphError(refused.status, codes.get(refused.status, refused.error), refused.text)
        error.retry_after = refused.retry_after
        raise error from refused


def _error(entra: Entra, error: GraphError, correlation: str) -> Response:
    inner = {
        "date": iso(entra.clock.now()).split(".")[0],
        "request-id": new_id(),
        "client-request-id": correlation,
    }
    headers = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:g}"}
    body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
    return JSONResponse(body, error.status, headers)


def no_rights() -> GraphError:
    message = "Insufficient privileges to complete the operation."
    return GraphError(403, "Authorization_RequestDenied", message)


def user_of(entra: Entra, caller: Caller, *scopes: str) -> User:
    """Return the signed-in user, if the token carries one of these scopes."""
    user = entra.state.users.get(caller.claims["oid"])
    if caller.claims.get("idtyp") != "user" or user is None:
        raise bad_request("/me request is only valid with delegated authentication flow.")
    if not caller.has_scope(*scopes):
        raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials.")
    return user


def app_for(request: Request, entra: Entra, caller: Caller, *, write: bool) -> App:
    """Find the registration that the path names, if the caller has rights to it."""
    roles = (WRITE_ALL, OWNED) if write else (WRITE_ALL, OWNED, READ_ALL)
    if not caller.has_role(*roles):
        raise no_rights()
    key = request.path_params["key"]
    found = next((one for one in entra.state.apps.values() if _is_called(one, key)), None)
    if found is None or found.tenant != caller.claims["tid"]:
        message = f"Resource '{key}' does not exist or one of its queried reference-property"
        message += " objects are not present."
        raise GraphError(404, "Request_ResourceNotFound", message)
    everything = caller.has_role(WRITE_ALL) or (not write and caller.has_role(READ_ALL))
    # OwnedBy reaches only as far as the caller's own service principal is an owner.
    if not everything and caller.claims["oid"] not in found.owners:
        raise no_rights()
    return found


def _is_called(app: App, key: str) -> bool:
    if is_guid(key):
        return app.object_id == key.lower()
    return key.lower() == f"(appid='{app.client_id}')"


async def json_of(request: Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise bad_request("Unable to read JSON request payload.") from error

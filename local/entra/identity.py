"""App Service's managed identity endpoint, GET /msi/token?api-version=2019-08-01.

The header proves that the caller is a process of the app: without it, any request forged through
the app (SSRF) would walk away with the identity's tokens.
"""

import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.answers import correlation_id, first, query_of
from local.entra.audit import Exchange
from local.entra.context import Entra, entra_of
from local.entra.errors import Refused
from local.entra.faults import Lost
from local.entra.model import Identity, hashed
from local.entra.permissions import BY_ID, PLATFORM_URIS
from local.entra.tokens import EXCHANGE_AUDIENCE, identity_token

API_VERSION = "2019-08-01"


class _Denied(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


async def managed_identity(request: Request) -> Response:
    entra = entra_of(request)
    query = query_of(request)
    exchange = entra.audit.begin(
        Exchange(
            at=entra.clock.now(),
            endpoint="identity",
            correlation_id=correlation_id(request),
            client_id=first(query, "client_id"),
            resource=first(query, "resource"),
        )
    )
    try:
        lost = await entra.faults.meet(exchange)
        identity = _identity(entra, request, query)
        exchange.tenant = identity.tenant
        resource = _resource(query)
    except _Denied as denied:
        exchange.failed(denied.message, denied.status)
        body = {"statusCode": denied.status, "message": denied.message}
        return JSONResponse(body, denied.status)
    except Refused as refused:
        exchange.failed(refused.error, refused.code)
        return _faulted(refused)
    token, expires = identity_token(entra, identity, resource)
    if lost:
        return Lost()
    return JSONResponse(
        {
            "access_token": token,
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": identity.client_id.upper(),
        }
    )


def _identity(entra: Entra, request: Request, query: dict[str, list[str]]) -> Identity:
    header = request.headers.get("x-identity-header")
    if not header:
        raise _Denied(400, "The X-IDENTITY-HEADER header is missing.")
    offered = hashed(header)
    mine = [
        one for one in entra.state.identities.values() if hmac.compare_digest(one.header, offered)
    ]
    if not mine:
        raise _Denied(403, "The X-IDENTITY-HEADER header is wrong.")
    if first(query, "api-version") != API_VERSION:
        raise _Denied(400, f"The api-version must be {API_VERSION}.")
    client_id = first(query, "client_id")
    if not client_id:
        # Only user-assigned identities exist here, and those have to be named.
        raise _Denied(400, "No system-assigned managed identity; client_id is missing.")
    found = next((one for one in mine if one.client_id == client_id.lower()), None)
    if found is None:
        raise _Denied(400, "No managed identity with this client_id is assigned to the app.")
    return found


def _resource(query: dict[str, list[str]]) -> str:
    resource = first(query, "resource")
    if not resource:
        raise _Denied(400, "The resource parameter is missing.")
    known = {
        *PLATFORM_URIS,
        EXCHANGE_AUDIENCE,
        *(uri for one in BY_ID.values() for uri in one.uris),
    }
    if resource.rstrip("/") not in known:
        message = f"AADSTS500011: The resource principal named {resource} was not found."
        raise _Denied(400, message)
    return resource


def _faulted(refused: Refused) -> Response:
    headers = {}
    if refused.retry_after is not None:
        headers["Retry-After"] = f"{refused.retry_after:g}"
    body = {"statusCode": refused.status, "message": refused.message}
    return JSONResponse(body, refused.status, headers)

"""POST /{tenant}/oauth2/v2.0/token: traces, meets faults, checks the client, finds the grant."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.answers import (
    correlation_id,
    error_answer,
    first,
    form_of,
    needed,
    singly,
    trace_headers,
)
from local.entra.audit import Exchange
from local.entra.authority import app_at, authority_of, tenant_id
from local.entra.client_auth import authenticate, with_basic
from local.entra.context import Entra, entra_of
from local.entra.errors import Refused
from local.entra.faults import Lost
from local.entra.grants import Asking, by_client, by_code, by_refresh_token

_GRANTS = {
    "authorization_code": by_code,
    "refresh_token": by_refresh_token,
    "client_credentials": by_client,
}


async def token(request: Request) -> Response:
    entra = entra_of(request)
    correlation = correlation_id(request)
    fields = await form_of(request)
    exchange = entra.audit.begin(
        Exchange(
            at=entra.clock.now(),
            endpoint="token",
            correlation_id=correlation,
            tenant=tenant_id(entra.state, request.path_params["tenant"]),
            client_id=first(fields, "client_id"),
            grant_type=first(fields, "grant_type"),
            scope=first(fields, "scope"),
        )
    )
    try:
        lost = await entra.faults.meet(exchange)
        answer = _answer(entra, request, fields, exchange)
    except Refused as refused:
        exchange.failed(refused.error, refused.code)
        return error_answer(request, refused, correlation)
    return Lost() if lost else JSONResponse(answer, headers=trace_headers(correlation))


def _answer(
    entra: Entra, request: Request, fields: dict[str, list[str]], exchange: Exchange
) -> dict[str, Any]:
    authority = authority_of(entra.state, request.path_params["tenant"])
    exchange.tenant = authority.key
    form = with_basic(singly(fields), request.headers.get("authorization", ""))
    exchange.client_id = needed(form, "client_id").lower()
    grant_type = needed(form, "grant_type")
    grant = _GRANTS.get(grant_type)
    if grant is None:
        raise Refused(70003, grant_type=grant_type)
    if grant is by_client and authority.tenant is None:
        raise Refused(9001023 if authority.name == "common" else 50059)
    app = app_at(entra.state, authority, exchange.client_id)
    exchange.auth = authenticate(entra, authority, app, form)
    return grant(entra, Asking(authority, app, exchange.auth, form), exchange)

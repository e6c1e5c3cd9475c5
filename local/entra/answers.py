"""The edge: reading forms, tracing ids, and sending refusals in Entra's shape."""

from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.authority import is_guid
from local.entra.context import entra_of
from local.entra.errors import Refused, Traced
from local.entra.model import new_id

Handler = Callable[[Request], Awaitable[Response]]
FORM = "application/x-www-form-urlencoded"


def correlation_id(request: Request) -> str:
    sent = request.headers.get("client-request-id", "")
    return sent if is_guid(sent) else new_id()


def trace_headers(correlation: str) -> dict[str, str]:
    return {
        "x-ms-request-id": new_id(),
        "client-request-id": correlation,
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
    }


def error_answer(request: Request, refused: Refused, correlation: str) -> JSONResponse:
    headers = trace_headers(correlation)
    if refused.retry_after is not None:
        headers["Retry-After"] = f"{refused.retry_after:g}"
    body = Traced(refused, correlation, entra_of(request).clock.now()).body()
    return JSONResponse(body, status_code=refused.status, headers=headers)


def refusing(handler: Handler) -> Handler:
    """Let a handler raise `Refused` and answer with its JSON body."""

    @wraps(handler)
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            return error_answer(request, refused, correlation_id(request))

    return handle


def singly(fields: dict[str, list[str]]) -> dict[str, str]:
    """Refuse repeated parameters: two readers could otherwise see two different requests."""
    for name, values in fields.items():
        if len(values) > 1:
            raise Refused(9000411, name=name)
    return {name: values[0] for name, values in fields.items()}


async def form_of(request: Request) -> dict[str, list[str]]:
    """Read a form; a body of another type holds no parameters, as Entra sees it."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body, keep_blank_values=True)


def query_of(request: Request) -> dict[str, list[str]]:
    return parse_qs(request.url.query, keep_blank_values=True)


def first(fields: dict[str, list[str]], name: str) -> str | None:
    return fields[name][0] if fields.get(name) else None


def needed(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise Refused(900144, name=name)
    return fields[name]

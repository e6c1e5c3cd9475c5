"""The request as the worker gets it from the host, and the answer as the host sends it on."""

import os
from collections.abc import Mapping
from urllib.parse import unquote_plus

from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import Response

from local.devhost.cookies import set_cookie_lines
from local.devhost.messages import looks_like_json
from local.devhost.paths import encode_path

_NO_BODY = (204, 205, 304)


class BodyTooLarge(Exception):
    """More than the host reads."""


class BadAnswer(Exception):
    """The function's answer is one that the host cannot send: 500, and this text in the log."""


async def read_request(request: Request, path: str, params: Mapping[str, str]) -> Datum:
    query = request.scope["query_string"].decode("latin-1")
    url = f"{request.url.scheme}://{request.headers.get('host', '')}{encode_path(path)}"
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(f"{url}?{query}" if query else url, "string"),
            "headers": _strings(_headers(request)),
            "query": _strings(read_query(query)),
            "params": _strings(params),
            "body": Datum(await _body(request), "bytes"),
        },
        "http",
    )


def read_query(query: str) -> dict[str, str]:
    """Read it as the host does: names in any case, repeats joined, empty values dropped."""
    spelling: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        values.setdefault(spelling.setdefault(name.lower(), name), []).append(unquote_plus(value))
    return {name: ",".join(given) for name, given in values.items() if any(given)}


def _headers(request: Request) -> dict[str, str]:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    return {name: ",".join(values) for name, values in headers.items()}


async def _body(request: Request) -> bytes:
    length = int(request.headers.get("content-length") or 0)
    if length > int(os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "104857600")):
        raise BodyTooLarge
    # A chunked body does not reach the worker at all.
    return await request.body() if length > 0 else b""


def _strings(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def build_response(data: Datum) -> Response:
    if data.type != "http":
        return _from_text(str(data.value))
    body, status = data.value["body"].value, int(data.value["status_code"].value)
    if body and status in _NO_BODY:
        msg = f"status {status} with a body"
        raise BadAnswer(msg)
    response = Response(body, status_code=status)
    for name, value in data.value["headers"].items():
        if not value.value.isascii():
            msg = f"header {name} is not ASCII"
            raise BadAnswer(msg)
        if name.lower() not in response.headers:
            response.headers[name] = value.value
    for jar in data.value.get("cookies") or ():
        for line in set_cookie_lines(jar):
            response.headers.append("Set-Cookie", line)
    return response


def _from_text(text: str) -> Response:
    if looks_like_json(text):
        # The host would take it for a description of a response, or write it anew.
        msg = "a str that is JSON: return an HttpResponse"
        raise BadAnswer(msg)
    return Response(text, media_type="text/plain")

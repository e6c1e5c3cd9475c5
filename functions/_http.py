"""The API's edge: reading requests, answering in JSON, and the one table from failure to status."""

import functools
import logging
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import azure.functions as func
import msgspec

from postern.errors import (
    Conflict,
    ConsentLost,
    Forbidden,
    Malformed,
    NotFound,
    PosternError,
    SettingWrong,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from postern.model.secret import Secret

if TYPE_CHECKING:
    from postern.assembly import Postern
    from postern.model.caller import Caller

log = logging.getLogger("postern.http")

Handler = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]
_T = TypeVar("_T")

LARGEST_BODY = 64 * 1024
READABLE = r"^[^\x00-\x1f\x7f]*$"
NO_STORE = {"Cache-Control": "no-store"}

STATUS: dict[type[PosternError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    ConsentLost: 409,
    TooLarge: 413,
    Unprocessable: 422,
    Unavailable: 503,
}


def api(handler: Handler) -> Handler:
    """Answer every failure of *handler* with the one error body."""

    @functools.wraps(handler)
    async def answered(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return await handler(req)
        except Exception as exc:
            return _failure(exc)

    return answered


def body(req: func.HttpRequest, kind: type[_T]) -> _T:
    """Return the JSON body as *kind*: unknown fields and wrong types are refused by name."""
    raw = req.get_body()
    if len(raw) > LARGEST_BODY:
        raise TooLarge("body-too-large", f"A body has at most {LARGEST_BODY} bytes.")
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as exc:
        raise Malformed("body-invalid", f"{exc}.") from exc
    except msgspec.DecodeError as exc:
        raise Malformed("body-not-json", "The body is not JSON.") from exc


async def identify(req: func.HttpRequest, app: "Postern") -> "Caller":
    """Return who calls, by the bearer key of the Authorization header."""
    scheme, _, key = req.headers.get("Authorization", "").partition(" ")
    unverified = Secret(key.strip()) if scheme.lower() == "bearer" and key.strip() else None
    return await app.callers.identify(unverified)


def answer(value: object, status: int = 200) -> func.HttpResponse:
    """Return *value* as JSON that no cache keeps."""
    return func.HttpResponse(
        msgspec.json.encode(value),
        status_code=status,
        mimetype="application/json",
        headers=NO_STORE,
    )


def _failure(exc: Exception) -> func.HttpResponse:
    request_id = uuid.uuid4().hex
    status = next((code for kind, code in STATUS.items() if isinstance(exc, kind)), 500)
    if status == 500:
        note(exc, request_id)
        return answer(
            _problem("internal", "Something failed here; it was logged.", request_id), 500
        )
    code, description = getattr(exc, "code", "error"), getattr(exc, "description", "")
    log.info("refused id=%s error=%s", request_id, code)
    response = answer(
        {**getattr(exc, "details", {}), **_problem(code, description, request_id)}, status
    )
    if isinstance(exc, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exc, Unavailable):
        response.headers["Retry-After"] = str(max(1, round(exc.retry_after or 5)))
    return response


def _problem(code: str, description: str, request_id: str) -> Mapping[str, str]:
    return {"error": code, "description": description, "id": request_id}


def note(exc: BaseException, request_id: str) -> None:
    """Log where it failed and as what, never the text: it may quote a token or a URL."""
    frames: list[Any] = traceback.extract_tb(exc.__traceback__)[-4:]
    where = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames))
    kind = type(exc).__name__
    # A wrong setting is named by its key, which its text holds and nothing else.
    said = f"{kind}: {exc}" if isinstance(exc, SettingWrong) else kind
    log.error("failed id=%s type=%s at=%s", request_id, said, where)

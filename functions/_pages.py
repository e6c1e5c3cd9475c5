"""The owner's edge: answering with a page, whatever happened."""

import functools
import uuid
from typing import TYPE_CHECKING

import azure.functions as func

from functions._http import NO_STORE, Handler, note
from postern.bootstrap import postern
from postern.errors import PageError, SettingWrong, Unavailable

if TYPE_CHECKING:
    from postern.pages import Branding, Page


def page(handler: Handler) -> Handler:
    """Answer every failure of *handler* with a page: its caller is a mailbox owner."""

    @functools.wraps(handler)
    async def answered(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return await _explained(handler, req)
        except Exception as exc:
            note(exc, uuid.uuid4().hex)
            if isinstance(exc, SettingWrong):
                return func.HttpResponse("Please try again later.", status_code=503)
            shown = await ended(PageError("temporarily-unavailable"))
            return _with_status(shown, 503 if isinstance(exc, Unavailable) else 500)

    return answered


async def _explained(handler: Handler, req: func.HttpRequest) -> func.HttpResponse:
    try:
        return await handler(req)
    except PageError as exc:
        return await ended(exc)


def show(shown: "Page", *, cookie: str | None = None) -> func.HttpResponse:
    """Return a page under its own policy."""
    response = func.HttpResponse(
        shown.html,
        status_code=shown.status,
        mimetype="text/html",
        headers={**NO_STORE, "Content-Security-Policy": shown.content_security_policy},
    )
    if cookie:
        response.headers.add("Set-Cookie", cookie)
    return response


def go(url: str, *, cookie: str | None = None) -> func.HttpResponse:
    """Redirect by 303, so that a reload repeats nothing."""
    response = func.HttpResponse(status_code=303, headers={**NO_STORE, "Location": url})
    if cookie:
        response.headers.add("Set-Cookie", cookie)
    return response


async def ended(exc: PageError, branding: "Branding | None" = None) -> func.HttpResponse:
    """Return the page that explains how a sign-in ended."""
    app = await postern()
    branding = branding or await app.configurations.branding(exc.config)
    shown = app.pages.ended(
        branding, reason=exc.reason, correlation_id=exc.correlation_id, detail=exc.detail
    )
    return show(shown)


def _with_status(response: func.HttpResponse, status: int) -> func.HttpResponse:
    return func.HttpResponse(
        response.get_body(),
        status_code=status,
        mimetype=response.mimetype,
        headers=dict(response.headers),
    )

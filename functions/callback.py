"""The way back from Entra: the only redirect URI that is registered."""

import re

import azure.functions as func

from functions._cookies import browser_of
from functions._pages import go, page
from postern.bootstrap import postern
from postern.errors import PageError, ProviderRefused
from postern.model.answer import Answer
from postern.model.secret import Secret

bp = func.Blueprint()

_NUMBER = re.compile(r"AADSTS(\d{1,9})")


@bp.function_name("callback")
@bp.route(route="callback", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@page
async def callback(req: func.HttpRequest) -> func.HttpResponse:
    """Take Entra's answer and go on to a clean address: no code stays in the address bar."""
    app = await postern()
    try:
        ticket = await app.authorization.complete(_answer(req), browser_of(req))
    except PageError as exc:
        return go(f"{app.base_url}/api/ended/{exc.reason}")
    return go(f"{app.base_url}/api/finished/{ticket.reveal()}")


def _answer(req: func.HttpRequest) -> Answer:
    code, error = req.params.get("code"), req.params.get("error")
    number = _NUMBER.match(req.params.get("error_description", ""))
    refused = ProviderRefused(
        error=error or "", status=400, number=int(number[1]) if number else None
    )
    return Answer(
        state=req.params.get("state", ""),
        code=Secret(code) if code else None,
        error=refused if error else None,
    )

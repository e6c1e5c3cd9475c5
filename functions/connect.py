"""The owner's pages: what a link shows, and how a sign-in ended."""

import azure.functions as func

from functions._cookies import browser_of, form_token, set_browser
from functions._pages import ended, page, show
from postern.bootstrap import postern
from postern.crypto import bearer
from postern.errors import PageError
from postern.model.scopes import scopes

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS


@bp.function_name("connect_page")
@bp.route(route="connect/{link}", methods=["GET"], auth_level=ANONYMOUS)
@page
async def connect(req: func.HttpRequest) -> func.HttpResponse:
    """Show who asks for what. Changes nothing: mail scanners open links too."""
    app = await postern()
    text = req.route_params["link"]
    opened = await app.links.open(text)
    if opened.link.direct:
        raise PageError("link-unknown")
    browser = browser_of(req) or bearer.new_token()
    shown = app.pages.connect(
        opened.config.branding,
        action=f"{app.base_url}/api/authorize",
        link=text,
        form_token=form_token(browser, text),
        scopes=(*scopes(opened.link.protocols), "offline_access"),
        expected_address=opened.link.expected_address,
        expires=opened.link.expires,
    )
    return show(shown, cookie=set_browser(browser))


@bp.function_name("connect_finished")
@bp.route(route="finished/{ticket}", methods=["GET"], auth_level=ANONYMOUS)
@page
async def finished(req: func.HttpRequest) -> func.HttpResponse:
    """Show how a sign-in ended, at an address that holds neither code nor state."""
    app = await postern()
    ending, config = await app.authorization.ending(req.route_params["ticket"])
    if ending.reason is not None:
        exc = PageError(ending.reason, ending.correlation_id, ending.detail or {})
        return await ended(exc, config.branding)
    shown = app.pages.connected(
        config.branding,
        address=ending.address,
        protocols=ending.protocols,
        missing=ending.missing,
        return_url=ending.return_url,
    )
    return show(shown)


@bp.function_name("connect_ended")
@bp.route(route="ended/{reason}", methods=["GET"], auth_level=ANONYMOUS)
@page
async def stray(req: func.HttpRequest) -> func.HttpResponse:
    """Show why an answer from Entra was not accepted, when nobody's sign-in is known for it."""
    app = await postern()
    reason = req.route_params["reason"]
    return await ended(PageError(reason if reason in app.pages.reasons else "state-unknown"))

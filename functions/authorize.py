"""From the owner's click to Entra: the page's button, and direct links."""

from urllib.parse import parse_qs

import azure.functions as func

from functions._cookies import browser_of, form_token, set_browser
from functions._http import LARGEST_BODY
from functions._pages import go, page, show
from postern.bootstrap import postern
from postern.crypto import bearer
from postern.errors import PageError

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS


@bp.function_name("authorize_button")
@bp.route(route="authorize", methods=["POST"], auth_level=ANONYMOUS)
@page
async def button(req: func.HttpRequest) -> func.HttpResponse:
    """Start a sign-in. Answers 200 with a page that goes on: a redirect from a form to Entra, and
    Entra's own onward redirects, would be stopped by `form-action 'self'`."""
    app = await postern()
    text, unverified_token = _form(req)
    browser = browser_of(req)
    # Another site may submit our form's fields but knows neither cookie nor token. `Origin` is no
    # test here: `no-referrer` makes it "null".
    if req.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise PageError("cross-site")
    if browser is None or not bearer.same(unverified_token, form_token(browser, text)):
        raise PageError("cookies-blocked")
    opened = await app.links.open(text)
    if opened.link.direct:
        raise PageError("link-unknown")
    url = await app.authorization.begin(opened, browser)
    return show(app.pages.leaving(opened.config.branding, url=url))


@bp.function_name("authorize_direct")
@bp.route(route="authorize/{link}", methods=["GET"], auth_level=ANONYMOUS)
@page
async def direct(req: func.HttpRequest) -> func.HttpResponse:
    """Start a sign-in at once, for a button in the agency's own product."""
    app = await postern()
    opened = await app.links.open(req.route_params["link"])
    if not opened.link.direct:
        raise PageError("link-unknown")
    browser = browser_of(req) or bearer.new_token()
    url = await app.authorization.begin(opened, browser)
    return go(url, cookie=set_browser(browser))


def _form(req: func.HttpRequest) -> tuple[str, str]:
    raw = req.get_body()
    if len(raw) > LARGEST_BODY:
        raise PageError("link-unknown")
    try:
        fields = parse_qs(raw.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise PageError("link-unknown") from None
    return fields.get("link", [""])[0], fields.get("form_token", [""])[0]

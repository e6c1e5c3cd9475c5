"""Renders the pages of the sign-in; they work by keyboard and without a script."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from local.entra.context import entra_of
from local.entra.errors import Refused
from local.entra.model import App, User
from local.entra.permissions import Scope
from local.entra.sessions import COOKIE, Flow

_FOLDER = Path(__file__).with_name("templates")
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)
HEADERS = {
    # No form-action: a form's answer is a redirect to the application, on whatever host it is.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


async def style(_: Request) -> Response:
    return Response((_FOLDER / "entra.css").read_text(), media_type="text/css")


def _page(request: Request, name: str, status: int = 200, **values: object) -> Response:
    values = {"base_url": entra_of(request).base_url, "error": None, **values}
    html = _TEMPLATES.get_template(name).render(values)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def picker(request: Request, flow: Flow, app: App) -> Response:
    entra = entra_of(request)
    accounts = [
        entra.state.users[oid]
        for oid in entra.sessions.accounts(flow.browser)
        if oid in entra.state.users
    ]
    return _page(
        request, "picker.html", title="Pick an account", flow=flow, app=app, accounts=accounts
    )


def sign_in(
    request: Request, flow: Flow, app: App, login: str, refused: Refused | None = None
) -> Response:
    return _page(
        request,
        "signin.html",
        title="Sign in",
        flow=flow,
        app=app,
        tenant=entra_of(request).state.tenants.get(flow.tenant or ""),
        login=login,
        error=refused.message if refused else None,
    )


def ask_consent(
    request: Request, flow: Flow, app: App, user: User, scopes: list[Scope], roles: list[str]
) -> Response:
    for_everybody = flow.kind == "admin consent"
    return _page(
        request,
        "consent.html",
        title="Permissions requested" + (" for your organization" if for_everybody else ""),
        flow=flow,
        app=app,
        user=user,
        scopes=scopes,
        roles=roles,
        for_everybody=for_everybody,
        tenant=entra_of(request).state.tenants[user.tenant],
    )


def approval_required(request: Request, flow: Flow, app: App, user: User) -> Response:
    return _page(request, "approval.html", title="Approval required", flow=flow, app=app, user=user)


def failure(request: Request, refused: Refused) -> Response:
    """Show an error that must not be redirected: the address to send it to is not trusted."""
    status = 400 if refused.status == 401 else refused.status
    return _page(request, "failure.html", status, title="Sign in", message=refused.message)


def remember_browser(response: Response, browser: str) -> Response:
    response.set_cookie(COOKIE, browser, path="/", secure=True, httponly=True, samesite="none")
    return response

"""From the first page to the redirect: who signs in, what that person allows, and the code."""

import re
import secrets
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from local.entra import consent, pages
from local.entra.context import Entra, entra_of
from local.entra.errors import ERROR_PAGE, Refused, Traced
from local.entra.model import App, Code, User, hashed, new_id
from local.entra.permissions import OUTLOOK, Scope
from local.entra.sessions import Flow

_MARKUP = re.compile(r"<[^>]*>")


def begin(request: Request, flow: Flow) -> Response:
    """Decide by `prompt`, `login_hint` and who is signed in here already which page comes first."""
    entra = entra_of(request)
    app = entra.state.apps[flow.client_id]
    accounts = [
        entra.state.users[oid]
        for oid in entra.sessions.accounts(flow.browser)
        if oid in entra.state.users
    ]
    hinted = [one for one in accounts if one.upn.lower() == flow.hint.lower()]
    candidates = hinted if flow.hint else accounts
    if flow.prompt == "none":
        if len(candidates) != 1:
            raise Refused(50058)
        return go_on(request, flow, candidates[0])
    if flow.prompt == "login" or not accounts:
        return pages.sign_in(request, flow, app, flow.hint)
    if flow.prompt != "select_account" and len(candidates) == 1:
        return go_on(request, flow, candidates[0])
    if flow.hint and not hinted and flow.prompt != "select_account":
        return pages.sign_in(request, flow, app, flow.hint)
    return pages.picker(request, flow, app)


def checked_user(entra: Entra, flow: Flow, login: str, password: str) -> User:
    """Find the account and check its password."""
    state, login = entra.state, login.strip()
    tenant = state.tenants.get(flow.tenant or "")
    user = state.user_in(tenant.id, login) if tenant else state.user_at_home(login)
    if user is None:
        where = tenant.name if tenant else "Microsoft Entra ID"
        number = 50020 if state.user_at_home(login) else 50034
        raise Refused(number, upn=login, tenant=where, client_id=flow.client_id)
    if user.password != hashed(password):
        raise Refused(50126)
    return user


def check_may_enter(entra: Entra, flow: Flow, user: User) -> None:
    app = entra.state.apps[flow.client_id]
    if flow.tenant is not None and user.tenant != flow.tenant:
        tenant = entra.state.tenants[flow.tenant].name
        raise Refused(50020, upn=user.upn, tenant=tenant, client_id=flow.client_id)
    if user.disabled:
        raise Refused(50057)
    if app.assignment_required and user.oid not in app.assigned:
        raise Refused(50105, name=app.display_name, client_id=flow.client_id, upn=user.upn)


def go_on(request: Request, flow: Flow, user: User) -> Response:
    """Continue with a known user: consent where it is missing, else the code."""
    entra = entra_of(request)
    app = entra.state.apps[flow.client_id]
    try:
        check_may_enter(entra, flow, user)
    except Refused as refused:
        if flow.prompt == "none":
            raise
        return pages.sign_in(request, flow, app, user.upn, refused)
    flow.user = user.oid
    if flow.kind == "admin consent":
        if not user.admin:
            return pages.approval_required(request, flow, app, user)
        scopes, roles = consent.expanded(app, flow.scopes), consent.roles(app, flow.scopes)
        return pages.ask_consent(request, flow, app, user, scopes, roles)
    return _consent_or_code(request, flow, app, user)


def _consent_or_code(request: Request, flow: Flow, app: App, user: User) -> Response:
    entra = entra_of(request)
    tenant = entra.state.tenants[user.tenant]
    if not tenant.exchange and any(one.resource is OUTLOOK for one in flow.scopes):
        raise Refused(650052, resource=OUTLOOK.name, tenant=tenant.name)
    scopes = consent.expanded(app, flow.scopes)
    missing = consent.missing(entra.state, user, app, scopes)
    if not missing and flow.prompt != "consent":
        return send_code(request, flow, user)
    if flow.prompt == "none":
        refused = Refused(65001, client_id=app.client_id, name=app.display_name)
        refused.error = "interaction_required"
        raise refused
    if tenant.consent == "admin" and not user.admin and missing:
        return pages.approval_required(request, flow, app, user)
    return pages.ask_consent(request, flow, app, user, scopes, [])


def send_code(request: Request, flow: Flow, user: User) -> Response:
    entra = entra_of(request)
    value = f"1.{secrets.token_urlsafe(64)}"
    _forget_old_codes(entra)
    entra.state.codes[hashed(value)] = Code(
        client_id=flow.client_id,
        redirect_uri=flow.redirect_uri,
        authority=flow.authority,
        user=user.oid,
        scopes=[_name(one) for one in flow.scopes],
        issued_at=entra.clock.now(),
        nonce=flow.nonce,
        challenge=flow.challenge,
    )
    return send_back(request, flow, {"code": value}, {"session_state": new_id()})


def send_back_refusal(request: Request, flow: Flow, refused: Refused) -> Response:
    entra = entra_of(request)
    traced = Traced(refused, new_id(), entra.clock.now())
    values = {"error": refused.error, "error_description": traced.description(new_id())}
    if refused.code == 65004:
        values["error_subcode"] = "cancel"
    values["error_uri"] = f"{ERROR_PAGE}{refused.code}"
    return send_back(request, flow, values)


def send_back(
    request: Request, flow: Flow, values: dict[str, str], after: dict[str, str] | None = None
) -> Response:
    """Redirect to the application and end the flow. Entra strips markup from `state`."""
    entra_of(request).sessions.end(flow)
    state = {"state": _MARKUP.sub("", flow.state)} if flow.state is not None else {}
    query = urlencode({**values, **state, **(after or {})})
    joint = "&" if urlsplit(flow.redirect_uri).query else "?"
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(f"{flow.redirect_uri}{joint}{query}", 302, headers)


def _name(scope: Scope) -> str:
    return scope.name if scope.is_sign_in else f"{scope.audience}/{scope.name}"


def _forget_old_codes(entra: Entra) -> None:
    # Kept for a day, since using one again must be told apart from one that never was.
    oldest = entra.clock.now() - 86_400
    codes = entra.state.codes
    while codes and next(iter(codes.values())).issued_at < oldest:
        del codes[next(iter(codes))]

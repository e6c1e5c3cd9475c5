"""The buttons of the sign-in pages, and the page of admin consent."""

import secrets

from starlette.requests import Request
from starlette.responses import Response

from local.entra import consent, pages, permissions
from local.entra.answers import first, form_of, query_of, singly
from local.entra.authority import app_at, authority_of
from local.entra.context import entra_of
from local.entra.errors import Refused
from local.entra.model import EVERYBODY
from local.entra.sessions import COOKIE, Flow
from local.entra.signin import (
    begin,
    check_may_enter,
    checked_user,
    go_on,
    send_back,
    send_back_refusal,
    send_code,
)


class _Closed(Refused):
    """The page was opened in another browser, or too long ago."""

    def __init__(self) -> None:
        super().__init__(90033)
        self.text = "This sign-in is over. Go back to the application and start again."


def _flow(request: Request, fields: dict[str, list[str]]) -> Flow:
    browser = request.cookies.get(COOKIE)
    flow = entra_of(request).sessions.find(first(fields, "flow") or "", browser)
    if flow is None:
        raise _Closed
    return flow


async def choose_account(request: Request) -> Response:
    entra, fields = entra_of(request), await form_of(request)
    try:
        flow = _flow(request, fields)
    except Refused as refused:
        return pages.failure(request, refused)
    chosen = first(fields, "account")
    if chosen in entra.sessions.accounts(flow.browser) and chosen in entra.state.users:
        return _going_on(request, flow, chosen)
    return pages.sign_in(request, flow, entra.state.apps[flow.client_id], "")


async def give_password(request: Request) -> Response:
    entra, fields = entra_of(request), await form_of(request)
    try:
        flow = _flow(request, fields)
    except Refused as refused:
        return pages.failure(request, refused)
    login = first(fields, "login") or ""
    try:
        user = checked_user(entra, flow, login, first(fields, "passwd") or "")
        check_may_enter(entra, flow, user)
    except Refused as refused:
        return pages.sign_in(request, flow, entra.state.apps[flow.client_id], login, refused)
    entra.sessions.signed_in(flow.browser, user.oid)
    return _going_on(request, flow, user.oid)


def _going_on(request: Request, flow: Flow, oid: str) -> Response:
    try:
        return go_on(request, flow, entra_of(request).state.users[oid])
    except Refused as refused:
        return send_back_refusal(request, flow, refused)


async def decide(request: Request) -> Response:
    entra, fields = entra_of(request), await form_of(request)
    try:
        flow = _flow(request, fields)
        user = entra.state.users[flow.user or ""]
    except Refused as refused:
        return pages.failure(request, refused)
    except KeyError:
        return pages.failure(request, _Closed())
    app = entra.state.apps[flow.client_id]
    accepted = first(fields, "decision") == "accept"
    scopes = consent.expanded(app, flow.scopes)
    if flow.kind == "admin consent":
        return _admin_decision(request, flow, accepted and user.admin)
    if not accepted:
        return send_back_refusal(request, flow, Refused(65004))
    tenant = entra.state.tenants[user.tenant]
    missing = consent.missing(entra.state, user, app, scopes)
    if tenant.consent == "admin" and not user.admin and missing:
        # The page offers no Accept here; this is somebody who posts it anyway.
        return pages.approval_required(request, flow, app, user)
    consent.record(entra.state, user.tenant, user.oid, app, scopes)
    return send_code(request, flow, user)


async def return_without_consent(request: Request) -> Response:
    try:
        flow = _flow(request, query_of(request))
    except Refused as refused:
        return pages.failure(request, refused)
    app = entra_of(request).state.apps[flow.client_id]
    return send_back_refusal(request, flow, Refused(90094, name=app.display_name))


async def admin_consent(request: Request) -> Response:
    """GET /{tenant}/v2.0/adminconsent."""
    entra = entra_of(request)
    try:
        query = singly(query_of(request))
        authority = authority_of(entra.state, request.path_params["tenant"])
        if authority.name == "common":
            raise Refused(900023, tenant="common")
        app = app_at(entra.state, authority, query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if redirect_uri not in app.redirect_uris:
            raise Refused(50011, redirect_uri=redirect_uri, client_id=app.client_id)
        if not query.get("scope", "").strip():
            raise Refused(900144, name="scope")
        scopes = permissions.parse(query["scope"], unknown_scope=650053)
    except Refused as refused:
        return pages.failure(request, refused)
    flow = Flow(
        kind="admin consent",
        browser=request.cookies.get(COOKIE) or secrets.token_urlsafe(24),
        authority=authority.key,
        tenant=authority.tenant.id if authority.tenant else None,
        client_id=app.client_id,
        redirect_uri=redirect_uri,
        scopes=scopes,
        state=query.get("state"),
        prompt="select_account",
    )
    entra.sessions.begin(flow)
    return pages.remember_browser(begin(request, flow), flow.browser)


def _admin_decision(request: Request, flow: Flow, accepted: bool) -> Response:
    entra = entra_of(request)
    app = entra.state.apps[flow.client_id]
    tenant = entra.state.users[flow.user or ""].tenant
    if not accepted:
        refused = Refused(65004)
        refused.error = "consent_required"
        flow_answer = {"admin_consent": "True", "error": refused.error}
        flow_answer["error_description"] = refused.message
        return send_back(request, flow, flow_answer)
    scopes = consent.expanded(app, flow.scopes)
    consent.record(entra.state, tenant, EVERYBODY, app, scopes)
    principal = entra.state.ensure_principal(tenant, app.client_id)
    principal.roles = list(dict.fromkeys([*principal.roles, *consent.roles(app, flow.scopes)]))
    asked = " ".join(f"{one.audience}/{one.name}" for one in scopes)
    return send_back(request, flow, {"admin_consent": "True", "tenant": tenant, "scope": asked})

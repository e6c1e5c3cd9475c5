"""GET /{tenant}/oauth2/v2.0/authorize: what is checked before anybody sees a page.

Until client and redirect URI are known to belong together, an error is shown here. Only after that
may it be sent to the application, or this would be an open redirector.
"""

import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

from local.entra import pages, permissions
from local.entra.answers import correlation_id, first, query_of, singly
from local.entra.audit import Exchange
from local.entra.authority import app_at, authority_of, tenant_id
from local.entra.context import Entra, entra_of
from local.entra.errors import Refused
from local.entra.faults import Lost
from local.entra.sessions import COOKIE, Flow
from local.entra.signin import begin, send_back_refusal

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PROMPTS = {"", "select_account", "consent", "login", "none"}


async def authorize(request: Request) -> Response:
    entra = entra_of(request)
    fields = query_of(request)
    exchange = entra.audit.begin(
        Exchange(
            at=entra.clock.now(),
            endpoint="authorize",
            correlation_id=correlation_id(request),
            tenant=tenant_id(entra.state, request.path_params["tenant"]),
            client_id=first(fields, "client_id"),
            scope=first(fields, "scope"),
        )
    )
    try:
        lost = await entra.faults.meet(exchange)
        flow = _addressed(entra, request, singly(fields))
    except Refused as refused:
        exchange.failed(refused.error, refused.code)
        return pages.failure(request, refused)
    try:
        _fill_in(flow, singly(fields))
        entra.sessions.begin(flow)
        response = begin(request, flow)
    except Refused as refused:
        exchange.failed(refused.error, refused.code)
        response = send_back_refusal(request, flow, refused)
    return Lost() if lost else pages.remember_browser(response, flow.browser)


def _addressed(entra: Entra, request: Request, query: dict[str, str]) -> Flow:
    """Check where an answer may go."""
    authority = authority_of(entra.state, request.path_params["tenant"])
    if not query.get("client_id"):
        raise Refused(900144, name="client_id")
    app = app_at(entra.state, authority, query["client_id"])
    redirect_uri = query.get("redirect_uri")
    if not redirect_uri:
        raise Refused(900971)
    if redirect_uri not in app.redirect_uris:
        raise Refused(50011, redirect_uri=redirect_uri, client_id=app.client_id)
    return Flow(
        kind="authorize",
        browser=request.cookies.get(COOKIE) or secrets.token_urlsafe(24),
        authority=authority.key,
        tenant=authority.tenant.id if authority.tenant else None,
        client_id=app.client_id,
        redirect_uri=redirect_uri,
        scopes=[],
        state=query.get("state"),
    )


def _fill_in(flow: Flow, query: dict[str, str]) -> None:
    """Check the rest of the request."""
    if query.get("response_type") != "code":
        raise Refused(70005, response_type=query.get("response_type", ""))
    if query.get("response_mode", "query") != "query":
        raise Refused(70007, response_mode=query["response_mode"])
    if not query.get("scope", "").strip():
        raise Refused(900144, name="scope")
    flow.scopes = permissions.parse(query["scope"], unknown_scope=650053)
    flow.nonce = query.get("nonce")
    flow.challenge = _challenge(query)
    flow.prompt, flow.hint = query.get("prompt", ""), query.get("login_hint", "")
    if flow.prompt not in _PROMPTS:
        raise Refused(90023, reason=flow.prompt)


def _challenge(query: dict[str, str]) -> str | None:
    # Entra does not demand PKCE of a confidential client, but what is sent must be right.
    challenge = query.get("code_challenge")
    if challenge is None and "code_challenge_method" not in query:
        return None
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge or ""):
        raise Refused(50147)
    return challenge

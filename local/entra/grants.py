"""The three grants. Each refuses in the order in which Entra finds out."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from local.entra import consent, permissions, tokens
from local.entra.answers import needed
from local.entra.audit import Exchange
from local.entra.authority import Authority
from local.entra.clock import DAY, iso
from local.entra.context import Entra
from local.entra.errors import Refused
from local.entra.model import App, Code, Grant, User, hashed

CODE_LIFETIME = 600
IDLE_LIFETIME = 90 * DAY


@dataclass(frozen=True, slots=True)
class Asking:
    """A request of an authenticated client."""

    authority: Authority
    app: App
    auth: str
    form: dict[str, str]


def by_code(entra: Entra, asking: Asking, exchange: Exchange) -> dict[str, Any]:
    form = asking.form
    value, redirect_uri = needed(form, "code"), needed(form, "redirect_uri")
    code = entra.state.codes.get(hashed(value))
    if code is None or code.client_id != asking.app.client_id:
        raise Refused(70000)
    if code.redeemed:
        raise Refused(54005)
    if entra.clock.now() >= code.issued_at + CODE_LIFETIME:
        raise Refused(70008)
    if code.authority != asking.authority.key:
        raise Refused(700005)
    if code.redirect_uri != redirect_uri:
        raise Refused(500112, redirect_uri=redirect_uri, expected=code.redirect_uri)
    _check_verifier(code, form.get("code_verifier"))
    user = _living_user(entra, code.user, exchange)
    answer = _user_tokens(entra, asking, user, code.scopes, code.nonce, exchange)
    code.redeemed = True
    entra.store.changed()
    return answer


def by_refresh_token(entra: Entra, asking: Asking, exchange: Exchange) -> dict[str, Any]:
    grant = entra.state.grants.get(hashed(needed(asking.form, "refresh_token")))
    if grant is None or grant.client_id != asking.app.client_id:
        raise Refused(70000)
    user = _living_user(entra, grant.user, exchange)
    _check_age(entra, grant, user)
    tenant = asking.authority.tenant
    if tenant is not None and tenant.id != user.tenant:
        raise Refused(50020, upn=user.upn, tenant=tenant.name, client_id=asking.app.client_id)
    return _user_tokens(entra, asking, user, grant.scopes, None, exchange)


def by_client(entra: Entra, asking: Asking, exchange: Exchange) -> dict[str, Any]:
    app, tenant = asking.app, asking.authority.tenant
    if tenant is None:
        raise Refused(50059)
    text = needed(asking.form, "scope")
    audience, _, name = text.rpartition("/")
    if name != permissions.DEFAULT or not audience or " " in text:
        raise Refused(1002012, scope=text)
    principal = entra.state.principal(tenant.id, app.client_id)
    if principal is None:
        raise Refused(7000229, client_id=app.client_id, tenant=tenant.id)
    exchange.resource = audience
    # "https://vault.azure.net//.default": the audience ends in a slash, and so will the token's.
    if audience.rstrip("/") in permissions.PLATFORM_URIS:
        return tokens.app_access_token(entra, app, principal, audience, [], asking.auth)
    resource = permissions.resource_of(audience)
    roles = [role for role in principal.roles if role in resource.roles]
    return tokens.app_access_token(entra, app, principal, audience, roles, asking.auth)


def _check_verifier(code: Code, verifier: str | None) -> None:
    if code.challenge is None and not verifier:
        return
    digest = hashlib.sha256((verifier or "").encode()).digest()
    computed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    # A verifier without a challenge is refused as well: someone has stripped the challenge.
    if not verifier or not hmac.compare_digest(computed, code.challenge or ""):
        raise Refused(501481)


def _living_user(entra: Entra, oid: str, exchange: Exchange) -> User:
    user = entra.state.users.get(oid)
    if user is None:
        raise Refused(50034)
    exchange.user = user.upn
    if user.disabled:
        raise Refused(50057)
    return user


def _check_age(entra: Entra, grant: Grant, user: User) -> None:
    issued = iso(grant.issued_at)
    if grant.issued_at < user.tokens_valid_from:
        raise Refused(50173, issued=issued, valid_from=iso(user.tokens_valid_from))
    if entra.clock.now() >= grant.issued_at + IDLE_LIFETIME:
        raise Refused(700082, issued=issued)


def _user_tokens(
    entra: Entra,
    asking: Asking,
    user: User,
    original: list[str],
    nonce: str | None,
    exchange: Exchange,
) -> dict[str, Any]:
    """Answer with tokens for the one resource asked for now, whatever the user was asked then."""
    text = asking.form.get("scope", "")
    if not text.strip():
        raise Refused(28003)
    scopes = permissions.parse(text)
    target = permissions.single_resource(scopes, text)
    exchange.resource = target.audience
    app, state = asking.app, entra.state
    if target.name == permissions.DEFAULT and not consent.granted(
        state, user, app, target.resource
    ):
        raise Refused(65001, client_id=app.client_id, name=app.display_name)
    consent.require(state, user, app, (s for s in scopes if s.name != permissions.DEFAULT))
    names = consent.granted(state, user, app, target.resource)
    answer = tokens.user_access_token(entra, app, user, target.audience, names, asking.auth)
    answer["scope"] = " ".join(
        permissions.Scope(target.resource, target.audience, name).full
        for name in names
        if name != "offline_access"
    )
    asked = {one.name for one in scopes if one.is_sign_in}
    if "offline_access" in original:
        answer["refresh_token"] = tokens.refresh_token(entra, app, user, original)
    if "openid" in asked:
        answer["id_token"] = tokens.id_token(entra, app, user, asked, nonce)
    if asking.form.get("client_info") == "1":
        answer["client_info"] = tokens.client_info(user)
    return answer

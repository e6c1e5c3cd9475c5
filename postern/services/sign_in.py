"""What a finished sign-in at Entra must show before anything of it is believed. Pure rules."""

from postern.errors import PageError, ProviderRefused
from postern.model.config import Audience, Config
from postern.model.link import Link
from postern.model.secret import Secret
from postern.ports import Clock, IdentityProvider, UnverifiedClaims

# Entra's tenant of personal Microsoft accounts: nobody administers it.
PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"

_BY_NUMBER = {
    65004: "declined",
    90094: "admin-approval-needed",
    90095: "admin-approval-needed",
    65001: "admin-approval-needed",
    50020: "wrong-account",
    50034: "wrong-account",
    50105: "not-assigned",
    50057: "account-disabled",
    53000: "blocked-by-policy",
    53001: "blocked-by-policy",
    53002: "blocked-by-policy",
    53003: "blocked-by-policy",
    530032: "blocked-by-policy",
    500011: "no-mailbox",
    650052: "no-mailbox",
    54005: "sign-in-failed",
    70008: "state-expired",
    90055: "throttled",
}
_BY_ERROR = {
    "access_denied": "declined",
    "consent_required": "admin-approval-needed",
    "temporarily_unavailable": "temporarily-unavailable",
    "server_error": "temporarily-unavailable",
    "invalid_client": "app-fault",
    "unauthorized_client": "app-fault",
    "invalid_scope": "app-fault",
    "invalid_request": "app-fault",
}


def page_reason(refusal: ProviderRefused) -> str:
    """Return the reason of the page that explains *refusal* to an owner."""
    if refusal.status == 429:
        return "throttled"
    if refusal.status >= 500:
        return "temporarily-unavailable"
    if refusal.number in _BY_NUMBER:
        return _BY_NUMBER[refusal.number]
    return _BY_ERROR.get(refusal.error, "sign-in-failed")


def require_identity(
    claims: UnverifiedClaims,
    *,
    config: Config,
    nonce: Secret,
    provider: IdentityProvider,
    clock: Clock,
) -> None:
    """Check who signed in. The signature is not checked: the token came straight from Entra's
    token endpoint over TLS, which OpenID Connect Core 3.1.3.7 (6) accepts in its place.

    Raises:
        PageError: the token is not for this app, this sign-in or an allowed tenant.
    """
    sound = (
        claims.issuer == provider.issuer(claims.tenant)
        and claims.audience == config.client_id
        and Secret(claims.nonce) == nonce
        and claims.expires > clock.now()
        and bool(claims.tenant and claims.user and claims.username)
    )
    if not sound:
        raise PageError("sign-in-failed")
    at_home = claims.tenant == config.tenant_id
    if claims.tenant == PERSONAL_ACCOUNTS or not config.accepts_tenant(claims.tenant):
        raise PageError("account-not-allowed")
    if config.audience is Audience.TENANT and not at_home:
        raise PageError("account-not-allowed")


def require_expected(claims: UnverifiedClaims, link: Link) -> None:
    """Check that the right mailbox signed in, before anything is stored.

    The address is `preferred_username`: a member's UPN, which a tenant can only give in a domain
    that it has proven (for guests of a single-tenant app that is UNVERIFIED). `mail` or `email` is
    never looked at, since a foreign tenant's admin writes those freely (nOAuth).
    """
    if link.expected_tenant and claims.tenant.lower() != link.expected_tenant.lower():
        raise PageError("account-not-allowed")
    expected = link.expected_address
    if expected and claims.username.lower() != expected.lower():
        raise PageError(
            "wrong-account",
            detail={"expected": masked(expected), "actual": masked(claims.username)},
        )


def masked(address: str) -> str:
    """Return *address* so that its owner knows it and a stranger learns little."""
    name, _, domain = address.partition("@")
    host, _, rest = domain.partition(".")
    return f"{name[:1]}…@{host[:1]}….{rest}" if domain else f"{name[:1]}…"

"""Entra's refusals: number, OAuth error and words, and the body in which they are sent.

The words matter little (Microsoft says never to depend on them), but people read them in logs, so
they say what Entra's say. Sources are in the project's facts; numbers marked * are not in the
public reference and come from reports.
"""

from dataclasses import dataclass
from typing import Any

from local.entra.clock import stamp
from local.entra.model import new_id

ERROR_PAGE = "https://login.microsoftonline.com/error?code="

# number: (OAuth error, words)
_TABLE: dict[int, tuple[str, str]] = {
    28000: ("invalid_request", "Provided value for the input parameter scope is not valid because"
            " it contains more than one resource. Scope {scope} is not valid."),
    28003: ("invalid_request", "Provided value for the input parameter scope cannot be empty when"
            " requesting an access token. Please specify a valid scope."),
    50011: ("invalid_request", "The redirect URI '{redirect_uri}' specified in the request does"
            " not match the redirect URIs configured for the application '{client_id}'. Make sure"
            " the redirect URI sent in the request matches one added to your application."),
    50013: ("invalid_grant", "Assertion failed signature validation. [Reason - {reason}]"),
    50020: ("invalid_grant", "User account '{upn}' does not exist in tenant '{tenant}' and cannot"
            " access the application '{client_id}' in that tenant. The account needs to be added"
            " as an external user in the tenant first. Sign out and sign in again with a"
            " different Microsoft Entra ID user account."),
    50027: ("invalid_client", "JWT token is invalid or malformed. {reason}"),
    50034: ("invalid_grant", "The user account {upn} does not exist in the {tenant} directory. To"
            " sign into this application, the account must be added to the directory."),
    50057: ("invalid_grant", "The user account is disabled."),
    50058: ("login_required", "A silent sign-in request was sent but no user is signed in."),
    50059: ("invalid_request", "No tenant-identifying information found in either the request or"
            " implied by any provided credentials."),
    50105: ("access_denied", "Your administrator has configured the application {name}"
            " ('{client_id}') to block users unless they are specifically granted ('assigned')"
            " access to the application. The signed in user '{upn}' is blocked because they are"
            " not a direct member of a group with access."),
    50126: ("invalid_grant", "Error validating credentials due to invalid username or password."),
    50147: ("invalid_request", "Invalid size of Code_Challenge parameter."),
    50173: ("invalid_grant", "The provided grant has expired due to it being revoked, a fresh auth"
            " token is needed. The user might have changed or reset their password. The grant was"
            " issued on '{issued}' and the TokensValidFrom date (before which tokens are not"
            " valid) for this user is '{valid_from}'."),
    50194: ("invalid_request", "Application '{client_id}'({name}) is not configured as a"
            " multi-tenant application. Usage of the /common endpoint is not supported for such"
            " apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the"
            " application to be multi-tenant."),
    54005: ("invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a"
            " new valid code or use an existing refresh token."),
    65001: ("invalid_grant", "The user or administrator has not consented to use the application"
            " with ID '{client_id}' named '{name}'. Send an interactive authorization request for"
            " this user and resource."),
    65004: ("access_denied", "User declined to consent to access the app."),
    70000: ("invalid_grant", "Provided grant is invalid or malformed."),
    70003: ("unsupported_grant_type", "The app requested an unsupported grant type"
            " '{grant_type}'."),
    70005: ("unsupported_response_type", "The app requested an unsupported response type"
            " '{response_type}'."),
    70007: ("unsupported_response_mode", "'{response_mode}' is not supported for 'response_mode'"
            " by this stand-in."),
    70008: ("invalid_grant", "The provided authorization code or refresh token has expired due to"
            " inactivity. Send a new interactive authorization request for this user and"
            " resource."),
    70011: ("invalid_scope", "The provided request must include a 'scope' input parameter. The"
            " provided value for the input parameter 'scope' is not valid. The scope {scope} is"
            " not valid."),
    70021: ("invalid_request", "No matching federated identity record found for presented"
            " assertion. Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion"
            " Audience: '{audience}'."),
    90002: ("invalid_tenant", "Tenant '{tenant}' not found. Check to make sure you have the"
            " correct tenant ID and are signing into the correct cloud. Check with your"
            " subscription administrator, this may happen if there are no active subscriptions"
            " for the tenant."),
    # 90023 is a malformed request in general.
    90023: ("invalid_request", "The value '{reason}' is not supported for 'prompt'."),
    90033: ("temporarily_unavailable", "A transient error has occurred. Please try again."),
    90055: ("temporarily_unavailable", "Too many requests have been made by this tenant."),
    90094: ("access_denied", "{name} needs permission to access resources in your organization"
            " that only an admin can grant. Please ask an admin to grant permission to this app"
            " before you can use it."),
    500011: ("invalid_resource", "The resource principal named {resource} was not found in the"
             " tenant named {tenant}."),
    500112: ("invalid_client", "The reply address '{redirect_uri}' does not match the reply"
             " address '{expected}' provided when requesting Authorization code."),
    501481: ("invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the"
             " authorization request."),
    650052: ("invalid_client", "The app is trying to access a service '{resource}' that your"
             " organization '{tenant}' lacks a service principal for. Contact your IT Admin to"
             " review the configuration of your service subscriptions."),
    650053: ("invalid_scope", "The application '{name}' asked for scope '{scope}' that doesn't"
             " exist on the resource '{resource}'."),
    700005: ("invalid_grant", "Provided Authorization Code is intended to use against other"
             " tenant, thus rejected."),
    700016: ("unauthorized_client", "Application with identifier '{client_id}' was not found in"
             " the directory '{tenant}'. This can happen if the application has not been installed"
             " by the administrator of the tenant or consented to by any user in the tenant. You"
             " may have sent your authentication request to the wrong tenant."),
    700021: ("invalid_client", "Client assertion application identifier doesn't match 'client_id'"
             " parameter."),
    700023: ("invalid_client", "Client assertion audience claim does not match Realm issuer."),
    700024: ("invalid_client", "Client assertion is not within its valid time range. Current time:"
             " {now}, expiry time of assertion {expiry}."),
    700027: ("invalid_client", "The certificate with identifier used to sign the client assertion"
             " is not registered on application. [Reason - {reason}, Thumbprint of key used by"
             " client: '{thumbprint}']"),
    700082: ("invalid_grant", "The refresh token has expired due to inactivity. The token was"
             " issued on {issued} and was inactive for 90.00:00:00."),
    700211: ("invalid_client", "No matching federated identity record found for presented"
             " assertion issuer '{issuer}'. Check your federated identity credential Subject,"
             " Audience and Issuer against the presented assertion."),
    700213: ("invalid_client", "No matching federated identity record found for presented"
             " assertion subject '{subject}'. Check your federated identity credential Subject,"
             " Audience and Issuer against the presented assertion."),
    700229: ("invalid_client", "Forbidden token type. Only app-only tokens may be used as"
             " Federated Identity Credentials for AAD issuer."),
    700236: ("invalid_client", "Entra ID tokens issued by issuer '{issuer}' may not be used for"
             " federated identity credential flows for applications or managed identities"
             " registered in this tenant."),  # *
    900023: ("invalid_request", "Specified tenant identifier '{tenant}' is neither a valid DNS"
             " name, nor a valid external domain."),  # *
    900144: ("invalid_request", "The request body must contain the following parameter: '{name}'."),
    900971: ("invalid_request", "No reply address provided."),
    1002012: ("invalid_scope", "The provided value for scope {scope} is not valid. Client"
              " credential flows must have a scope value with /.default suffixed to the resource"
              " identifier (application ID URI)."),  # *
    5002723: ("invalid_client", "Invalid JWT token. No certificate thumbprint specified in token"
              " header."),  # *
    7000112: ("unauthorized_client", "Application '{client_id}'({name}) is disabled."),
    7000215: ("invalid_client", "Invalid client secret provided. Ensure the secret being sent in"
              " the request is the client secret value, not the client secret ID, for a secret"
              " added to app '{client_id}'."),
    7000218: ("invalid_client", "The request body must contain the following parameter:"
              " 'client_assertion' or 'client_secret'."),
    7000222: ("invalid_client", "The provided client secret keys for app '{client_id}' are"
              " expired. Visit the Azure portal to create new keys for your app, or consider using"
              " certificate credentials for added security."),
    7000229: ("invalid_client", "The client application {client_id} is missing service principal"
              " in the tenant {tenant}."),  # *
    7002121: ("invalid_client", "No matching federated identity record found for presented"
              " assertion audience '{audience}'. Check your federated identity credential Subject,"
              " Audience and Issuer against the presented assertion."),
    9000411: ("invalid_request", "The request is not properly formatted. The parameter '{name}' is"
              " duplicated."),
    9001023: ("invalid_request", "The grant type is not supported over the /common or /consumers"
              " endpoints. Please use the /organizations or tenant-specific endpoint."),
}  # fmt: skip

_SUBERRORS = {65001: "consent_required", 50173: "bad_token", 700082: "bad_token"}
UNAUTHORIZED = {"invalid_client"}


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


class Refused(Exception):
    """Entra says no. Raised anywhere, turned into an answer at the edge."""

    def __init__(self, code: int, **words: str) -> None:
        error, text = _TABLE.get(code, ("invalid_grant", "Refused by an injected fault."))
        super().__init__(f"AADSTS{code}")
        self.code = code
        self.error = error
        self.text = text.format_map(_Words(words))
        self.suberror = _SUBERRORS.get(code)
        self.status = 401 if error in UNAUTHORIZED else 400
        self.retry_after: float | None = None

    @property
    def message(self) -> str:
        return f"AADSTS{self.code}: {self.text}"


@dataclass(frozen=True, slots=True)
class Traced:
    """A refusal with the ids by which Microsoft's support would find it."""

    refused: Refused
    correlation_id: str
    at: float

    def description(self, trace_id: str) -> str:
        return (
            f"{self.refused.message} Trace ID: {trace_id}"
            f" Correlation ID: {self.correlation_id} Timestamp: {stamp(self.at)}"
        )

    def body(self) -> dict[str, Any]:
        trace_id = new_id()
        body: dict[str, Any] = {
            "error": self.refused.error,
            "error_description": self.description(trace_id),
            "error_codes": [self.refused.code],
            "timestamp": stamp(self.at),
            "trace_id": trace_id,
            "correlation_id": self.correlation_id,
            "error_uri": f"{ERROR_PAGE}{self.refused.code}",
        }
        if self.refused.suberror:
            body["suberror"] = self.refused.suberror
        return body

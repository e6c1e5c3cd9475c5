"""The app registration trusts the identity in exactly the words that Entra compares."""

from collections.abc import Iterator

from postern.model.cloud import PUBLIC
from postern.model.scopes import Protocol, scopes
from scripts.bicep import CLOUDS, Ref, Resource, shown
from tests.infra.checks import DOMAIN, IDENTITY, Infra, app_settings, only

_APPLICATION = "Microsoft.Graph/applications"
_TRUST = f"{_APPLICATION}/federatedIdentityCredentials"

# Microsoft Graph's delegated permissions (facts.md, section 3; merill/microsoft-info, 2026-08-20).
PERMISSIONS = {
    "024d486e-b451-40bb-833d-3e66d98c5c73": "Mail.ReadWrite",
    "e383f46e-2787-4529-855e-0e479a3ffac0": "Mail.Send",
    "e1fe6dd8-ba31-4d61-89e7-88639da4683d": "User.Read",
    "7427e0e9-2fba-42fe-b0c0-848c9e6a8182": "offline_access",
    "37f7f235-527c-4136-accd-4a02d197296e": "openid",
    "14dad69e-099b-42c9-810b-d002981feec1": "profile",
    "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0": "email",
    "652390e4-393a-48de-9484-05f9b1212954": "IMAP.AccessAsUser.All",
    "258f6531-6087-4cc4-bb90-092c5fb3ed3f": "SMTP.Send",
}


def the_trust_is_for_the_identity(infra: Infra) -> Iterator[str]:
    """Entra takes wrong values silently; they fail at the first exchange."""
    identity = only(infra.plain, IDENTITY)
    (trust,) = infra.plain.of(_TRUST)
    subject = Ref(IDENTITY, identity.name, ("properties", "principalId"))
    if trust.body.get("subject") != subject:
        yield f"the subject is {shown(trust.body.get('subject'))}"
    given = app_settings(infra.plain)
    host, tenant = shown(given["POSTERN_AUTHORITY_HOST"]), shown(given["POSTERN_TENANT_ID"])
    if tenant != "<tenant().tenantId>":
        yield f"POSTERN_TENANT_ID is {tenant}"
    if trust.body.get("issuer") != f"{host}/{tenant}/v2.0":
        yield f"the issuer is {shown(trust.body.get('issuer'))}"
    if trust.body.get("audiences") != [PUBLIC.exchange_audience]:
        yield f"the audiences are {shown(trust.body.get('audiences'))}"


def the_trust_is_for_each_cloud(infra: Infra) -> Iterator[str]:
    """Each cloud has an audience of its own (facts.md, section 1a)."""
    wanted = {
        "AzureCloud": "api://AzureADTokenExchange",
        "AzureUSGovernment": "api://AzureADTokenExchangeUSGov",
        "AzureChinaCloud": "api://AzureADTokenExchangeChina",
    }
    for cloud in CLOUDS:
        (trust,) = infra.deployed(cloud=cloud).of(_TRUST)
        if trust.body.get("audiences") != [wanted[cloud]]:
            yield f"{cloud}: the audiences are {shown(trust.body.get('audiences'))}"


def the_redirect_uri_is_the_callback(infra: Infra) -> Iterator[str]:
    """The app's base address and /api/callback, also with a domain of one's own."""
    for deployment in (infra.plain, infra.own_domain):
        base = shown(app_settings(deployment)["POSTERN_BASE_URL"])
        found = _mail_app(deployment.of(_APPLICATION)).get("web", "redirectUris")
        if found != [f"{base}/api/callback"]:
            yield f"the redirect URIs are {shown(found)}"
    if DOMAIN not in shown(_mail_app(infra.own_domain.of(_APPLICATION)).get("web")):
        yield "the redirect URI does not follow the custom domain"


def the_permissions_are_those_that_the_app_asks_for(infra: Infra) -> Iterator[str]:
    """All of each protocol, by the right id, delegated, and nothing else."""
    application = _mail_app(infra.plain.of(_APPLICATION))
    access = [each for part in application.body["requiredResourceAccess"] for each in
              part["resourceAccess"]]  # fmt: skip
    yield from (f"{each} is not delegated" for each in access if each["type"] != "Scope")
    asked = {PERMISSIONS.get(each["id"], f"unknown {each['id']}") for each in access}
    wanted = {
        scope.rpartition("/")[2] for protocol in Protocol for scope in scopes((protocol,))
    } | {"openid", "profile", "email", "offline_access", "User.Read"}
    # Reading is offered beside sending; the app asks for what a link's protocols need.
    yield from (f"{each} is not registered" for each in sorted(wanted - asked))
    yield from (
        f"{each} is registered and never asked for"
        for each in sorted(asked - wanted - {"Mail.ReadWrite"})
    )


def no_client_secret_is_made(infra: Infra) -> Iterator[str]:
    """The point of it all."""
    for application in infra.plain.of(_APPLICATION):
        if application.body.get("passwordCredentials") or application.body.get("keyCredentials"):
            yield f"{application.where}: a credential other than the trust"
        if application.get("web", "implicitGrantSettings", "enableAccessTokenIssuance"):
            yield f"{application.where}: the implicit grant is on"


def without_the_right_nothing_of_entra_is_made(infra: Infra) -> Iterator[str]:
    """`entraApp=false` must deploy without any right in Entra."""
    for each in infra.deployed(entraApp=False, apiApp=False).resources:
        if each.type.startswith("Microsoft.Graph/"):
            yield f"{each.where}: {each.type}"


def _mail_app(applications: list[Resource]) -> Resource:
    (found,) = [each for each in applications if each.body.get("web")]
    return found


CHECKS = [
    the_trust_is_for_the_identity,
    the_trust_is_for_each_cloud,
    the_redirect_uri_is_the_callback,
    the_permissions_are_those_that_the_app_asks_for,
    no_client_secret_is_made,
    without_the_right_nothing_of_entra_is_made,
]

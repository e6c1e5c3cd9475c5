"""What an app registration lists, judged against what its configuration needs. Pure."""

import base64
from collections.abc import Iterable
from datetime import datetime

from postern.model.config import Audience, Config
from postern.model.explanations import EXPLANATIONS
from postern.model.permissions import PERMISSIONS, needed
from postern.model.preflight import Check, failed, not_checked, ok
from postern.model.trust import Deployment
from postern.ports import Credential, Registration

# In the order in which they are told.
NAMES = (
    "client-secrets",
    "other-credentials",
    "redirect-uri",
    "permissions",
    "consent",
    "audience",
)
_APP = "Entra admin center > App registrations > your app"
_SIGNS_IN = {
    "AzureADMyOrg": Audience.TENANT,
    "AzureADMultipleOrgs": Audience.ORGANIZATIONS,
    # /organizations keeps personal accounts out, whatever the registration allows.
    "AzureADandPersonalMicrosoftAccount": Audience.ORGANIZATIONS,
}


def judge(
    registration: Registration,
    config: Config,
    *,
    deployment: Deployment,
    redirect_uri: str,
    now: datetime,
) -> tuple[Check, ...]:
    """Return one check for each of `NAMES`."""
    return (
        _client_secrets(registration, now),
        _other_credentials(registration, config, deployment, now),
        _redirect_uri(registration, redirect_uri),
        _permissions(registration, config),
        _consent(registration, config),
        _audience(registration, config),
    )


def _client_secrets(registration: Registration, now: datetime) -> Check:
    live = [each for each in registration.passwords if _lives(each, now)]
    if not live:
        return ok(NAMES[0], "The app has no client secret that still works.")
    return failed(
        NAMES[0],
        f"Whoever knows one of these client secrets can act as the app: {_listed(live)}.",
        f"Unless another system needs it, remove it under {_APP} > Certificates & secrets.",
    )


def _other_credentials(
    registration: Registration, config: Config, deployment: Deployment, now: datetime
) -> Check:
    ours = {base64.b64decode(each.der) for each in config.certificates}
    certificates = [
        each for each in registration.certificates if each.der not in ours and _lives(each, now)
    ]
    trust = (deployment.issuer, deployment.principal_id)
    others = [
        f"federated credential '{each.name}' for {each.subject} of {each.issuer}"
        for each in registration.federated
        if (each.issuer, each.subject) != trust
    ]
    if certificates:
        others.insert(0, f"certificate {_listed(certificates)}")
    if not others:
        return ok(NAMES[1], "No certificate and no federated credential but ours works.")
    return not_checked(
        NAMES[1],
        f"Only you know whether these are wanted: {'; '.join(others)}.",
        f"Remove what nobody needs under {_APP} > Certificates & secrets.",
    )


def _redirect_uri(registration: Registration, wanted: str) -> Check:
    if wanted in registration.web:
        return ok(NAMES[2], f"{wanted} is registered for platform Web.")
    if wanted in registration.other_platforms:
        explained = EXPLANATIONS["redirect-not-web"]
        return failed(NAMES[2], explained.cause, explained.repair)
    near = [uri for uri in registration.web if _alike(uri) == _alike(wanted)]
    why = f"{near[0]} is registered, which is not the same text." if near else "It is missing."
    return failed(NAMES[2], why, f"Add {wanted} under {_APP} > Authentication, platform Web.")


def _permissions(registration: Registration, config: Config) -> Check:
    missing = _missing(config, {n for n, i in PERMISSIONS.items() if i in registration.permissions})
    if not missing:
        return ok(NAMES[3], "Every permission that the protocols need is listed.")
    return failed(
        NAMES[3],
        f"The app does not list: {', '.join(missing)}.",
        f"Add them under {_APP} > API permissions > Microsoft Graph > Delegated permissions.",
    )


def _consent(registration: Registration, config: Config) -> Check:
    repair = f"As an admin of each owner's tenant: {_APP} > API permissions > Grant admin consent."
    if registration.consented is None:
        return not_checked(
            NAMES[4],
            "The app may not read consents (that takes Directory.Read.All). Without an admin's,"
            " owners are asked themselves, which their tenant may forbid.",
            repair,
        )
    if missing := _missing(config, registration.consented):
        return failed(
            NAMES[4],
            f"No admin consented for the whole tenant {config.tenant_id} to: {', '.join(missing)}."
            " Owners are asked themselves, which their tenant may forbid.",
            repair,
        )
    return ok(
        NAMES[4],
        f"An admin consented for {config.tenant_id}; other tenants cannot be seen from here.",
    )


def _audience(registration: Registration, config: Config) -> Check:
    if _SIGNS_IN.get(registration.audience) is config.audience:
        return ok(NAMES[5], f"The app signs in what the configuration says: {config.audience}.")
    return failed(
        NAMES[5],
        f"The app's supported account types are {registration.audience}, but the configuration"
        f" was activated for '{config.audience}'.",
        f"Change them under {_APP} > Authentication, or activate again with the other audience.",
    )


def _missing(config: Config, there: Iterable[str]) -> list[str]:
    known = set(there)
    return [name for name in needed(config.protocols) if name not in known]


def _lives(credential: Credential, now: datetime) -> bool:
    return credential.ends is None or credential.ends > now


def _listed(credentials: Iterable[Credential]) -> str:
    return ", ".join(
        f"'{each.name}' (ends {each.ends:%Y-%m-%d})" if each.ends else f"'{each.name}' (no end)"
        for each in credentials
    )


def _alike(uri: str) -> str:
    return uri.rstrip("/").casefold()

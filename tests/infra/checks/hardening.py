"""What is closed stays closed: keys, public access, old TLS, FTP, purge protection."""

from collections.abc import Iterator

from tests.infra.checks import (
    SITE,
    STORAGE,
    VAULT,
    Infra,
    differs,
    only,
    vault_of,
)
from tests.unit.test_function_app import ROUTES


def storage_is_closed(infra: Infra) -> Iterator[str]:
    """Nobody has a key of the account, nothing of it is public, and nothing speaks old TLS."""
    wanted = {
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
        "defaultToOAuthAuthentication": True,
        "isLocalUserEnabled": False,
    }
    for account in infra.plain.of(STORAGE):
        yield from differs(account, wanted)
    for container in infra.plain.of(f"{STORAGE}/blobServices/containers"):
        yield from differs(container, {"publicAccess": "None"})


def intake_vault_can_be_purged(infra: Infra) -> Iterator[str]:
    """With purge protection a pasted secret would stay recoverable."""
    vault = vault_of(infra.plain, "POSTERN_INTAKE_VAULT_URL")
    if vault is None:
        yield "there is none"
        return
    if vault.properties.get("enablePurgeProtection"):
        yield "it has purge protection"
    yield from differs(vault, {"softDeleteRetentionInDays": 7, "enableSoftDelete": True})


def keys_vault_cannot_be_purged(infra: Infra) -> Iterator[str]:
    """Without the wrapping key every mailbox's tokens are lost."""
    vault = vault_of(infra.plain, "POSTERN_KEYS_VAULT_URL")
    if vault is None:
        yield "there is none"
        return
    yield from differs(
        vault,
        {
            "enablePurgeProtection": True,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
        },
    )


def vaults_obey_roles_only(infra: Infra) -> Iterator[str]:
    """No access policy, and no service of Azure that may fetch secrets for others."""
    for vault in infra.plain.of(VAULT):
        yield from differs(vault, {"enableRbacAuthorization": True})
        for name in ("enabledForDeployment", "enabledForDiskEncryption"):
            if vault.properties.get(name):
                yield f"{vault.where}: {name} is on"
        if vault.properties.get("enabledForTemplateDeployment"):
            yield f"{vault.where}: templates may read secrets"
        if vault.properties.get("accessPolicies"):
            yield f"{vault.where}: access policies"


def the_app_is_closed(infra: Infra) -> Iterator[str]:
    """HTTPS of today, no FTP, no publishing password, no admin routes for key holders."""
    site = only(infra.plain, SITE)
    yield from differs(
        site,
        {
            "httpsOnly": True,
            "functionsRuntimeAdminIsolationEnabled": True,
            "clientAffinityEnabled": False,
        },
    )
    config = site.properties.get("siteConfig", {})
    for name, wanted in (
        ("ftpsState", {"Disabled"}),
        ("minTlsVersion", {"1.2", "1.3"}),
        ("scmMinTlsVersion", {"1.2", "1.3"}),
    ):
        if config.get(name) not in wanted:
            yield f"siteConfig.{name} is {config.get(name)}"
    for each in (*infra.plain.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies"),):
        yield from differs(each, {"allow": False})
    policies = {
        each.name.rpartition("/")[2]
        for each in infra.plain.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    }
    if policies != {"ftp", "scm"}:
        yield f"publishing passwords: only {sorted(policies)} are closed"
    if config.get("cors"):
        yield "CORS lets other sites' scripts in"


def owners_reach_their_pages(infra: Infra) -> Iterator[str]:
    """Owners, Entra's redirect and callers come from anywhere, without another sign-in."""
    for deployment in (infra.plain, infra.private, infra.own_domain):
        site = only(deployment, SITE)
        if site.properties.get("publicNetworkAccess") != "Enabled":
            yield f"{site.where}: the app is not reached from outside"
        if (site.properties.get("siteConfig") or {}).get("ipSecurityRestrictions"):
            yield f"{site.where}: only some addresses are let in"
        for config in deployment.of("Microsoft.Web/sites/config"):
            rules = config.properties.get("globalValidation") or {}
            if not config.name.endswith("/authsettingsV2") or not rules.get(
                "requireAuthentication"
            ):
                continue
            excluded = set(rules.get("excludedPaths", []))
            for path in sorted(_first_parts() - {each.rstrip("/*") for each in excluded}):
                yield f"{config.where}: {path} asks for another sign-in"


def _first_parts() -> set[str]:
    """Return how the app's open routes begin, e.g. `/api/callback`."""
    return {
        "/" + "/".join(route.split("/")[:2])
        for _, route, _, level in ROUTES
        if level == "anonymous"
    }


CHECKS = [
    storage_is_closed,
    intake_vault_can_be_purged,
    keys_vault_cannot_be_purged,
    vaults_obey_roles_only,
    the_app_is_closed,
    owners_reach_their_pages,
]

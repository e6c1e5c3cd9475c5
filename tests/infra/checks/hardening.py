"""What is closed stays closed: keys, public access, old TLS, FTP, purge protection, logs."""

import json
import re
from collections.abc import Iterator

from scripts.bicep import Deployment, Resource, shown
from tests.infra.checks import (
    IDENTITY,
    SITE,
    STORAGE,
    VAULT,
    Infra,
    app_settings,
    only,
    vault_of,
)
from tests.infra.reading import PROJECT, constants, python_versions, tables

_SECRET_TEXTS = re.compile(
    r"""(?ix) \blist(?:Account|Service)?(?:Keys|Secrets|Sas)\b | \baccountKey\b | \bSharedAccess
        | @Microsoft\.KeyVault\( | \bAccountKey= | \bgetSecret\( | BEGIN\ (?:RSA\ )?PRIVATE
        | \bpasswordCredentials\b | \bcloudflare\b | \.(?:primary|secondary)(?:Master)?Key\b
        | \bInstrumentationKey\b | \bsharedKeys?\b | \.value\[\d\]\.value """
)
_SECRET_NAMES = re.compile(
    r"(?i)(secret|password|passwd|(?<!public)key|token|sas|connection_?string)$"
)
_DIAGNOSTICS = "Microsoft.Insights/diagnosticSettings"


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
        yield from _differs(account, wanted)
    for container in infra.plain.of(f"{STORAGE}/blobServices/containers"):
        yield from _differs(container, {"publicAccess": "None"})


def intake_vault_can_be_purged(infra: Infra) -> Iterator[str]:
    """With purge protection a pasted secret would stay recoverable."""
    vault = vault_of(infra.plain, "POSTERN_INTAKE_VAULT_URL")
    if vault is None:
        yield "there is none"
        return
    if vault.properties.get("enablePurgeProtection"):
        yield "it has purge protection"
    yield from _differs(vault, {"softDeleteRetentionInDays": 7, "enableSoftDelete": True})


def keys_vault_cannot_be_purged(infra: Infra) -> Iterator[str]:
    """Without the wrapping key every mailbox's tokens are lost."""
    vault = vault_of(infra.plain, "POSTERN_KEYS_VAULT_URL")
    if vault is None:
        yield "there is none"
        return
    yield from _differs(
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
        yield from _differs(vault, {"enableRbacAuthorization": True})
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
    yield from _differs(
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
        yield from _differs(each, {"allow": False})
    policies = {
        each.name.rpartition("/")[2]
        for each in infra.plain.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    }
    if policies != {"ftp", "scm"}:
        yield f"publishing passwords: only {sorted(policies)} are closed"
    if config.get("cors"):
        yield "CORS lets other sites' scripts in"


def the_app_runs_as_its_one_identity(infra: Infra) -> Iterator[str]:
    """One user-assigned identity, which nothing else has."""
    identity = only(infra.plain, IDENTITY)
    holders = [each for each in infra.plain.resources if each.body.get("identity")]
    site = only(infra.plain, SITE)
    if [each.type for each in holders] != [SITE]:
        yield f"an identity is given to {[each.type for each in holders]}"
    given = site.get("identity", "userAssignedIdentities") or {}
    wanted = f"<{IDENTITY} {identity.name}.id>"
    if site.get("identity", "type") != "UserAssigned" or set(given) != {wanted}:
        yield f"the app runs as {site.get('identity', 'type')} {sorted(given)}"
    storage = site.get("properties", "functionAppConfig", "deployment", "storage") or {}
    authentication = storage.get("authentication", {})
    if authentication.get("type") != "UserAssignedIdentity":
        yield f"the package is read by {authentication.get('type')}"
    if shown(authentication.get("userAssignedIdentityResourceId")) != wanted:
        yield "the package is read as another identity"


def the_package_has_a_container(infra: Infra) -> Iterator[str]:
    """The package is deployed to a container that is made here."""
    site = only(infra.plain, SITE)
    value = shown(site.get("properties", "functionAppConfig", "deployment", "storage", "value"))
    account = only(infra.plain, STORAGE)
    names = {
        each.name.rpartition("/")[2]
        for each in infra.plain.of(f"{STORAGE}/blobServices/containers")
    }
    if value not in {
        f"<{STORAGE} {account.name}.properties.primaryEndpoints.blob>{name}" for name in names
    }:
        yield f"the package goes to {value}"


def the_runtime_is_one_that_ci_tests(infra: Infra) -> Iterator[str]:
    """Python, of a version that CI runs, on Flex Consumption with concurrency said."""
    site = only(infra.plain, SITE)
    runtime = site.get("properties", "functionAppConfig", "runtime") or {}
    if runtime.get("name") != "python" or runtime.get("version") not in python_versions():
        yield f"the runtime is {runtime}"
    for path, text in infra.texts():
        for allowed in re.findall(r"@allowed\(\[([^\]]*)\]\)\s*param pythonVersion", text):
            versions = set(re.findall(r"'([^']*)'", allowed))
            if versions != python_versions():
                yield f"{path} allows {sorted(versions)}"
    scale = site.get("properties", "functionAppConfig", "scaleAndConcurrency") or {}
    if not (scale.get("triggers") or {}).get("http", {}).get("perInstanceConcurrency"):
        yield "how many HTTP calls an instance takes at once is not said"
    plan = only(infra.plain, "Microsoft.Web/serverfarms")
    if plan.get("sku", "name") != "FC1" or plan.properties.get("reserved") is not True:
        yield f"the plan is {plan.get('sku')}"


def nothing_secret_is_written_down(infra: Infra) -> Iterator[str]:
    """No parameter, output or setting holds a secret, and nothing asks Azure for one."""
    for path, text in infra.texts():
        if path.suffix == ".bicep":
            code = re.sub(r"//[^\n]*|@description\('(?:[^'\\]|\\.)*'\)", "", text)
            yield from (f"{path}: {each.group()}" for each in _SECRET_TEXTS.finditer(code))
    for deployment in (infra.plain, infra.private, infra.own_domain):
        yield from (f"secure: {each}" for each in sorted(deployment.secure))
        for name, value in deployment.outputs.items():
            if _SECRET_NAMES.search(name) or _SECRET_TEXTS.search(shown(value)):
                yield f"output {name}"
        for name, value in app_settings(deployment).items():
            public = name == "APPLICATIONINSIGHTS_CONNECTION_STRING"  # no secret without local auth
            text = shown(value)
            if not public and (_SECRET_NAMES.search(name) or _SECRET_TEXTS.search(text)):
                yield f"setting {name}"


def telemetry_takes_no_key(infra: Infra) -> Iterator[str]:
    """Then its connection string is no secret. And no query string is recorded: it holds codes."""
    component = only(infra.plain, "Microsoft.Insights/components")
    yield from _differs(component, {"DisableLocalAuth": True})
    if component.properties.get("DisableIpMasking"):
        yield "addresses of owners are recorded"
    option = "AzureFunctionsJobHost__logging__applicationInsights__enableQueryStringTracing"
    if app_settings(infra.plain).get(option) != "false":
        yield "query strings may be recorded"
    logging = json.loads((PROJECT / "host.json").read_text())["logging"]["applicationInsights"]
    if logging.get("enableQueryStringTracing"):
        yield "host.json records query strings"
    workspace = only(infra.plain, "Microsoft.OperationalInsights/workspaces")
    if (workspace.properties.get("features") or {}).get("disableLocalAuth") is not True:
        yield "the workspace takes a key"


def what_happens_is_logged(infra: Infra) -> Iterator[str]:
    """Vaults, queue and blobs write their logs to the workspace."""
    workspace = only(infra.plain, "Microsoft.OperationalInsights/workspaces")
    logged = {}
    for each in infra.plain.of(_DIAGNOSTICS):
        categories = {
            log.get("category") or log.get("categoryGroup")
            for log in each.properties.get("logs", [])
            if log.get("enabled")
        }
        if each.under is not None:
            logged[each.under.type, each.under.name] = categories
        if workspace.name not in shown(each.properties.get("workspaceId")):
            yield f"{each.where}: not to the workspace"
    for vault in infra.plain.of(VAULT):
        if not logged.get((VAULT, vault.name), set()) & {"AuditEvent", "audit", "allLogs"}:
            yield f"{vault.where}: {vault.name} has no audit log"
    account = only(infra.plain, STORAGE)
    for part, wanted in (
        ("queueServices", {"StorageWrite", "StorageDelete"}),
        ("blobServices", {"StorageDelete"}),
    ):
        found = logged.get((f"{STORAGE}/{part}", f"{account.name}/default"), set())
        if not (wanted <= found or "allLogs" in found):
            yield f"{part} logs {sorted(found)}"


def a_private_network_is_private(infra: Infra) -> Iterator[str]:
    """With the option on, storage and vaults answer private endpoints only, which are there."""
    deployment = infra.private
    for each in (*deployment.of(STORAGE), *deployment.of(VAULT)):
        yield from _differs(each, {"publicNetworkAccess": "Disabled"})
        if (each.properties.get("networkAcls") or {}).get("defaultAction") != "Deny":
            yield f"{each.where}: {each.type} lets everybody in"
    if not (only(deployment, SITE).properties.get("virtualNetworkSubnetId")):
        yield "the app is not in the network"
    wanted = {
        (f"<{kind} {each.name}.id>", part)
        for kind, parts in ((STORAGE, ("blob", "queue", "table")), (VAULT, ("vault",)))
        for each in deployment.of(kind)
        for part in parts
    }
    found = {
        (shown(to["properties"]["privateLinkServiceId"]), part)
        for endpoint in deployment.of("Microsoft.Network/privateEndpoints")
        for to in endpoint.properties["privateLinkServiceConnections"]
        for part in to["properties"]["groupIds"]
    }
    yield from (f"no private endpoint for {part} of {thing}" for thing, part in wanted - found)
    zones = {each.name.split(".")[1] for each in deployment.of("Microsoft.Network/privateDnsZones")}
    if not {"blob", "queue", "table", "vaultcore"} <= zones:
        yield f"private names only for {sorted(zones)}"
    yield from _every_zone_is_linked(deployment)


def _every_zone_is_linked(deployment: Deployment) -> Iterator[str]:
    links = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
    linked = {each.under.name for each in deployment.of(links) if each.under}
    zones = {each.name for each in deployment.of("Microsoft.Network/privateDnsZones")}
    yield from (f"{name} is not linked to the network" for name in zones - linked)


def tables_queues_and_keys_are_those_of_the_code(infra: Infra) -> Iterator[str]:
    """What the code names is made, and nothing else is."""
    made = {
        kind: {each.name.rpartition("/")[2] for each in infra.plain.of(f"{STORAGE}/{path}")}
        for kind, path in (
            ("table", "tableServices/tables"),
            ("queue", "queueServices/queues"),
        )
    }
    queues = constants("QUEUE", "functions")
    wanted = {
        "table": tables() | _reserved_tables(),
        "queue": queues | {f"{each}-poison" for each in queues},
    }
    for kind, names in wanted.items():
        yield from (f"{kind} {each} is not made" for each in sorted(names - made[kind]))
        yield from (f"{kind} {each} is nobody's" for each in sorted(made[kind] - names))


def keys_are_those_of_the_code(infra: Infra) -> Iterator[str]:
    """Each key is in the keys vault, RSA, never exportable, and may do what the code does."""
    operations = {
        "WRAPPING_KEY": {"wrapKey", "unwrapKey"},
        "RECEIPT_KEY": {"sign"},
        "ASSERTION_KEY": {"sign"},
    }
    vault = vault_of(infra.plain, "POSTERN_KEYS_VAULT_URL")
    made = {each.name.rpartition("/")[2]: each for each in infra.plain.of(f"{VAULT}/keys")}
    named = set()
    for constant, used in operations.items():
        (name,) = constants(constant, "postern/services")
        named.add(name)
        key = made.get(name)
        if key is None:
            yield f"key {name} is not made"
            continue
        if not vault or not key.name.startswith(f"{vault.name}/"):
            yield f"key {name} is in another vault"
        yield from _differs(key, {"kty": "RSA"})
        allowed = set(key.properties.get("keyOps") or ())
        if not used <= allowed or allowed - used - {"verify"}:
            yield f"key {name} may {sorted(allowed)}"
        if (key.get("properties", "attributes") or {}).get("exportable"):
            yield f"key {name} can be exported"
        if int(key.properties.get("keySize", 0)) < 2048:
            yield f"key {name} is too short"
        if not key.properties.get("rotationPolicy"):
            yield f"key {name} never rotates"
    yield from (f"key {each} is nobody's" for each in sorted(set(made) - named))


def _reserved_tables() -> set[str]:
    """Return the tables that docs/data-model.md keeps for later."""
    text = (PROJECT / "docs" / "data-model.md").read_text()
    found = re.search(r"The tables ((?:`\w+`(?:, | and )?)+) are made .*?not used yet", text, re.S)
    return set(re.findall(r"`(\w+)`", found[1])) if found else set()


def _differs(resource: Resource, wanted: dict[str, object]) -> Iterator[str]:
    for name, value in wanted.items():
        found = resource.properties.get(name)
        if found != value or type(found) is not type(value):
            yield f"{resource.where}: {name} is {shown(found) or 'not said'}"


CHECKS = [
    storage_is_closed,
    intake_vault_can_be_purged,
    keys_vault_cannot_be_purged,
    vaults_obey_roles_only,
    the_app_is_closed,
    the_app_runs_as_its_one_identity,
    the_package_has_a_container,
    the_runtime_is_one_that_ci_tests,
    nothing_secret_is_written_down,
    telemetry_takes_no_key,
    what_happens_is_logged,
    a_private_network_is_private,
    tables_queues_and_keys_are_those_of_the_code,
    keys_are_those_of_the_code,
]

"""What leaves the deployment: no secret, no query string; a log of what happened does."""

import json
import re
from collections.abc import Iterator

from scripts.bicep import Deployment, shown
from tests.infra.checks import (
    SITE,
    STORAGE,
    VAULT,
    Infra,
    app_settings,
    differs,
    only,
)
from tests.infra.reading import PROJECT

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
    yield from differs(component, {"DisableLocalAuth": True})
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
        yield from differs(each, {"publicNetworkAccess": "Disabled"})
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


CHECKS = [
    nothing_secret_is_written_down,
    telemetry_takes_no_key,
    what_happens_is_logged,
    a_private_network_is_private,
]

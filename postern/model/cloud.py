"""The sovereign clouds: the same protocol under other names.

Inside, scopes are always written with the public cloud's resources; only at Entra's edge are they
turned into the deployment's own and back. UNVERIFIED against a sovereign cloud: docs/security.md.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from postern.model.scopes import GRAPH, OUTLOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What differs from cloud to cloud, beside the hosts that the settings name."""

    exchange_audience: str
    outlook: str
    graph: str

    def abroad(self, scope: str) -> str:
        """Return a scope as this cloud's Entra is asked for it."""
        return scope.replace(OUTLOOK, self.outlook).replace(GRAPH, self.graph)

    def home(self, scope: str) -> str:
        """Return a scope of this cloud as the rest of the app writes it."""
        return scope.replace(self.outlook, OUTLOOK).replace(self.graph, GRAPH)


PUBLIC = Cloud(exchange_audience="api://AzureADTokenExchange", outlook=OUTLOOK, graph=GRAPH)
_SOVEREIGN = {
    "login.microsoftonline.us": Cloud(
        exchange_audience="api://AzureADTokenExchangeUSGov",
        outlook="https://outlook.office365.us/",
        graph="https://graph.microsoft.us/",
    ),
    "login.partner.microsoftonline.cn": Cloud(
        exchange_audience="api://AzureADTokenExchangeChina",
        outlook="https://partner.outlook.cn/",
        graph="https://microsoftgraph.chinacloudapi.cn/",
    ),
}


def cloud_of(authority_host: str) -> Cloud:
    """Return the cloud whose Entra answers at *authority_host*."""
    return _SOVEREIGN.get(urlsplit(authority_host).hostname or "", PUBLIC)

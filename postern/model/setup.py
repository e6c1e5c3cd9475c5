"""What the setup script does for one deployment: the values, free of any script's syntax.

It is all that a vendor's help page makes an admin click, but for the client secret, which is never
made: the app trusts this deployment's own credential from the start.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from postern.model.config import Audience, CredentialKind
from postern.model.permissions import GRAPH_APP_ID, PERMISSIONS
from postern.model.scopes import OPENID_SCOPES, Protocol, scopes
from postern.model.trust import CREDENTIAL_NAME, Deployment


class PermissionSet(StrEnum):
    """A named choice of permissions; each is what connecting for its protocols asks for."""

    SMTP_IMAP = "smtp+imap"
    GRAPH_SEND = "graph-send"
    FULL = "full"


PROTOCOLS_OF: Mapping[PermissionSet, tuple[Protocol, ...]] = {
    PermissionSet.SMTP_IMAP: (Protocol.SMTP, Protocol.IMAP),
    PermissionSet.GRAPH_SEND: (Protocol.GRAPH,),
    PermissionSet.FULL: tuple(Protocol),
}

SIGN_IN_AUDIENCE: Mapping[Audience, str] = {
    Audience.ORGANIZATIONS: "AzureADMultipleOrgs",
    Audience.TENANT: "AzureADMyOrg",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One registration to make and activate. *name* is what mailbox owners will see."""

    name: str
    tenant_id: str
    audience: Audience
    permission_set: PermissionSet
    credential: CredentialKind
    deployment: Deployment
    base_url: str
    graph_url: str

    @property
    def redirect_uri(self) -> str:
        """Return the one redirect URI that sign-ins come back to."""
        return f"{self.base_url}/api/callback"

    @property
    def tag(self) -> str:
        """Return the mark by which a second run knows the app of the first.

        Names are not unique in a tenant, and people change them; this is neither.
        """
        ours = "\n".join((self.base_url, self.tenant_id, self.name))
        return "postern-" + hashlib.sha256(ours.encode()).hexdigest()[:32]

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Return what the configuration will offer."""
        return PROTOCOLS_OF[self.permission_set]

    @property
    def permissions(self) -> Mapping[str, str]:
        """Return the delegated permissions to register, by name: what sign-ins will ask for."""
        asked = [scope.rpartition("/")[2] for scope in scopes(self.protocols)]
        names = {*asked, *OPENID_SCOPES, "email"}
        return {name: id_ for name, id_ in PERMISSIONS.items() if name in names}

    @property
    def registration(self) -> dict[str, object]:
        """Return the body of Graph's *create application*."""
        listed = [{"id": id_, "type": "Scope"} for id_ in self.permissions.values()]
        return {
            "displayName": self.name,
            "signInAudience": SIGN_IN_AUDIENCE[self.audience],
            "tags": [self.tag],
            "web": {"redirectUris": [self.redirect_uri]},
            "requiredResourceAccess": [{"resourceAppId": GRAPH_APP_ID, "resourceAccess": listed}],
        }

    @property
    def same_name(self) -> dict[str, str]:
        """Return the query for other apps of this name. OData doubles a quote inside quotes."""
        quoted = self.name.replace("'", "''")
        return {"$filter": f"displayName eq '{quoted}'", "$select": "appId"}

    @property
    def federation(self) -> dict[str, object] | None:
        """Return the federated credential, or None when a certificate is used."""
        if self.credential is CredentialKind.CERTIFICATE:
            return None
        return {
            "name": CREDENTIAL_NAME,
            "issuer": self.deployment.issuer,
            "subject": self.deployment.principal_id,
            "audiences": [self.deployment.exchange_audience],
        }

    @property
    def correction(self) -> dict[str, object]:
        """Return what corrects an outdated federated credential, whose name cannot be changed."""
        return {key: value for key, value in (self.federation or {}).items() if key != "name"}

    @property
    def activation(self) -> dict[str, object]:
        """Return the body of `POST /api/configs`, but for the client id, which is yet to come."""
        return {
            "name": self.name,
            "tenant_id": self.tenant_id,
            "audience": self.audience.value,
            "credential": self.credential.value,
            "protocols": [protocol.value for protocol in self.protocols],
        }

"""What the setup script does for one deployment: the values, free of any script's syntax.

It is all that a vendor's help page makes an admin click, but for the client secret, which is never
made: the app trusts this deployment's own credential from the start.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from postern.model.config import Audience, CredentialKind
from postern.model.scopes import OPENID_SCOPES, Protocol, scopes
from postern.model.trust import CREDENTIAL_NAME, EXCHANGE_AUDIENCE, Deployment

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"

# Delegated permissions of Microsoft Graph, where Microsoft lists those of SMTP and IMAP too.
PERMISSION_IDS: Mapping[str, str] = {
    "SMTP.Send": "258f6531-6087-4cc4-bb90-092c5fb3ed3f",
    "IMAP.AccessAsUser.All": "652390e4-393a-48de-9484-05f9b1212954",
    "Mail.Send": "e383f46e-2787-4529-855e-0e479a3ffac0",
    "Mail.ReadWrite": "024d486e-b451-40bb-833d-3e66d98c5c73",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
}


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
        return {name: id_ for name, id_ in PERMISSION_IDS.items() if name in names}

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
            "audiences": [EXCHANGE_AUDIENCE],
        }

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

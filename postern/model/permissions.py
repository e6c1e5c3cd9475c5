"""The delegated permissions of a registration, by the ids under which Entra lists them.

Ids and names are from Microsoft's own list (shared facts, section 3). All nine stand under
Microsoft Graph, also those of SMTP and IMAP, whose tokens are for outlook.office.com.
"""

from collections.abc import Iterable

from postern.model.scopes import Protocol, scopes

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"

PERMISSIONS = {
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


def needed(protocols: Iterable[Protocol]) -> tuple[str, ...]:
    """Return the permissions that *protocols* need; without `offline_access` nothing lasts."""
    names = (scope.rpartition("/")[2] for scope in scopes(protocols))
    return ("offline_access", *names)

"""The world that the local stack starts with: two organisations, their apps and their people.

Contoso is the agency: Postern is deployed in its tenant, so its mail app may trust the managed
identity of the deployment. Fabrikam is a customer with an Entra tenant and a mail app of its own,
without any Graph right: its credential is a certificate that its admin uploads by hand.

The ids are fixed, so that a log line can be read. No client secret is made here: whoever needs one
asks the stand-in for it, and it is never written down.
"""

from local.control import Control

CONTOSO = "c0000000-0000-4000-8000-000000000001"
FABRIKAM = "f0000000-0000-4000-8000-000000000001"

IDENTITY_CLIENT_ID = "1d000000-0000-4000-8000-00000000000c"
IDENTITY_PRINCIPAL_ID = "1d000000-0000-4000-8000-00000000000a"

CONTOSO_MAIL = "c0000000-0000-4000-8000-0000000000aa"
FABRIKAM_MAIL = "f0000000-0000-4000-8000-0000000000aa"

ALICE = "alice@fabrikam.example"
BOB = "bob@contoso.example"
CAROL = "carol@fabrikam.example"
DAVE = "dave@contoso.example"

# The nine that the product asks an admin to register (facts.md, section 3).
DELEGATED = (
    "openid",
    "profile",
    "email",
    "offline_access",
    "User.Read",
    "Mail.Send",
    "Mail.ReadWrite",
    "IMAP.AccessAsUser.All",
    "SMTP.Send",
)

# What infra/ grants the deployment's identity: it may never make a key, nor see one.
INTAKE_RIGHTS = ("secrets/set", "secrets/get", "secrets/delete", "secrets/list", "secrets/purge")
KEYS_RIGHTS = ("keys/get", "keys/list", "keys/sign", "keys/wrap", "keys/unwrap")

KEYS = {
    "client-assertion": ("sign", "verify"),
    "data-wrapping": ("wrapKey", "unwrapKey"),
    "receipts": ("sign", "verify"),
}


def seed_entra(entra: Control, *, base_url: str, identity_header: str) -> None:
    """Fill the Entra stand-in; `base_url` is where the app answers."""
    entra.post("tenants", name="contoso", domain="contoso.example", id=CONTOSO)
    entra.post("tenants", name="fabrikam", domain="fabrikam.example", id=FABRIKAM)
    entra.post(
        "identities",
        tenant=CONTOSO,
        client_id=IDENTITY_CLIENT_ID,
        principal_id=IDENTITY_PRINCIPAL_ID,
        header=identity_header,
    )
    entra.post(
        "apps",
        tenant=CONTOSO,
        display_name="Contoso Mail",
        client_id=CONTOSO_MAIL,
        audience="AzureADMultipleOrgs",
        redirect_uris=[f"{base_url}/api/callback"],
        delegated=list(DELEGATED),
        application_permissions=["Application.ReadWrite.OwnedBy"],
        owns_itself=True,
    )
    entra.post(
        "apps",
        tenant=FABRIKAM,
        display_name="Fabrikam Mail",
        client_id=FABRIKAM_MAIL,
        audience="AzureADMyOrg",
        redirect_uris=[f"{base_url}/api/callback"],
        delegated=list(DELEGATED),
        application_permissions=[],
        owns_itself=False,
    )
    for upn in (ALICE, BOB, CAROL, DAVE):
        name, _, domain = upn.partition("@")
        tenant = CONTOSO if domain == "contoso.example" else FABRIKAM
        entra.post("users", tenant=tenant, upn=upn, mail=upn, display_name=name.title())


def seed_keys_vault(vault: Control) -> None:
    """Make the keys as the deployment does; those that are there stay as they are."""
    for name, operations in KEYS.items():
        vault.post("keys", name=name, ops=list(operations))

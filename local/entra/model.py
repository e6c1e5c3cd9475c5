"""What Entra remembers: tenants, apps, principals, users, identities, consents and grants.

Values that open something (secrets, passwords, codes, refresh tokens, identity headers) are kept
as hashes only, so that a state file on disk gives nobody a way in but through the signing key,
which is worthless outside the stand-in.
"""

import hashlib
import uuid
from typing import Literal

from msgspec import Struct, field

Audience = Literal["AzureADMyOrg", "AzureADMultipleOrgs"]
ConsentPolicy = Literal["user", "admin"]
EVERYBODY = "*"  # in the place of a user: an admin has consented for the whole tenant


def new_id() -> str:
    return str(uuid.uuid4())


def hashed(value: str) -> str:
    # What is hashed is random (and a development password guards nothing), so no slow hash.
    return hashlib.sha256(value.encode()).hexdigest()


class Tenant(Struct, kw_only=True):
    id: str
    name: str
    domain: str
    consent: ConsentPolicy = "user"
    exchange: bool = True


class Password(Struct, kw_only=True):
    key_id: str
    hint: str
    hash: str
    start: float
    end: float
    display_name: str | None = None


class Certificate(Struct, kw_only=True):
    key_id: str
    der: str  # base64
    start: float
    end: float
    effective_at: float
    display_name: str | None = None


class Federation(Struct, kw_only=True):
    id: str
    name: str
    issuer: str
    subject: str
    audiences: list[str]
    effective_at: float
    description: str | None = None


class App(Struct, kw_only=True):
    """An app registration; it lives in exactly one tenant."""

    client_id: str
    object_id: str
    tenant: str
    display_name: str
    created: float
    audience: Audience = "AzureADMyOrg"
    redirect_uris: list[str] = field(default_factory=list)
    delegated: list[str] = field(default_factory=list)
    application_permissions: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)  # ids of service principals
    disabled: bool = False
    assignment_required: bool = False
    assigned: list[str] = field(default_factory=list)
    passwords: list[Password] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    federations: list[Federation] = field(default_factory=list)


class Principal(Struct, kw_only=True):
    """An app as one tenant sees it (a service principal), with the roles consented there."""

    id: str
    client_id: str
    tenant: str
    roles: list[str] = field(default_factory=list)


class User(Struct, kw_only=True):
    oid: str
    tenant: str
    upn: str
    display_name: str
    mail: str | None
    password: str  # hash
    mailbox: bool = True
    guest: bool = False
    admin: bool = False
    disabled: bool = False
    tokens_valid_from: float = 0.0


class Identity(Struct, kw_only=True):
    """A user-assigned managed identity and the header that lets one app ask for its tokens."""

    tenant: str
    client_id: str
    principal_id: str
    header: str  # hash


class Code(Struct, kw_only=True):
    client_id: str
    redirect_uri: str
    authority: str
    user: str
    scopes: list[str]
    issued_at: float
    nonce: str | None = None
    challenge: str | None = None
    redeemed: bool = False


class Grant(Struct, kw_only=True):
    """A refresh token: bound to user and client, to no resource and to no client credential."""

    client_id: str
    user: str
    scopes: list[str]
    issued_at: float


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    access_token_lifetime: float | None = None
    federation_delay: float = 0.0
    certificate_delay: float = 0.0


class SentMail(Struct, kw_only=True):
    at: float
    user: str
    sender: str
    to: list[str]
    subject: str
    body: str

"""A configuration: one Entra app registration whose mailboxes Postern keeps."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from postern.model.branding import Branding
from postern.model.scopes import Protocol

_ID = re.compile(r"[a-z0-9]{8}")


def is_config_id(text: str) -> bool:
    """Say whether *text* has an id's shape; anything else is never looked up."""
    return _ID.fullmatch(text) is not None


class CredentialKind(StrEnum):
    """What proves to Entra that we are the app, once the client secret is gone."""

    MANAGED_IDENTITY = "managed-identity"
    CERTIFICATE = "certificate"


class Audience(StrEnum):
    """Whose accounts the registration signs in; it decides the authority of every request."""

    ORGANIZATIONS = "organizations"
    TENANT = "tenant"


class ConfigState(StrEnum):
    """Where a configuration stands on its way from a pasted secret to a working credential."""

    VALIDATING = "validating"
    HANDING_OVER = "handing-over"
    AWAITING_TRUST = "awaiting-trust"
    ACTIVE = "active"
    FAILED = "failed"


# A hand-over in these states is finished by the timer or by *verify*.
UNFINISHED = frozenset({ConfigState.HANDING_OVER, ConfigState.AWAITING_TRUST})


@dataclass(frozen=True, slots=True, kw_only=True)
class AppIdentity:
    """What a request to Entra needs to know about the registration.

    *authority* is a path segment: `organizations` for a multi-tenant app, the tenant id for a
    single-tenant one. It is the same for authorize, redeem and refresh; client credentials always
    go to *tenant_id*.
    """

    client_id: str
    tenant_id: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """One key of a config's ring: AES-256, wrapped by *kek* (a Key Vault key version)."""

    id: str
    kek: str
    wrapped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The self-signed certificate around the vault's `client-assertion` key; no private part."""

    der: str
    key_version: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCertificate:
    """The certificate that takes over once it is proven; until then the present one is used.

    *tried* is when it was last looked after, *added* when Graph took it, *proven* when an exchange
    with it first succeeded.
    """

    certificate: Certificate
    tried: datetime | None = None
    added: datetime | None = None
    proven: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a configuration does not work, for its admin: code, cause and repair, Entra's id."""

    code: str
    description: str
    correlation_id: str | None = None
    aadsts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A row of table `configs`. It holds no token and never the client secret.

    *intake* names the secret in the intake vault until its removal is proven; *intake_deadline* is
    when it must be gone, whatever died. While *paused*, nobody connects and no token is handed out,
    but the mailboxes stay fresh; while *deleting*, it is being erased and serves nothing.
    """

    id: str
    name: str
    client_id: str
    tenant_id: str
    audience: Audience
    protocols: tuple[Protocol, ...]
    branding: Branding
    state: ConfigState
    created: datetime
    changed: datetime
    activation: str
    credential: CredentialKind
    credential_reason: str = ""
    certificate: Certificate | None = None
    next_certificate: NextCertificate | None = None
    data_keys: tuple[DataKey, ...] = ()
    allowed_tenants: tuple[str, ...] = ()
    return_urls: tuple[str, ...] = ()
    intake: str | None = None
    intake_deadline: datetime | None = None
    problem: Problem | None = None
    proof: str | None = None
    paused: bool = False
    deleting: bool = False

    @property
    def app(self) -> AppIdentity:
        """Return what Entra is told of this app."""
        single = self.audience is Audience.TENANT
        return AppIdentity(
            client_id=self.client_id,
            tenant_id=self.tenant_id,
            authority=self.tenant_id if single else "organizations",
        )

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Return the certificate in use and the one that is to take over."""
        present = (self.certificate,) if self.certificate else ()
        return (*present, self.next_certificate.certificate) if self.next_certificate else present

    @property
    def stopped(self) -> bool:
        """Say whether an admin stopped it, for a while or for good."""
        return self.paused or self.deleting

    def accepts_tenant(self, tenant: str) -> bool:
        """Say whether owners of *tenant* may connect: listed, or nothing listed."""
        return not self.allowed_tenants or tenant in self.allowed_tenants

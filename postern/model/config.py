"""A configuration: one Entra app registration whose mailboxes Postern keeps."""

import re
from dataclasses import dataclass, field
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
class Problem:
    """Why a configuration does not work, for its admin: code, cause and repair, Entra's id."""

    code: str
    description: str
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A row of table `configs`. It holds no token and never the client secret.

    *intake* names the secret in the intake vault until its removal is proven; *intake_deadline* is
    when it must be gone, whatever died.
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
    data_keys: tuple[DataKey, ...] = ()
    allowed_tenants: tuple[str, ...] = ()
    return_urls: tuple[str, ...] = ()
    intake: str | None = None
    intake_deadline: datetime | None = None
    problem: Problem | None = None
    proof: str | None = field(default=None)

    @property
    def app(self) -> AppIdentity:
        """Return what Entra is told of this app."""
        single = self.audience is Audience.TENANT
        return AppIdentity(
            client_id=self.client_id,
            tenant_id=self.tenant_id,
            authority=self.tenant_id if single else "organizations",
        )

    def accepts_tenant(self, tenant: str) -> bool:
        """Say whether owners of *tenant* may connect: listed, or nothing listed."""
        return not self.allowed_tenants or tenant in self.allowed_tenants

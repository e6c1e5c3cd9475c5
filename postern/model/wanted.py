"""What callers ask for, as it comes from their requests: shaped, not yet checked."""

from dataclasses import dataclass
from datetime import timedelta

from postern.model.branding import Branding
from postern.model.config import Audience, CredentialKind
from postern.model.scopes import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an admin asks for at activation. *credential* None chooses by tenant."""

    name: str
    client_id: str
    tenant_id: str
    audience: Audience
    credential: CredentialKind | None
    protocols: tuple[Protocol, ...]
    branding: Branding
    allowed_tenants: tuple[str, ...] = ()
    return_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLink:
    """What a link shall allow. None takes the default."""

    client: str
    protocols: tuple[Protocol, ...] | None = None
    expected_address: str | None = None
    expected_tenant: str | None = None
    uses: int = 1
    life: timedelta | None = None
    return_url: str | None = None
    note: str = ""
    direct: bool = False

"""What callers ask for, as it comes from their requests: shaped, not yet checked."""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from postern.model.branding import Branding
from postern.model.config import Audience, Config, CredentialKind
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What an admin changes on a configuration. None leaves as it is."""

    name: str | None = None
    product: str | None = None
    support: str | None = None
    accent: str | None = None
    allowed_tenants: tuple[str, ...] | None = None
    return_urls: tuple[str, ...] | None = None
    paused: bool | None = None

    def named(self) -> dict[str, object]:
        """Return what is changed, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def applied(self, config: Config, now: datetime) -> Config:
        """Return *config* with the changes."""
        changes: dict[str, Any] = self.named()
        looks = {name: changes.pop(name) for name in _LOOKS if name in changes}
        return replace(config, **changes, branding=replace(config.branding, **looks), changed=now)


_LOOKS = ("product", "support", "accent")

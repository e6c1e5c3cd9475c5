"""The first path segment: which tenant a request is meant for, and who may use it there."""

import re
from dataclasses import dataclass

from local.entra.errors import Refused
from local.entra.model import App, Tenant
from local.entra.store import State

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
SHARED = ("organizations", "common")


@dataclass(frozen=True, slots=True)
class Authority:
    """A tenant, or one of the shared authorities (then there is no tenant)."""

    name: str
    tenant: Tenant | None

    @property
    def key(self) -> str:
        """Codes must be redeemed at the authority that issued them; a domain names its tenant."""
        return self.tenant.id if self.tenant else self.name


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def tenant_id(state: State, segment: str) -> str:
    """Write a tenant's name as its id where it is known, for records and comparisons."""
    known = state.tenant(segment)
    return known.id if known else segment.lower()


def authority_of(state: State, segment: str) -> Authority:
    if segment.lower() in SHARED:
        return Authority(segment.lower(), None)
    if not is_guid(segment) and not _DOMAIN.fullmatch(segment):
        raise Refused(900023, tenant=segment)
    tenant = state.tenant(segment)
    if tenant is None:
        raise Refused(90002, tenant=segment)
    return Authority(segment, tenant)


def app_at(state: State, authority: Authority, client_id: str) -> App:
    """Find an app that may be used at this authority."""
    app = state.apps.get(client_id.lower())
    if app is None:
        raise Refused(700016, client_id=client_id, tenant=authority.name)
    single = app.audience == "AzureADMyOrg"
    if authority.tenant is None and single:
        raise Refused(50194, client_id=client_id, name=app.display_name)
    if authority.tenant is not None and single and authority.tenant.id != app.tenant:
        raise Refused(700016, client_id=client_id, tenant=authority.name)
    if app.disabled:
        raise Refused(7000112, client_id=client_id, name=app.display_name)
    return app

"""The control API's part about tenants, their users and their managed identities."""

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request

from local.entra import consent
from local.entra.context import Entra
from local.entra.control_edge import Unclear, apply, control, read, tenant_of
from local.entra.model import ConsentPolicy, Identity, Tenant, User, hashed, new_id

PASSWORD = "correct horse"


class _NewTenant(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    domain: str
    id: str | None = None
    consent: ConsentPolicy = "user"
    exchange: bool = True


class _TenantChange(Struct, kw_only=True, forbid_unknown_fields=True):
    consent: ConsentPolicy | UnsetType = UNSET
    exchange: bool | UnsetType = UNSET
    name: str | UnsetType = UNSET


class _NewUser(Struct, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    upn: str
    password: str = PASSWORD
    display_name: str | None = None
    mail: str | None = None
    mailbox: bool = True
    guest: bool = False
    admin: bool = False


class _UserChange(Struct, kw_only=True, forbid_unknown_fields=True):
    disabled: bool | UnsetType = UNSET
    upn: str | UnsetType = UNSET
    mail: str | UnsetType | None = UNSET
    mailbox: bool | UnsetType = UNSET
    admin: bool | UnsetType = UNSET
    revoke: bool | UnsetType = UNSET
    withdraw_consent: str | UnsetType = UNSET


class _NewIdentity(Struct, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    client_id: str
    principal_id: str
    header: str


@control
async def add_tenant(request: Request, entra: Entra) -> dict[str, str]:
    asked = await read(request, _NewTenant)
    tenant_id, domain = (asked.id or new_id()).lower(), asked.domain.lower()
    if entra.state.tenant(tenant_id) or entra.state.tenant(domain):
        message = "there is such a tenant already"
        raise Unclear(message, 409)
    entra.state.tenants[tenant_id] = Tenant(
        id=tenant_id,
        name=asked.name,
        domain=domain,
        consent=asked.consent,
        exchange=asked.exchange,
    )
    return {"id": tenant_id}


@control
async def change_tenant(request: Request, entra: Entra) -> None:
    tenant = tenant_of(entra, request.path_params["id"])
    apply(tenant, await read(request, _TenantChange))


@control
async def add_user(request: Request, entra: Entra) -> dict[str, str]:
    asked = await read(request, _NewUser)
    tenant = tenant_of(entra, asked.tenant)
    twin = None if asked.guest else entra.state.user_at_home(asked.upn)
    if twin or entra.state.user_in(tenant.id, asked.upn):
        message = "there is such a user already"
        raise Unclear(message, 409)
    user = User(
        oid=new_id(),
        tenant=tenant.id,
        upn=asked.upn,
        display_name=asked.display_name or asked.upn.partition("@")[0].title(),
        mail=asked.mail or (asked.upn if asked.mailbox else None),
        password=hashed(asked.password),
        mailbox=asked.mailbox,
        guest=asked.guest,
        admin=asked.admin,
    )
    entra.state.users[user.oid] = user
    return {"oid": user.oid}


def _user(request: Request, entra: Entra) -> User:
    found = entra.state.users.get(request.path_params["oid"])
    if found is None:
        message = "no such user"
        raise Unclear(message, 404)
    return found


@control
async def change_user(request: Request, entra: Entra) -> None:
    user, asked = _user(request, entra), await read(request, _UserChange)
    if asked.revoke is True:
        user.tokens_valid_from = entra.clock.now()
    if isinstance(asked.withdraw_consent, str):
        consent.withdraw(entra.state, user, asked.withdraw_consent.lower())
    asked.revoke = asked.withdraw_consent = UNSET
    apply(user, asked)


@control
async def delete_user(request: Request, entra: Entra) -> None:
    del entra.state.users[_user(request, entra).oid]


@control
async def add_identity(request: Request, entra: Entra) -> None:
    asked = await read(request, _NewIdentity)
    identity = Identity(
        tenant=tenant_of(entra, asked.tenant).id,
        client_id=asked.client_id.lower(),
        principal_id=asked.principal_id.lower(),
        header=hashed(asked.header),
    )
    entra.state.identities[identity.client_id] = identity

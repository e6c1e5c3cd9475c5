"""The control API's part about app registrations: what their admin does in the portal."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field
from starlette.requests import Request

from local.entra import consent
from local.entra.clock import DAY, iso
from local.entra.context import Entra
from local.entra.control_edge import Unclear, apply, control, read, tenant_of
from local.entra.errors import Refused
from local.entra.graph import make_password, shown, shown_federation
from local.entra.graph_edge import GraphError
from local.entra.graph_keys import certificate_from
from local.entra.model import App, Audience, Federation, new_id
from local.entra.permissions import GRAPH, registered


class _NewApp(Struct, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    display_name: str
    client_id: str | None = None
    audience: Audience = "AzureADMyOrg"
    redirect_uris: list[str] = field(default_factory=list)
    delegated: list[str] = field(default_factory=list)
    application_permissions: list[str] = field(default_factory=list)
    owns_itself: bool = False
    assignment_required: bool = False


class _AppChange(Struct, kw_only=True, forbid_unknown_fields=True):
    disabled: bool | UnsetType = UNSET
    redirect_uris: list[str] | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    audience: Audience | UnsetType = UNSET
    delegated: list[str] | UnsetType = UNSET
    application_permissions: list[str] | UnsetType = UNSET
    owns_itself: bool | UnsetType = UNSET
    assignment_required: bool | UnsetType = UNSET
    assigned: list[str] | UnsetType = UNSET
    withdraw_admin_consent: str | UnsetType = UNSET  # a tenant


class _NewSecret(Struct, kw_only=True, forbid_unknown_fields=True):
    ends_in: float = 730.0 * DAY
    display_name: str | None = None


class _NewCertificate(Struct, kw_only=True, forbid_unknown_fields=True):
    key: str  # base64 DER
    display_name: str | None = None


class _NewFederation(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    issuer: str
    subject: str
    audiences: list[str]
    description: str | None = None


def _check(delegated: list[str], roles: list[str]) -> None:
    """Refuse permissions that do not exist, which a portal would not offer."""
    try:
        registered(delegated, GRAPH)
    except Refused as refused:
        message = f"delegated: {refused.text}"
        raise Unclear(message) from refused
    for role in roles:
        if role not in GRAPH.roles:
            message = f"application_permissions: {role} is not known here"
            raise Unclear(message)


def _app(request: Request, entra: Entra) -> App:
    found = entra.state.apps.get(request.path_params["client_id"].lower())
    if found is None:
        message = "no such app"
        raise Unclear(message, 404)
    return found


@control
async def add_app(request: Request, entra: Entra) -> dict[str, str]:
    asked = await read(request, _NewApp)
    tenant = tenant_of(entra, asked.tenant)
    _check(asked.delegated, asked.application_permissions)
    client_id = (asked.client_id or new_id()).lower()
    if client_id in entra.state.apps:
        message = "there is such an app already"
        raise Unclear(message, 409)
    principal = entra.state.ensure_principal(tenant.id, client_id)
    principal.roles = list(asked.application_permissions)
    app = App(
        client_id=client_id,
        object_id=new_id(),
        tenant=tenant.id,
        display_name=asked.display_name,
        created=entra.clock.now(),
        audience=asked.audience,
        redirect_uris=asked.redirect_uris,
        delegated=asked.delegated,
        application_permissions=asked.application_permissions,
        owners=[principal.id] if asked.owns_itself else [],
        assignment_required=asked.assignment_required,
    )
    entra.state.apps[client_id] = app
    return {
        "client_id": client_id,
        "object_id": app.object_id,
        "service_principal_id": principal.id,
    }


@control
async def show_app(request: Request, entra: Entra) -> dict[str, Any]:
    app = _app(request, entra)
    principals = [one for one in entra.state.principals.values() if one.client_id == app.client_id]
    return {
        **shown(app, with_keys=True),
        "tenant": app.tenant,
        "disabled": app.disabled,
        "owners": app.owners,
        "delegated": app.delegated,
        "federatedIdentityCredentials": [shown_federation(one) for one in app.federations],
        "servicePrincipals": [
            {"id": one.id, "tenant": one.tenant, "roles": one.roles} for one in principals
        ],
    }


@control
async def change_app(request: Request, entra: Entra) -> None:
    app, asked = _app(request, entra), await read(request, _AppChange)
    delegated = app.delegated if isinstance(asked.delegated, UnsetType) else asked.delegated
    principal = entra.state.ensure_principal(app.tenant, app.client_id)
    if not isinstance(asked.application_permissions, UnsetType):
        _check(delegated, asked.application_permissions)
        principal.roles = list(asked.application_permissions)
    _check(delegated, [])
    if not isinstance(asked.owns_itself, UnsetType):
        app.owners = [one for one in app.owners if one != principal.id]
        app.owners += [principal.id] if asked.owns_itself else []
    if not isinstance(asked.withdraw_admin_consent, UnsetType):
        tenant = tenant_of(entra, asked.withdraw_admin_consent)
        consent.withdraw_for_everybody(entra.state, tenant.id, app.client_id)
    asked.owns_itself = asked.withdraw_admin_consent = UNSET
    apply(app, asked)


@control
async def delete_app(request: Request, entra: Entra) -> None:
    client_id = _app(request, entra).client_id
    del entra.state.apps[client_id]
    for key in [key for key in entra.state.principals if key.endswith(f"|{client_id}")]:
        del entra.state.principals[key]


@control
async def add_secret(request: Request, entra: Entra) -> dict[str, str]:
    """The one answer in which the value is ever seen."""
    app, asked = _app(request, entra), await read(request, _NewSecret)
    now = entra.clock.now()
    value, added = make_password(now, now + asked.ends_in, asked.display_name)
    app.passwords.append(added)
    end = iso(added.end)
    return {"value": value, "key_id": added.key_id, "hint": added.hint, "end": end}


@control
async def add_certificate(request: Request, entra: Entra) -> dict[str, str]:
    """Upload a certificate as the admin does in the portal, beside those already there."""
    app, asked = _app(request, entra), await read(request, _NewCertificate)
    try:
        added = certificate_from(entra, asked.key, key_id=new_id(), name=asked.display_name)
    except GraphError as error:
        raise Unclear(error.message) from error
    app.certificates.append(added)
    return {"key_id": added.key_id}


@control
async def add_federation(request: Request, entra: Entra) -> dict[str, str]:
    """Trust an identity as the admin does in the portal."""
    app, asked = _app(request, entra), await read(request, _NewFederation)
    added = Federation(
        id=new_id(),
        name=asked.name,
        issuer=asked.issuer,
        subject=asked.subject,
        audiences=asked.audiences,
        description=asked.description,
        effective_at=entra.clock.now() + entra.state.settings.federation_delay,
    )
    app.federations.append(added)
    return {"id": added.id}

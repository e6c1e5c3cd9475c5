"""Who has allowed which app what: by one user, or by an admin for everybody in a tenant."""

from collections.abc import Iterable

from local.entra.errors import Refused
from local.entra.model import EVERYBODY, App, User
from local.entra.permissions import DEFAULT, GRAPH, Resource, Scope, registered
from local.entra.store import State


def _key(tenant: str, user: str, client_id: str, resource: Resource) -> str:
    return f"{tenant}|{user}|{client_id}|{resource.app_id}"


def granted(state: State, user: User, app: App, resource: Resource) -> list[str]:
    """Return the names allowed, the user's own and the tenant's, in a stable order."""
    mine = state.consents.get(_key(user.tenant, user.oid, app.client_id, resource), [])
    ours = state.consents.get(_key(user.tenant, EVERYBODY, app.client_id, resource), [])
    return list(dict.fromkeys([*mine, *ours]))


def expanded(app: App, scopes: Iterable[Scope]) -> list[Scope]:
    """Replace `.default` by what the registration lists for that resource."""
    found: list[Scope] = []
    for one in scopes:
        if one.name == DEFAULT:
            names = registered(app.delegated, one.resource)
            found.extend(Scope(one.resource, one.audience, name) for name in names)
        else:
            found.append(one)
    return list(dict.fromkeys(found))


def roles(app: App, scopes: Iterable[Scope]) -> list[str]:
    """Return the app's own permissions, which only an admin's `.default` of Graph can allow."""
    if any(one.name == DEFAULT and one.resource is GRAPH for one in scopes):
        return list(app.application_permissions)
    return []


def missing(state: State, user: User, app: App, scopes: Iterable[Scope]) -> list[Scope]:
    return [one for one in scopes if one.name not in granted(state, user, app, one.resource)]


def record(state: State, tenant: str, user: str, app: App, scopes: Iterable[Scope]) -> None:
    """Remember a yes, and bring the app into the tenant if it is not there yet."""
    state.ensure_principal(tenant, app.client_id)
    for one in scopes:
        names = state.consents.setdefault(_key(tenant, user, app.client_id, one.resource), [])
        if one.name not in names:
            names.append(one.name)


def withdraw(state: State, user: User, client_id: str) -> None:
    """Take back this user's own consents; what an admin allowed for all stays."""
    prefix = f"{user.tenant}|{user.oid}|{client_id}|"
    for key in [key for key in state.consents if key.startswith(prefix)]:
        del state.consents[key]


def withdraw_for_everybody(state: State, tenant: str, client_id: str) -> None:
    prefix = f"{tenant}|{EVERYBODY}|{client_id}|"
    for key in [key for key in state.consents if key.startswith(prefix)]:
        del state.consents[key]


def require(state: State, user: User, app: App, scopes: Iterable[Scope]) -> None:
    if missing(state, user, app, scopes):
        raise Refused(65001, client_id=app.client_id, name=app.display_name)

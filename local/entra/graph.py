"""The Graph calls of an app registration: reading it, and changing its credentials."""

import secrets
import string
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.clock import DAY, from_iso, iso
from local.entra.context import Entra
from local.entra.graph_edge import Caller, GraphError, app_for, bad_request, graph, json_of
from local.entra.graph_keys import key_credentials, shown_key
from local.entra.model import App, Federation, Password, hashed, new_id
from local.entra.permissions import required

MAX_FEDERATIONS = 20
_NAME = set(string.ascii_letters + string.digits + "-_")
_SECRET = string.ascii_letters + string.digits + "_~.-"


def new_secret() -> str:
    """Make a value that looks like Entra's: 40 characters, `8Q~` after the three of the hint."""
    drawn = [secrets.choice(_SECRET) for _ in range(34)]
    start = [secrets.choice(string.ascii_letters) for _ in range(3)]
    return "".join([*start, "8Q~", *drawn])


def shown(app: App, *, with_keys: bool = False) -> dict[str, Any]:
    """Show a registration as Graph does; secret values are never part of it."""
    return {
        "id": app.object_id,
        "appId": app.client_id,
        "displayName": app.display_name,
        "createdDateTime": iso(app.created),
        "signInAudience": app.audience,
        "web": {"redirectUris": app.redirect_uris},
        # The other platforms take no part in the main job: nobody registers anything for them.
        "spa": {"redirectUris": []},
        "publicClient": {"redirectUris": []},
        "requiredResourceAccess": required(app.delegated, app.application_permissions),
        "passwordCredentials": [
            {
                "keyId": one.key_id,
                "hint": one.hint,
                "displayName": one.display_name,
                "startDateTime": iso(one.start),
                "endDateTime": iso(one.end),
                "secretText": None,
            }
            for one in app.passwords
        ],
        "keyCredentials": [shown_key(one, with_key=with_keys) for one in app.certificates],
    }


def shown_federation(one: Federation) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "issuer": one.issuer,
        "subject": one.subject,
        "description": one.description,
        "audiences": one.audiences,
    }


@graph
async def read(request: Request, entra: Entra, caller: Caller) -> Response:
    app = app_for(request, entra, caller, write=False)
    selected = [one.strip() for one in request.query_params.get("$select", "").split(",") if one]
    body = shown(app, with_keys="keyCredentials" in selected)
    for name in selected:
        if name not in body:
            raise bad_request(f"Could not find a property named '{name}'.")
    return JSONResponse({name: body[name] for name in selected} if selected else body)


@graph
async def update(request: Request, entra: Entra, caller: Caller) -> Response:
    app = app_for(request, entra, caller, write=True)
    body = await json_of(request)
    if "passwordCredentials" in body:
        raise bad_request("Updating passwordCredentials is not supported; use addPassword.")
    for name in body:
        if name not in ("keyCredentials", "displayName", "web"):
            raise bad_request(f"Invalid property '{name}'.")
    # Everything is read before anything is changed, so that a refusal changes nothing.
    certificates = app.certificates
    if "keyCredentials" in body:
        certificates = key_credentials(entra, app, body["keyCredentials"])
    web = body.get("web", {"redirectUris": app.redirect_uris})
    uris = web.get("redirectUris") if isinstance(web, dict) else None
    name = body.get("displayName", app.display_name)
    if not isinstance(uris, list) or not all(isinstance(one, str) for one in uris):
        raise bad_request("Invalid value specified for property 'web'.")
    if not isinstance(name, str) or not name:
        raise bad_request("Invalid value specified for property 'displayName'.")
    app.certificates, app.redirect_uris, app.display_name = certificates, uris, name
    return Response(status_code=204)


@graph
async def list_federations(request: Request, entra: Entra, caller: Caller) -> Response:
    app = app_for(request, entra, caller, write=False)
    return JSONResponse({"value": [shown_federation(one) for one in app.federations]})


@graph
async def add_federation(request: Request, entra: Entra, caller: Caller) -> Response:
    app = app_for(request, entra, caller, write=True)
    added = _federation(entra, await json_of(request))
    if len(app.federations) >= MAX_FEDERATIONS:
        raise bad_request("No more than 20 federated identity credentials can be added.")
    for one in app.federations:
        if one.name == added.name or (one.issuer, one.subject) == (added.issuer, added.subject):
            message = "FederatedIdentityCredential with the same name, or issuer and subject,"
            code = "Request_MultipleObjectsWithSameKeyValue"
            raise GraphError(409, code, f"{message} already exists.")
    app.federations.append(added)
    return JSONResponse(shown_federation(added), 201)


def _federation(entra: Entra, body: dict[str, Any]) -> Federation:
    """Read a trust record. Its values are not compared with anything: Entra accepts wrong ones."""
    unknown = set(body) - {"name", "issuer", "subject", "audiences", "description"}
    if unknown:
        raise bad_request(f"Invalid property '{unknown.pop()}'.")
    name, audiences = body.get("name"), body.get("audiences")
    if not isinstance(name, str) or not 3 <= len(name) <= 120 or not set(name) <= _NAME:
        raise bad_request("Invalid value specified for property 'name'.")
    if not isinstance(audiences, list) or len(audiences) != 1 or not _text(audiences[0]):
        raise bad_request("Property audiences must hold exactly one value.")
    for needed in ("issuer", "subject"):
        if not _text(body.get(needed)):
            raise bad_request(f"Property {needed} is required, with at most 600 characters.")
    return Federation(
        id=new_id(),
        name=name,
        issuer=body["issuer"],
        subject=body["subject"],
        audiences=audiences,
        description=body.get("description"),
        effective_at=entra.clock.now() + entra.state.settings.federation_delay,
    )


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 600


@graph
async def add_password(request: Request, entra: Entra, caller: Caller) -> Response:
    app = app_for(request, entra, caller, write=True)
    body = await json_of(request)
    wanted = body.get("passwordCredential", {})
    now = entra.clock.now()
    try:
        end = from_iso(wanted["endDateTime"]) if "endDateTime" in wanted else now + 730 * DAY
    except (TypeError, ValueError) as error:
        raise bad_request("Invalid value specified for property 'endDateTime'.") from error
    value, added = make_password(now, end, wanted.get("displayName"))
    app.passwords.append(added)
    listed = shown(app)["passwordCredentials"][-1]
    return JSONResponse({**listed, "secretText": value})


def make_password(now: float, end: float, name: str | None) -> tuple[str, Password]:
    value = new_secret()
    return value, Password(
        key_id=new_id(), hint=value[:3], hash=hashed(value), start=now, end=end, display_name=name
    )


@graph
async def remove_password(request: Request, entra: Entra, caller: Caller) -> Response:
    app = app_for(request, entra, caller, write=True)
    key_id = (await json_of(request)).get("keyId")
    kept = [one for one in app.passwords if one.key_id != key_id]
    if len(kept) == len(app.passwords):
        raise bad_request(f"No password credential found with keyId {key_id}.")
    app.passwords = kept
    return Response(status_code=204)

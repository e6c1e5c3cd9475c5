"""API keys: the first one by the host's function key, all others by an admin."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
import msgspec

from functions._http import READABLE, answer, api, body, identify
from postern.bootstrap import postern
from postern.errors import Malformed
from postern.model.caller import Action, Caller, Role, Thing, require

bp = func.Blueprint()
ANONYMOUS, FUNCTION = func.AuthLevel.ANONYMOUS, func.AuthLevel.FUNCTION

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=READABLE)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class Bootstrap(msgspec.Struct, forbid_unknown_fields=True):
    """`again` mints another first key and revokes the one before."""

    again: bool = False


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key to mint. A client key names its config and its client."""

    name: Name
    role: Role
    config: str | None = None
    client: Word | None = None


class Key(msgspec.Struct, omit_defaults=True):
    """A key as lists show it. `key` itself is there once, when it is minted."""

    id: str
    name: str
    role: Role
    created: datetime
    config: str | None = None
    client: str | None = None
    revoked: bool = False
    key: str | None = None


@bp.function_name("keys_bootstrap")
@bp.route(route="keys/bootstrap", methods=["POST"], auth_level=FUNCTION)
@api
async def bootstrap(req: func.HttpRequest) -> func.HttpResponse:
    """Mint the first admin key. The one route that the host's function key opens."""
    app = await postern()
    minted = await app.callers.bootstrap(again=body(req, Bootstrap).again)
    return answer(_key(minted.caller, minted.key.reveal()), 201)


@bp.function_name("keys_create")
@bp.route(route="keys", methods=["POST"], auth_level=ANONYMOUS)
@api
async def create(req: func.HttpRequest) -> func.HttpResponse:
    """Mint a key for an admin, a sender or a client."""
    app = await postern()
    by = await identify(req, app)
    require(by, Action.KEYS, Thing())
    wanted = body(req, NewKey)
    if (wanted.role is Role.CLIENT or wanted.client) and not (wanted.config and wanted.client):
        raise Malformed("client-unbound", "A client's key names its 'config' and its 'client'.")
    minted = await app.callers.create(
        by, name=wanted.name, role=wanted.role, config=wanted.config, client=wanted.client
    )
    return answer(_key(minted.caller, minted.key.reveal()), 201)


@bp.function_name("keys_list")
@bp.route(route="keys", methods=["GET"], auth_level=ANONYMOUS)
@api
async def every(req: func.HttpRequest) -> func.HttpResponse:
    """List the keys, without the keys."""
    app = await postern()
    require(await identify(req, app), Action.KEYS, Thing())
    return answer({"keys": [_key(caller) for caller in await app.callers.all()]})


@bp.function_name("keys_revoke")
@bp.route(route="keys/{key}", methods=["DELETE"], auth_level=ANONYMOUS)
@api
async def revoke(req: func.HttpRequest) -> func.HttpResponse:
    """Revoke a key by its id."""
    app = await postern()
    by = await identify(req, app)
    require(by, Action.KEYS, Thing())
    await app.callers.revoke(by, req.route_params["key"])
    return func.HttpResponse(status_code=204)


def _key(caller: Caller, key: str | None = None) -> Key:
    return Key(
        id=caller.id,
        name=caller.name,
        role=caller.role,
        created=caller.created,
        config=caller.config,
        client=caller.client,
        revoked=caller.revoked,
        key=key,
    )

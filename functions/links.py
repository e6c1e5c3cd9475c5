"""Connect links: make, list, withdraw."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import azure.functions as func
import msgspec

from functions._http import READABLE, answer, api, body, identify
from postern.bootstrap import postern
from postern.model.caller import Action, Thing, require
from postern.model.mailbox import AGENCY
from postern.model.scopes import Protocol
from postern.model.wanted import WantedLink

if TYPE_CHECKING:
    from postern.model.link import Link

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS

Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class NewLink(msgspec.Struct, forbid_unknown_fields=True):
    """A link to make. A client's key makes links for its own mailboxes only."""

    client: Word | None = None
    protocols: Annotated[list[Protocol], msgspec.Meta(min_length=1)] | None = None
    expected_address: Annotated[str, msgspec.Meta(max_length=320)] | None = None
    expected_tenant: str | None = None
    uses: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    expires_in: Annotated[int, msgspec.Meta(ge=0, le=10**10)] | None = None
    return_url: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    note: Annotated[str, msgspec.Meta(max_length=200, pattern=READABLE)] = ""
    direct: bool = False


class ShownLink(msgspec.Struct, omit_defaults=True):
    """A link as lists show it. `url` is there once, when it is made."""

    id: str
    config: str
    client: str
    protocols: tuple[Protocol, ...]
    created: datetime
    expires: datetime
    uses: int
    used: int
    direct: bool
    withdrawn: bool
    expected_address: str | None = None
    expected_tenant: str | None = None
    return_url: str | None = None
    note: str = ""
    url: str | None = None


@bp.function_name("links_make")
@bp.route(route="configs/{config}/links", methods=["POST"], auth_level=ANONYMOUS)
@api
async def make(req: func.HttpRequest) -> func.HttpResponse:
    """Make a link. Its URL is in this answer and nowhere else."""
    app = await postern()
    by = await identify(req, app)
    wanted, config = body(req, NewLink), req.route_params["config"]
    client = wanted.client or by.client or AGENCY
    action = Action.DIRECT_LINKS if wanted.direct else Action.LINKS
    require(by, action, Thing(config=config, client=client))
    made = await app.links.make(by, config, _wanted(wanted, client))
    room = "authorize" if made.link.direct else "connect"
    return answer(_shown(made.link, f"{app.base_url}/api/{room}/{made.text.reveal()}"), 201)


@bp.function_name("links_list")
@bp.route(route="configs/{config}/links", methods=["GET"], auth_level=ANONYMOUS)
@api
async def every(req: func.HttpRequest) -> func.HttpResponse:
    """List a configuration's links, the newest first."""
    app = await postern()
    by = await identify(req, app)
    config = req.route_params["config"]
    require(by, Action.LINKS, Thing(config=config, client=by.client))
    await app.configurations.require(config)
    return answer({"links": [_shown(link) for link in await app.links.of(config, by.client)]})


@bp.function_name("links_withdraw")
@bp.route(route="configs/{config}/links/{link}", methods=["DELETE"], auth_level=ANONYMOUS)
@api
async def withdraw(req: func.HttpRequest) -> func.HttpResponse:
    """Withdraw a link by its id."""
    app = await postern()
    by = await identify(req, app)
    config = req.route_params["config"]
    require(by, Action.LINKS, Thing(config=config, client=by.client))
    await app.links.withdraw(by, config, req.route_params["link"])
    return func.HttpResponse(status_code=204)


def _wanted(form: NewLink, client: str) -> WantedLink:
    return WantedLink(
        client=client,
        protocols=tuple(dict.fromkeys(form.protocols)) if form.protocols else None,
        expected_address=form.expected_address,
        expected_tenant=form.expected_tenant,
        uses=form.uses,
        life=timedelta(seconds=form.expires_in) if form.expires_in is not None else None,
        return_url=form.return_url,
        note=form.note,
        direct=form.direct,
    )


def _shown(link: "Link", url: str | None = None) -> ShownLink:
    return ShownLink(
        id=link.hash,
        config=link.config,
        client=link.client,
        protocols=link.protocols,
        created=link.created,
        expires=link.expires,
        uses=link.uses,
        used=link.used,
        direct=link.direct,
        withdrawn=link.withdrawn,
        expected_address=link.expected_address,
        expected_tenant=link.expected_tenant,
        return_url=link.return_url,
        note=link.note,
        url=url,
    )

"""Mailboxes: list, show, disconnect."""

import re
from datetime import datetime
from typing import TYPE_CHECKING

import azure.functions as func
import msgspec

from functions._http import answer, api, identify
from postern.bootstrap import postern
from postern.errors import Malformed
from postern.model.caller import Action, Thing, require
from postern.model.explanations import explain
from postern.model.mailbox import MailboxState
from postern.model.scopes import Protocol

if TYPE_CHECKING:
    from postern.model.grant import Grant
    from postern.model.mailbox import Mailbox

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
_LARGEST_PAGE = 1000
_NUMBER = re.compile(r"[0-9]{1,4}")


class ShownMailbox(msgspec.Struct, omit_defaults=True):
    """A mailbox for people. `cause` says why it does not work, and what to do."""

    id: str
    config: str
    client: str
    address: str
    tenant: str
    protocols: tuple[Protocol, ...]
    state: MailboxState
    since: datetime
    connected: datetime
    missing: tuple[Protocol, ...] = ()
    cause: str | None = None
    explanation: str | None = None
    refreshed: datetime | None = None
    next_refresh: datetime | None = None
    failing_since: datetime | None = None


@bp.function_name("mailboxes_list")
@bp.route(route="mailboxes", methods=["GET"], auth_level=ANONYMOUS)
@api
async def every(req: func.HttpRequest) -> func.HttpResponse:
    """List a configuration's mailboxes, a page at a time (`config`, `limit`, `mark`)."""
    app = await postern()
    by = await identify(req, app)
    config = req.params.get("config") or by.config
    if not config:
        raise Malformed("config-missing", "Name the configuration: ?config=<id>.")
    limit = req.params.get("limit", "100")
    if not (_NUMBER.fullmatch(limit) and 1 <= int(limit) <= _LARGEST_PAGE):
        raise Malformed("limit-out-of-range", f"'limit' is 1 to {_LARGEST_PAGE}.")
    require(by, Action.MAILBOXES_SEE, Thing(config=config, client=by.client))
    await app.configurations.require(config)
    page = await app.mailboxes.page(by, config, limit=int(limit), mark=req.params.get("mark"))
    return answer({"mailboxes": [_shown(each) for each in page.mailboxes], "mark": page.mark})


@bp.function_name("mailboxes_show")
@bp.route(route="mailboxes/{mailbox}", methods=["GET"], auth_level=ANONYMOUS)
@api
async def one(req: func.HttpRequest) -> func.HttpResponse:
    """Show a mailbox and its schedule."""
    app = await postern()
    found, grant = await app.mailboxes.show(await identify(req, app), req.route_params["mailbox"])
    return answer(_shown(found, grant))


@bp.function_name("mailboxes_disconnect")
@bp.route(route="mailboxes/{mailbox}", methods=["DELETE"], auth_level=ANONYMOUS)
@api
async def disconnect(req: func.HttpRequest) -> func.HttpResponse:
    """Erase the mailbox's tokens and its record."""
    app = await postern()
    await app.mailboxes.disconnect(await identify(req, app), req.route_params["mailbox"])
    return func.HttpResponse(status_code=204)


def _shown(mailbox: "Mailbox", grant: "Grant | None" = None) -> ShownMailbox:
    cause = grant.cause if grant else mailbox.cause
    return ShownMailbox(
        id=str(mailbox.id),
        config=mailbox.config,
        client=mailbox.client,
        address=mailbox.address,
        tenant=mailbox.tenant,
        protocols=mailbox.protocols,
        missing=mailbox.missing,
        state=grant.state if grant else mailbox.state,
        since=mailbox.since,
        connected=mailbox.connected,
        cause=cause,
        explanation=explain(cause) if cause else None,
        refreshed=grant.refreshed if grant else None,
        next_refresh=grant.due if grant else None,
        failing_since=grant.failing_since if grant else None,
    )

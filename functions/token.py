"""For senders: a valid token of a mailbox."""

from typing import Annotated

import azure.functions as func
import msgspec

from functions._http import answer, api, body, identify
from postern.bootstrap import postern
from postern.model.scopes import Protocol

bp = func.Blueprint()


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """Which mailbox, for what, and how long the token must live at least."""

    mailbox: Annotated[str, msgspec.Meta(max_length=100)]
    protocol: Protocol
    minimum_seconds: int = 300


class Token(msgspec.Struct, omit_defaults=True):
    """The token; `expires_on` is in seconds since 1970."""

    access_token: str
    expires_on: int
    username: str
    protocol: Protocol
    token_type: str = msgspec.field(default="")
    warning: str | None = None


@bp.function_name("token")
@bp.route(route="token", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@api
async def token(req: func.HttpRequest) -> func.HttpResponse:
    """Hand out a token that lives long enough."""
    app = await postern()
    by = await identify(req, app)
    wish = body(req, Wish)
    delivered = await app.delivery.token(by, wish.mailbox, wish.protocol, wish.minimum_seconds)
    return answer(
        Token(
            access_token=delivered.access_token.reveal(),
            expires_on=int(delivered.expires.timestamp()),
            token_type="Bearer",
            username=delivered.username,
            protocol=delivered.protocol,
            warning=delivered.warning,
        )
    )

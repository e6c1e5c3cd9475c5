"""The Graph calls of a signed-in user: the profile, and sending a mail."""

from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.context import Entra
from local.entra.graph_edge import Caller, GraphError, bad_request, graph, user_of
from local.entra.model import SentMail


class _Address(Struct, kw_only=True):
    address: str


class _Recipient(Struct, kw_only=True):
    email_address: _Address = msgspec.field(name="emailAddress")


class _Body(Struct, kw_only=True):
    content: str
    content_type: str = msgspec.field(name="contentType", default="text")


class _Message(Struct, kw_only=True):
    to: list[_Recipient] = msgspec.field(name="toRecipients")
    subject: str = ""
    body: _Body = msgspec.field(default_factory=lambda: _Body(content=""))


class _SendMail(Struct, kw_only=True):
    message: _Message
    save: bool = msgspec.field(name="saveToSentItems", default=True)


@graph
async def profile(_: Request, entra: Entra, caller: Caller) -> Response:
    user = user_of(entra, caller, "User.Read")
    answer: dict[str, Any] = {
        "id": user.oid,
        "displayName": user.display_name,
        "userPrincipalName": user.upn,
        "mail": user.mail,
    }
    return JSONResponse(answer)


@graph
async def send_mail(request: Request, entra: Entra, caller: Caller) -> Response:
    user = user_of(entra, caller, "Mail.Send")
    if not user.mailbox:
        message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
        raise GraphError(404, "MailboxNotEnabledForRESTAPI", message)
    try:
        asked = msgspec.json.decode(await request.body(), type=_SendMail)
    except msgspec.DecodeError as error:
        raise bad_request(f"Unable to read the message: {error}") from error
    if not asked.message.to:
        raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.")
    entra.state.sent.append(
        SentMail(
            at=entra.clock.now(),
            user=user.oid,
            sender=user.mail or user.upn,
            to=[one.email_address.address for one in asked.message.to],
            subject=asked.message.subject,
            body=asked.message.body.content,
        )
    )
    return Response(status_code=202)

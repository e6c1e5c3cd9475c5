"""The control interface over HTTPS: the mails that came, and what an Exchange admin would set."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.mail.mailboxes import Mailboxes
from local.mail.smtp import Handler
from local.serving import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    mailboxes: Mailboxes
    handler: Handler
    clock: Clock

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/_control/messages", self.messages, methods=["GET"]),
                Route("/_control/messages", self.clear, methods=["DELETE"]),
                Route("/_control/refusals", self.refusals, methods=["GET"]),
                Route("/_control/mailboxes", self.set_mailbox, methods=["POST"]),
                Route("/_control/clock", self.advance, methods=["POST"]),
            ]
        )

    async def messages(self, request: Request) -> Response:
        return JSONResponse(self.mailboxes.as_json())

    async def clear(self, request: Request) -> Response:
        self.mailboxes.mails.clear()
        return Response(status_code=204)

    async def refusals(self, request: Request) -> Response:
        """Why sign-ins were refused: the client itself is never told more than 535."""
        return JSONResponse(self.handler.refusals)

    async def set_mailbox(self, request: Request) -> Response:
        """{address, smtp_auth: bool} or {address, send_as: [user, ...]}"""
        match await _json(request):
            case {"address": str(address), "smtp_auth": bool(on), **rest} if not rest:
                self.mailboxes.switch(address, smtp_auth=on)
                return Response(status_code=204)
            case {"address": str(address), "send_as": list(users), **rest} if not rest:
                self.mailboxes.allow_send_as(address, [str(user) for user in users])
                return Response(status_code=204)
        raise HTTPException(400, "give address, and smtp_auth or send_as")

    async def advance(self, request: Request) -> Response:
        match await _json(request):
            case {"advance": int() | float() as seconds}:
                return JSONResponse({"offset": self.clock.advance(seconds)})
        raise HTTPException(400, "give advance, in seconds")


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise HTTPException(400, "the body is not JSON") from error

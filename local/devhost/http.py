"""From a request to the function that answers it, refusing without a word as the host does.

What the host refuses has an empty body: 401, 404 (also for a wrong method) and 500, so that nothing
of an error reaches a caller. Query strings are never logged, since codes and keys stand in them.
"""

import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.devhost.admin import Admin
from local.devhost.exchange import BodyTooLarge, build_response, read_request
from local.devhost.functions import Function, HttpTrigger
from local.devhost.invoke import Invoker
from local.devhost.keys import Keys
from local.devhost.paths import decode_path

log = logging.getLogger("devhost")


class Http:
    """The ASGI application."""

    def __init__(
        self,
        functions: tuple[Function, ...],
        *,
        invoker: Invoker,
        admin: Admin,
        keys: Keys,
        custom_headers: Mapping[str, str],
    ) -> None:
        self._routes = [
            (function, function.trigger)
            for function in functions
            if isinstance(function.trigger, HttpTrigger)
        ]
        self._invoker = invoker
        self._admin = admin
        self._keys = keys
        self._custom_headers = custom_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        for name, value in self._custom_headers.items():
            response.headers.setdefault(name, value)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = decode_path(request.scope["raw_path"].decode("latin-1"))
        if path.lower().startswith("/admin/"):
            return await self._admin.answer(request, path)
        found = self._find(request.method, path)
        if found is None:
            return Response(status_code=404)
        function, trigger, params = found
        if not self._keys.allow(request, trigger.level):
            return Response(status_code=401)
        try:
            data = await read_request(request, path, params)
            answer = await self._invoker.run(
                function, data, {}, request.headers.get("traceparent", "")
            )
            return build_response(answer) if answer else Response()
        except BodyTooLarge:
            return Response(status_code=413)
        except Exception:
            log.exception("%s failed", function.name)
            return Response(status_code=500)

    def _find(self, method: str, path: str) -> tuple[Function, HttpTrigger, dict[str, str]] | None:
        """Take the first that fits, in order of name; a method is a part of the route."""
        for function, trigger in self._routes:
            if trigger.methods and method not in trigger.methods:
                continue
            params = trigger.template.match(path)
            if params is not None:
                return function, trigger, params
        return None

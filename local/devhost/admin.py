"""The host's own routes under /admin, for the master key only.

A POST runs a timer or queue function now. The host answers 202 and runs it by itself; a test that
wants to know how it went sends `X-Devhost-Wait: 1` and gets 200 or 500 when it is done.
"""

import asyncio
import datetime
import json
from collections.abc import Mapping

from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.devhost.data import made_up_message, message_metadata
from local.devhost.functions import Function, HttpTrigger
from local.devhost.invoke import Invoker
from local.devhost.keys import Keys
from local.devhost.timers import Timer

_FUNCTIONS = "/admin/functions/"


class Admin:
    def __init__(
        self,
        functions: tuple[Function, ...],
        timers: Mapping[str, Timer],
        invoker: Invoker,
        keys: Keys,
    ) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._timers = timers
        self._invoker = invoker
        self._keys = keys
        self._running: set[asyncio.Task[bool]] = set()

    async def answer(self, request: Request, path: str) -> Response:
        if path == "/admin/host/ping":
            return Response()
        if not self._keys.allow(request, "admin"):
            return Response(status_code=401)
        if path == "/admin/host/status" and request.method == "GET":
            return JSONResponse({"state": "Running"})
        if path.startswith(_FUNCTIONS) and request.method == "POST":
            return await self._invoke(request, path.removeprefix(_FUNCTIONS))
        return Response(status_code=404)

    async def _invoke(self, request: Request, name: str) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return Response(status_code=415)
        try:
            body = json.loads(await request.body())
        except ValueError:
            return Response(status_code=400)
        if not isinstance(body, dict) or not isinstance(body.get("input", ""), str | None):
            return Response(status_code=400)
        function = self._functions.get(name.lower())
        if function is None:
            return Response(status_code=404)
        if isinstance(function.trigger, HttpTrigger):
            return Response(status_code=400)  # this dev host does not make up HTTP requests
        run = asyncio.create_task(self._run(function, body.get("input") or ""))
        self._running.add(run)
        run.add_done_callback(self._running.discard)
        if "x-devhost-wait" not in request.headers:
            return Response(status_code=202)
        return Response(status_code=200 if await run else 500)

    async def _run(self, function: Function, given: str) -> bool:
        if function.name in self._timers:
            return await self._timers[function.name].run_once()
        message = made_up_message(given, datetime.datetime.now(datetime.UTC))
        return await self._invoker.attempt(
            function, Datum(given, "string"), message_metadata(message)
        )

"""Makes Entra slow, throttled, broken or unheard, a given number of times, for those who match.

`lose_response` is the cruellest: the request is fully processed (a code is spent, a refresh token
issued) and then the connection is cut, so that the client never learns of it.
"""

import asyncio
from typing import Literal, Protocol, cast

from msgspec import Struct
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.entra.audit import Exchange
from local.entra.errors import Refused

Endpoint = Literal["token", "authorize", "graph", "identity"]


class Fault(Struct, kw_only=True, forbid_unknown_fields=True):
    times: int
    endpoint: Endpoint = "token"
    tenant: str | None = None
    client_id: str | None = None
    grant_type: str | None = None
    status: int | None = None
    error: str | None = None
    code: int | None = None
    retry_after: float | None = None
    latency: float | None = None
    lose_response: bool = False

    def matches(self, exchange: Exchange) -> bool:
        return (
            self.times > 0
            and self.endpoint == exchange.endpoint
            and self.tenant in (None, exchange.tenant)
            and self.client_id in (None, exchange.client_id)
            and self.grant_type in (None, exchange.grant_type)
        )

    @property
    def refuses(self) -> bool:
        return any(one is not None for one in (self.status, self.error, self.code))

    def refusal(self) -> Refused:
        refused = Refused(self.code or (90055 if self.status == 429 else 90033))
        refused.error = self.error or refused.error
        refused.status = self.status or refused.status
        refused.retry_after = self.retry_after
        return refused


class Faults:
    def __init__(self) -> None:
        self._pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._pending.append(fault)

    def clear(self) -> None:
        self._pending.clear()

    async def meet(self, exchange: Exchange) -> bool:
        """Suffer the first fault that matches; True means: answer into a cut connection."""
        fault = next((one for one in self._pending if one.matches(exchange)), None)
        if fault is None:
            return False
        fault.times -= 1
        if fault.times == 0:
            self._pending.remove(fault)
        if fault.latency:
            await asyncio.sleep(fault.latency)
        if fault.refuses:
            raise fault.refusal()
        return fault.lose_response


class _Cycle(Protocol):
    transport: asyncio.Transport
    disconnected: bool


class Lost(Response):
    """Sends nothing and cuts the connection, as a network does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI has no word for this, so we reach for uvicorn's own request object.
        cycle = cast(_Cycle, getattr(receive, "__self__"))  # noqa: B009 - not in Receive's type
        cycle.transport.abort()
        while not cycle.disconnected:
            await asyncio.sleep(0)

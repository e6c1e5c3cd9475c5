"""A record of every exchange, for tests that ask what really went over the wire. Never a token."""

from collections import deque
from typing import Any

import msgspec
from msgspec import Struct

KEPT = 20_000


class Exchange(Struct, kw_only=True):
    at: float
    endpoint: str
    correlation_id: str
    tenant: str | None = None
    client_id: str | None = None
    grant_type: str | None = None
    auth: str | None = None
    scope: str | None = None
    resource: str | None = None
    user: str | None = None
    outcome: str = "ok"
    code: int | str | None = None

    def failed(self, outcome: str, code: int | str) -> None:
        self.outcome, self.code = outcome, code


class Audit:
    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT)

    def begin(self, exchange: Exchange) -> Exchange:
        self._exchanges.append(exchange)
        return exchange

    def listed(self) -> list[dict[str, Any]]:
        return [msgspec.structs.asdict(one) for one in self._exchanges]

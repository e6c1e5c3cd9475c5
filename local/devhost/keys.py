"""The keys that stand before routes of level FUNCTION and ADMIN, unlike in `func start`."""

import secrets
from dataclasses import dataclass, field

from starlette.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    master: str = field(repr=False)
    function: str = field(repr=False)

    def allow(self, request: Request, level: str) -> bool:
        """Say whether the request may come to a route of this level."""
        if level == "anonymous":
            return True
        given = _given(request).encode()
        is_master = secrets.compare_digest(given, self.master.encode())
        is_function = secrets.compare_digest(given, self.function.encode())
        return is_master or (level == "function" and is_function)


def _given(request: Request) -> str:
    """The header comes before the query, even when it is empty; the first of several counts."""
    if "x-functions-key" in request.headers:
        return request.headers.getlist("x-functions-key")[0]
    for name, value in request.query_params.multi_items():
        if name.lower() == "code":
            return value
    return ""

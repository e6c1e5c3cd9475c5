"""Just enough HTTP/1.1 for the clients at hand, as one asyncio protocol.

A web framework would take longer for a request than the client that is to be measured.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

_END_OF_HEAD = b"\r\n\r\n"
_PHRASES = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    411: "Length Required",
    412: "Precondition Failed",
    501: "Not Implemented",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request; the names of its headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, sent after *delay* seconds."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0

    def message(self) -> bytes:
        """Return the answer as it goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} {_PHRASES[self.status]}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != 204:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join((*lines, "", "")).encode() + self.body


Handler = Callable[[Request], Response]


def header_fields(lines: Iterable[str]) -> dict[str, str]:
    """Return the header fields in *lines*, by their names in lower case."""
    pairs = (line.split(":", 1) for line in lines)
    return {name.lower(): value.strip() for name, value in pairs}


class Connection(asyncio.Protocol):
    """One kept-alive connection. Clients do not pipeline, so answers need no order."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop answers that are still delayed."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer each request that has arrived completely."""
        self._received += data
        while (request := self._next()) is not None:
            response = self._handler(request)
            message = response.message()
            if response.delay:
                asyncio.get_running_loop().call_later(response.delay, self._send, message)
            else:
                self._send(message)

    def _next(self) -> Request | None:
        head, found, rest = self._received.partition(_END_OF_HEAD)
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = header_fields(lines)
        if "transfer-encoding" in headers:
            self._send(Response(status=411).message())
            return None
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        self._received = rest[length:]
        return Request(method, target, headers, rest[:length])

    def _send(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(message)

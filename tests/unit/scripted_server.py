"""A server that answers what a test tells it, byte for byte, and remembers what it was asked.

Plain sockets: a framework would not send half an answer, nor hang.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        """Return the fields of a form, however often each came."""
        return parse_qs(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer. *body* is sent as it is when it is text, else as JSON; *cut* ends it too soon."""

    status: int = 200
    body: object = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False

    def written(self) -> bytes:
        """Return the bytes on the wire."""
        is_text = isinstance(self.body, str)
        data = (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()
        headers = {
            "Content-Type": "text/html" if is_text else "application/json; charset=utf-8",
            "Content-Length": str(len(data)),
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class ScriptedServer:
    """Answers with *replies* in turn; what is asked beyond them is answered 599."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.replies: list[Reply] = []

    def say(self, *replies: Reply) -> None:
        """Answer so from now on, and forget what was asked before."""
        self.asked.clear()
        self.replies[:] = replies

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while asked := await _read(reader):
                self.asked.append(asked)
                reply = self.replies.pop(0) if self.replies else Reply(599)
                if reply.hang:
                    await reader.read()  # until the client goes away
                    return
                data = reply.written()
                writer.write(data[:-1] if reply.cut else data)
                await writer.drain()
                if reply.cut:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split()
    headers = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """Run a scripted server on a free port of this machine."""
    scripted = ScriptedServer()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()

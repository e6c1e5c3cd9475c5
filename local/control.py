"""Speaks to the control APIs of the stand-ins: what tests and the demo may do, and no app could."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class ControlFailed(Exception):
    """A stand-in refused; the text says what was asked and what it answered."""


class Control:
    """The control API of one stand-in, at `<url>/_control`."""

    def __init__(self, url: str, ca: Path) -> None:
        self._address = urlsplit(url).netloc
        self._trust = ssl.create_default_context(cafile=ca)

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, **body: object) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str, **body: object) -> Any:
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path, None)

    def _call(self, method: str, path: str, body: dict[str, object] | None) -> Any:
        connection = http.client.HTTPSConnection(self._address, context=self._trust, timeout=30)
        try:
            connection.request(
                method,
                f"/_control/{path}",
                None if body is None else json.dumps(body),
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            msg = f"{method} {path}: {answer.status} {content.decode(errors='replace')[:500]}"
            raise ControlFailed(msg)
        return json.loads(content) if content else None

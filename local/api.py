"""A small client of Postern's own API, for the demo and the tests."""

import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is the JSON, or None where there was none."""

    status: int
    headers: dict[str, str] = field(repr=False)
    text: str = field(repr=False)

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None


class Api:
    """Calls routes as one caller. `with_key` gives the same door to another caller."""

    def __init__(self, base_url: str, ca: Path, key: str | None = None) -> None:
        self._base_url, self._ca, self.key = base_url, ca, key
        self._trust = ssl.create_default_context(cafile=ca)

    def with_key(self, key: str | None) -> "Api":
        return Api(self._base_url, self._ca, key)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.call("POST", path, body, headers=headers)

    def delete(self, path: str) -> Answer:
        return self.call("DELETE", path)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request; *raw* goes as it is, *body* as JSON."""
        sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        if self.key:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPSConnection(
            urlsplit(self._base_url).netloc, context=self._trust, timeout=90
        )
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            return Answer(answer.status, dict(answer.getheaders()), text)
        finally:
            connection.close()

"""A table service in memory: point reads, conditional writes and transactions.

Strict where the app relies on it: a write with a wrong etag is refused with 412, an insert of what
is there with 409, and a transaction is done completely or not at all. There are no queries.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from bench.canned.http import Request, Response

Key = tuple[str, str, str]

_ENTITY = re.compile(r"(?P<table>\w+)\(PartitionKey='(?P<partition>[^']*)',RowKey='(?P<key>.*)'\)")
_VERSION = {"x-ms-version": "2019-02-02", "Cache-Control": "no-cache"}
_JSON = {"Content-Type": "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"}
_TIMESTAMP = "2026-01-01T00:00:00.0000000Z"
_WRITES = frozenset({"PUT", "POST", "DELETE"})


@dataclass(frozen=True, slots=True)
class _Row:
    etag: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One write: to be checked, then applied."""

    method: str
    key: Key
    condition: str | None
    values: Mapping[str, Any]


class Refused(Exception):
    """The service says no: a status and the code of its error body."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code

    def body(self, prefix: str = "") -> bytes:
        """Return the error body; a transaction says in front which operation failed."""
        message = {"lang": "en-US", "value": f"{prefix}{self.code}"}
        return json.dumps({"odata.error": {"code": self.code, "message": message}}).encode()

    def answer(self) -> Response:
        """Return the refusal as an answer."""
        return Response(status=self.status, headers={**_VERSION, **_JSON}, body=self.body())


class Tables:
    """The rows of one account, whatever the table."""

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = {}
        self._written = 0

    def answer(self, request: Request, path: str) -> Response:
        """Answer a request for one row."""
        try:
            if request.method == "GET":
                return self._read(_key(path))
            step = self.step(request.method, path, request.headers, request.body)
            self.check(step)
            return self.answered(self.apply(step))
        except Refused as refused:
            return refused.answer()

    def step(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Step:
        """Return the write that a request asks for."""
        if method not in _WRITES:
            raise Refused(501, "NotImplemented")
        values: dict[str, Any] = json.loads(body) if body else {}
        if method == "POST":
            key = (unquote(path), values["PartitionKey"], values["RowKey"])
        else:
            key = _key(path)
        return Step(method, key, headers.get("if-match"), values)

    def check(self, step: Step) -> None:
        """Raise `Refused` if the row is not as the write expects it."""
        row = self._rows.get(step.key)
        if step.method == "POST" and row is not None:
            raise Refused(409, "EntityAlreadyExists")
        if step.condition is not None and row is None:
            raise Refused(404, "ResourceNotFound")
        if row is not None and step.condition not in {None, "*", row.etag}:
            raise Refused(412, "UpdateConditionNotSatisfied")

    def apply(self, step: Step) -> str | None:
        """Do the write; return the row's new etag."""
        if step.method == "DELETE":
            self._rows.pop(step.key, None)
            return None
        self._written += 1
        etag = f"W/\"datetime'{self._written:012d}'\""
        self._rows[step.key] = _Row(etag, step.values)
        return etag

    def answered(self, etag: str | None) -> Response:
        """Return the answer to a write that was done."""
        headers = dict(_VERSION) if etag is None else {**_VERSION, "ETag": etag}
        return Response(status=204, headers=headers)

    def _read(self, key: Key) -> Response:
        row = self._rows.get(key)
        if row is None:
            raise Refused(404, "ResourceNotFound")
        shown = {"odata.etag": row.etag, **row.values, "Timestamp": _TIMESTAMP}
        body = json.dumps(shown, separators=(",", ":")).encode()
        return Response(headers={**_VERSION, **_JSON, "ETag": row.etag}, body=body)


def _key(path: str) -> Key:
    match = _ENTITY.fullmatch(unquote(path))
    if match is None:
        raise Refused(501, "NotImplemented")
    return match["table"], match["partition"], match["key"]

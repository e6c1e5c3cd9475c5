"""One request as an operation sees it, and the list of pages it may answer with."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from local.keyvault.errors import refuse_parameter
from local.keyvault.vault import Vault

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_PAGE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What came in, already authenticated and allowed. The body may hold a secret: no `repr`."""

    path: str
    base: str
    name: str = ""
    version: str = ""
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(repr=False)

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            refuse_parameter(
                f"The request URI contains an invalid name: {self.name}. A name is 1 to 127 "
                "characters, of 0-9, a-z, A-Z and -."
            )

    def text(self, word: str) -> str:
        value = self.body.get(word)
        if not isinstance(value, str):
            refuse_parameter(f"Property {word} is required and must be a string")
        return value

    def octets(self, word: str) -> bytes:
        """A base64url value, as JSON Web Keys write bytes: without padding."""
        value = self.text(word)
        if not re.fullmatch(r"[A-Za-z0-9_-]*", value):
            refuse_parameter(f"Property {word} is not base64url")
        try:
            return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except binascii.Error:
            refuse_parameter(f"Property {word} is not base64url")


Answer = tuple[int, dict[str, Any] | None]
Perform = Callable[[Vault, Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A route of the service: the right it needs and what it does."""

    method: str
    path: str
    right: str
    perform: Perform
    changes: bool = False


def octets(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def page(call: Call, found: Iterable[tuple[str, dict[str, Any]]]) -> Answer:
    """One page of (sort key, entry) pairs in order of the key, with a link to the next one.

    A full page always has a link, even when nothing follows: like the service, which may end with
    an empty page, so that code that stops at one, or never asks for one, is found out.
    """
    size = _page_size(call.query.get("maxresults"))
    after = _position(call.query.get("$skiptoken"))
    entries = [(key, entry) for key, entry in found if key > after][:size]
    link = None
    if len(entries) == size:
        token = octets(entries[-1][0].encode())
        again = {
            "api-version": call.query["api-version"],
            "$skiptoken": token,
            "maxresults": size,
        }
        link = f"{call.base}{call.path}?{urlencode(again)}"
    return 200, {"value": [entry for _, entry in entries], "nextLink": link}


def _page_size(given: str | None) -> int:
    if given is None:
        return _PAGE
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= _PAGE:
        refuse_parameter(f"maxresults must be between 1 and {_PAGE}")
    return int(given)


def _position(token: str | None) -> str:
    if token is None:
        return ""
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        refuse_parameter("The $skiptoken is invalid")

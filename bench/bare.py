"""The bare limit of a refresh: the app's own requests, sent again with nothing around them.

The bodies are those that the app has just sent, with another mailbox, etag and due time put in.
There is no sealing, no model and no SDK; of an answer only status and etag are looked at.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
from yarl import URL

from postern.model.grant import Grant
from postern.stores.grants import TABLE, stamp

_ETAG = re.compile(r"W/\"datetime'\d{12}'\"")
_STAMP = re.compile(r"due~(\d{8}T\d{6}Z)~")
_SHARD = re.compile(r"""(PartitionKey(?:=|%3D|": ?)(?:'|%27|"))\d\d""")
_JSON = {"Accept": "application/json;odata=minimalmetadata", "x-ms-version": "2019-02-02"}


class NotAnswered(Exception):
    """A canned service refused what the bare client sent: the comparison would be worthless."""


@dataclass(slots=True, kw_only=True)
class _Mailbox:
    row: URL
    lease: bytes
    transaction: str
    stamps: tuple[str, str]


class BareClient:
    """Reads, leases, asks for a token and writes, like `Refresher.refresh`, by hand."""

    def __init__(
        self, session: aiohttp.ClientSession, tables_url: str, token_url: str, bearer: str
    ) -> None:
        self._session = session
        self._tables_url = tables_url
        self._token_url = URL(token_url)
        self._headers = {**_JSON, "Authorization": f"Bearer {bearer}"}
        self._token_body = b""
        self._batch_headers: dict[str, str] = {}
        self._mailboxes: list[_Mailbox] = []

    def learn(self, bodies: Mapping[str, str], sample: Grant, grants: list[Grant]) -> None:
        """Take over the *bodies* that the app sent for *sample*, for each of *grants*."""
        self._token_body = bodies["tokens"].encode()
        transaction = bodies["transactions"]
        outer = transaction.partition("\r\n")[0].removeprefix("--")
        self._batch_headers = {
            **self._headers,
            "Content-Type": f"multipart/mixed; boundary={outer}",
        }
        # The app puts the new due row before it deletes the old one.
        new, old = dict.fromkeys(_STAMP.findall(transaction))
        transaction = _ETAG.sub("{etag}", transaction).replace(new, "{new}").replace(old, "{old}")
        for grant in grants:

            def own(body: str, grant: Grant = grant) -> str:
                return _SHARD.sub(rf"\g<1>{grant.id.shard}", body.replace(sample.hash, grant.hash))

            key = f"(PartitionKey='{grant.id.shard}',RowKey='grant~{grant.config}~{grant.hash}')"
            before = stamp(grant.due) if grant.due else ""
            self._mailboxes.append(
                _Mailbox(
                    row=URL(f"{self._tables_url}/{TABLE}{quote(key)}", encoded=True),
                    lease=own(bodies["writes"]).encode(),
                    transaction=own(transaction),
                    stamps=(before, "20990101T000000Z"),
                )
            )

    async def refresh(self, number: int) -> None:
        """Send what one refresh sends."""
        mailbox = self._mailboxes[number % len(self._mailboxes)]
        etag = await self._send("GET", mailbox.row, self._headers)
        write = {**self._headers, "If-Match": etag, "Content-Type": "application/json"}
        etag = await self._send("PUT", mailbox.row, write, mailbox.lease)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        await self._send("POST", self._token_url, form, self._token_body)
        old, new = mailbox.stamps
        body = mailbox.transaction.replace("{etag}", etag).replace("{old}", old)
        batch = URL(f"{self._tables_url}/$batch", encoded=True)
        await self._send("POST", batch, self._batch_headers, body.replace("{new}", new).encode())
        mailbox.stamps = (new, old)

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None = None
    ) -> str:
        async with self._session.request(method, url, headers=headers, data=body) as response:
            answer = await response.read()
            # A transaction is accepted and says inside whether it was done.
            if response.status >= 300 or b"HTTP/1.1 4" in answer:
                raise NotAnswered(f"{method} {url.path}: {response.status} {answer[:300]!r}")
            return response.headers.get("ETag", "")

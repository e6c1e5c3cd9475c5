"""Tables `links` and `pending`: what owners open, and sign-ins on their way."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TypeVar

from postern.crypto.bearer import looks_like_token
from postern.errors import Conflicting
from postern.model.config import is_config_id
from postern.model.link import Link, Outcome, Pending
from postern.ports import Records
from postern.stores.versioned import Versioned, to_row, versioned

LINKS = "links"
PENDING = "pending"
_OUTCOME = "outcome~"

_T = TypeVar("_T", Pending, Outcome)


class LinkStore:
    """Links by (config, hash)."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def add(self, link: Link) -> None:
        """Write a new link."""
        await self._records.insert(LINKS, to_row(link, link.config, link.hash))

    async def find(self, config: str, link_hash: str) -> Versioned[Link] | None:
        """Return a link, or None."""
        if not (is_config_id(config) and looks_like_token(link_hash)):
            return None
        row = await self._records.get(LINKS, config, link_hash)
        return versioned(Link, row) if row else None

    async def save(self, known: Versioned[Link], changed: Link) -> None:
        """Write *changed* over the version that was read. Raises `Conflicting`."""
        row = to_row(changed, changed.config, changed.hash, known.etag)
        await self._records.replace(LINKS, row)

    async def of(self, config: str) -> AsyncIterator[Versioned[Link]]:
        """Yield a config's links."""
        async for row in self._records.rows(LINKS, config):
            yield versioned(Link, row)

    async def remove(self, link: Link) -> None:
        """Delete a link; gone already is fine."""
        await self._records.delete(LINKS, to_row(link, link.config, link.hash))


class PendingStore:
    """Sign-ins under way by the hash of their state, and their last pages by ticket."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def add(self, pending: Pending) -> None:
        """Write a sign-in that starts."""
        await self._records.insert(PENDING, to_row(pending, pending.hash[:2], pending.hash))

    async def find(self, state_hash: str) -> Versioned[Pending] | None:
        """Return a sign-in, or None."""
        row = await self._records.get(PENDING, state_hash[:2], state_hash)
        return versioned(Pending, row) if row else None

    async def consume(self, known: Versioned[Pending]) -> bool:
        """Mark the sign-in consumed; True for the one caller that did.

        A conditional update and not a delete: the SDK's delete swallows the loser's 404, so two
        could believe that they won.
        """
        if known.value.consumed:
            return False
        consumed = replace(known.value, consumed=True)
        row = to_row(consumed, consumed.hash[:2], consumed.hash, known.etag)
        try:
            await self._records.replace(PENDING, row)
        except Conflicting:
            return False
        return True

    async def add_outcome(self, outcome: Outcome) -> None:
        """Write what the last page of a sign-in says."""
        row = to_row(outcome, outcome.hash[:2], _OUTCOME + outcome.hash)
        await self._records.insert(PENDING, row)

    async def outcome(self, ticket_hash: str) -> Outcome | None:
        """Return what the last page says, or None."""
        row = await self._records.get(PENDING, ticket_hash[:2], _OUTCOME + ticket_hash)
        return versioned(Outcome, row).value if row else None

    async def expired(self, now: str) -> int:
        """Delete what expired before *now* (ISO 8601); return how many rows."""
        count, mark = 0, None
        while True:
            page = await self._records.page(PENDING, first="", before="\x7f", limit=1000, mark=mark)
            for row in page.rows:
                if str(row.values["expires"]) < now:
                    await self._records.delete(PENDING, replace(row, etag=None))
                    count += 1
            if page.mark is None:
                return count
            mark = page.mark

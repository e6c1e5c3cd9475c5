"""Tables `mailboxes` and `addresses`: facts for people, and which record has an address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from postern.crypto.bearer import digest
from postern.errors import AlreadyThere
from postern.model.mailbox import Mailbox, MailboxId
from postern.ports import Records, Row
from postern.stores.codec import decode
from postern.stores.versioned import Versioned, to_row, versioned

MAILBOXES = "mailboxes"
ADDRESSES = "addresses"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxPage:
    """One page of a config's mailboxes and the mark of the next."""

    mailboxes: Sequence[Mailbox]
    mark: str | None


class MailboxStore:
    """Mailboxes of a config, spread over 64 partitions by hash."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def put(self, mailbox: Mailbox) -> None:
        """Write a mailbox's facts: a projection of its grant, so the last writer is right."""
        await self._records.put(MAILBOXES, _row(mailbox))

    async def update(self, known: Versioned[Mailbox], changed: Mailbox) -> None:
        """Write *changed* over what was read. Raises `Conflicting`, also when it is gone."""
        row = to_row(changed, _partition(changed.id), changed.hash, known.etag)
        await self._records.replace(MAILBOXES, row)

    async def find(self, mailbox: MailboxId) -> Versioned[Mailbox] | None:
        """Return a mailbox's facts, or None."""
        row = await self._records.get(MAILBOXES, _partition(mailbox), mailbox.hash)
        return versioned(Mailbox, row) if row else None

    async def page(self, config: str, *, limit: int, mark: str | None) -> MailboxPage:
        """Return up to *limit* mailboxes of a config."""
        page = await self._records.page(
            MAILBOXES, first=f"{config}~", before=f"{config}~~", limit=limit, mark=mark
        )
        return MailboxPage(
            mailboxes=[decode(Mailbox, row.values) for row in page.rows], mark=page.mark
        )

    async def remove(self, mailbox: Mailbox) -> None:
        """Delete a mailbox's facts and its address; gone already is fine."""
        await self.release_address(mailbox)
        await self._records.delete(MAILBOXES, _row(mailbox))

    async def release_address(self, mailbox: Mailbox) -> None:
        """Let the address go if it is this mailbox's."""
        key = _address_key(mailbox)
        held = await self._records.get(ADDRESSES, key[:2], key)
        if held and held.values.get("mailbox") == str(mailbox.id):
            await self._records.delete(ADDRESSES, replace(held, etag=None))

    async def claim_address(self, mailbox: Mailbox) -> bool:
        """Tie the address to this mailbox; False when another user's record has it.

        Never displaced: a reused address in another tenant would take over a sender's mail.
        """
        key = _address_key(mailbox)
        row = Row(partition=key[:2], key=key, values={"mailbox": str(mailbox.id)})
        try:
            await self._records.insert(ADDRESSES, row)
        except AlreadyThere:
            held = await self._records.get(ADDRESSES, key[:2], key)
            return held is not None and held.values.get("mailbox") == str(mailbox.id)
        return True


def _row(mailbox: Mailbox) -> Row:
    return to_row(mailbox, _partition(mailbox.id), mailbox.hash)


def _partition(mailbox: MailboxId) -> str:
    return f"{mailbox.config}~{mailbox.hash[0]}"


def _address_key(mailbox: Mailbox) -> str:
    return digest(mailbox.address.lower(), mailbox.config, mailbox.client)

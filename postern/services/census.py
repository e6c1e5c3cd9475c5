"""How many mailboxes a configuration has, counted without reading a million rows."""

from postern.stores.mailboxes import MailboxStore

# More are told as "1000+": an admin who decides needs the order, not the number.
_ENOUGH = 1000


class Census:
    """Counts mailboxes up to a bound."""

    def __init__(self, mailboxes: MailboxStore) -> None:
        self._mailboxes = mailboxes

    async def count(self, config: str) -> str | None:
        """Return the number of mailboxes as text, "1000+" for more, None for none."""
        counted, mark = 0, None
        while counted <= _ENOUGH:
            page = await self._mailboxes.page(config, limit=_ENOUGH, mark=mark)
            counted += len(page.mailboxes)
            mark = page.mark
            if mark is None:
                break
        if counted > _ENOUGH or mark is not None:
            return f"{_ENOUGH}+"
        return str(counted) if counted else None

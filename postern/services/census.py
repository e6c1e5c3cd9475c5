"""How many mailboxes a configuration has, and how they stand."""

from collections import Counter

from postern.model.mailbox import MailboxState
from postern.stores.mailboxes import MailboxStore

# More are told as "1000+": an admin who decides needs the order, not the number.
_ENOUGH = 1000
# The daily count by state stops here; a configuration this large is told as partial.
_MOST_PAGES = 200


class Census:
    """Counts mailboxes up to a bound."""

    def __init__(self, mailboxes: MailboxStore) -> None:
        self._mailboxes = mailboxes

    async def count(self, config: str) -> str | None:
        """Return the number of mailboxes as text, "1000+" for more, None for none."""
        mailboxes, _ = await self.depending(config)
        return None if mailboxes == "0" else mailboxes

    async def depending(self, config: str) -> tuple[str, str]:
        """Return how many mailboxes and how many clients depend on a configuration, as text."""
        clients: set[str] = set()
        counted, mark = 0, None
        while counted <= _ENOUGH:
            page = await self._mailboxes.page(config, limit=_ENOUGH, mark=mark)
            counted += len(page.mailboxes)
            clients |= {mailbox.client for mailbox in page.mailboxes}
            mark = page.mark
            if mark is None:
                break
        if counted > _ENOUGH or mark is not None:
            return f"{_ENOUGH}+", f"{len(clients)}+"
        return str(counted), str(len(clients))

    async def states(self, config: str) -> tuple[Counter[str], bool]:
        """Return the number of mailboxes in each state, and whether all were counted."""
        counts, mark = Counter({state.value: 0 for state in MailboxState}), None
        for _ in range(_MOST_PAGES):
            page = await self._mailboxes.page(config, limit=_ENOUGH, mark=mark)
            counts.update(mailbox.state.value for mailbox in page.mailboxes)
            mark = page.mark
            if mark is None:
                return counts, True
        return counts, False

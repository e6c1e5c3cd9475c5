"""Erasing one mailbox wholly: its grant with the schedule, its row, its address."""

from postern.errors import Conflict, Conflicting
from postern.model.mailbox import Mailbox
from postern.stores.grants import GrantStore
from postern.stores.mailboxes import MailboxStore

_TRIES = 5


async def erase_mailbox(grants: GrantStore, mailboxes: MailboxStore, mailbox: Mailbox) -> None:
    """Erase the grant first, then what names it: a crash leaves a row without tokens, and calling
    again finishes it. Consent at Microsoft is the owner's to withdraw: there is no call for us.

    Raises:
        Conflict: refreshes kept writing; call again.
    """
    for _ in range(_TRIES):
        known = await grants.find(mailbox.id)
        if known is None:
            break
        try:
            await grants.remove(known)
        except Conflicting:
            continue  # a refresh wrote meanwhile
        break
    else:
        raise Conflict("busy", "The mailbox is being refreshed; try again.")
    if await grants.find(mailbox.id) is None:  # its owner did not just connect it anew
        await mailboxes.remove(mailbox)

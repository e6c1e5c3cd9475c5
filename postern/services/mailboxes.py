"""Mailboxes for people: list, show, disconnect."""

from postern.errors import Malformed
from postern.model.caller import Action, Caller, Thing, require
from postern.model.grant import Grant
from postern.model.mailbox import Mailbox, MailboxId, unknown_mailbox
from postern.ports import Clock
from postern.services.erasing import erase_mailbox
from postern.stores.audit import AuditStore, Event
from postern.stores.grants import GrantStore
from postern.stores.mailboxes import MailboxPage, MailboxStore


class Mailboxes:
    """Reads the rows for people, and erases a mailbox wholly."""

    def __init__(
        self, *, mailboxes: MailboxStore, grants: GrantStore, audit: AuditStore, clock: Clock
    ) -> None:
        self._mailboxes = mailboxes
        self._grants = grants
        self._audit = audit
        self._clock = clock

    async def page(
        self, caller: Caller, config: str, *, limit: int, mark: str | None
    ) -> MailboxPage:
        """Return a page of a config's mailboxes; of the caller's client only, if it has one."""
        require(caller, Action.MAILBOXES_SEE, Thing(config=config, client=caller.client))
        page = await self._mailboxes.page(config, limit=limit, mark=mark)
        mine = [m for m in page.mailboxes if caller.client in (None, m.client)]
        return MailboxPage(mailboxes=mine, mark=page.mark)

    async def show(self, caller: Caller, mailbox: str) -> tuple[Mailbox, Grant | None]:
        """Return a mailbox and its grant, which decides where the two differ."""
        found = await self._find(caller, Action.MAILBOXES_SEE, mailbox)
        grant = await self._grants.find(found.id)
        return found, grant.value if grant else None

    async def disconnect(self, caller: Caller, mailbox: str) -> None:
        """Erase a mailbox for good."""
        found = await self._find(caller, Action.MAILBOXES_END, mailbox)
        await erase_mailbox(self._grants, self._mailboxes, found)
        await self._audit.append(
            Event(
                at=self._clock.now(),
                config=found.config,
                caller=caller.id,
                did="disconnected",
                what=str(found.id),
            )
        )

    async def _find(self, caller: Caller, action: Action, mailbox: str) -> Mailbox:
        mailbox_id = MailboxId.parse(mailbox)
        if mailbox_id is None:
            raise Malformed("mailbox-malformed", "This is no mailbox id.")
        known = await self._mailboxes.find(mailbox_id)
        found = known.value if known else await self._by_grant(mailbox_id)
        client = found.client if found else caller.client
        thing = Thing(config=mailbox_id.config, client=client)
        require(caller, action, thing, unknown=unknown_mailbox)
        if found is None:
            raise unknown_mailbox()
        return found

    async def _by_grant(self, mailbox: MailboxId) -> Mailbox | None:
        """Return what the grant tells of a mailbox whose row a crash kept from being written: it
        must not be out of reach, since its tokens are handed out."""
        known = await self._grants.find(mailbox)
        if known is None:
            return None
        grant = known.value
        return Mailbox(
            config=grant.config,
            hash=grant.hash,
            client=grant.client,
            address=grant.username,
            tenant="",
            user="",
            protocols=grant.protocols,
            missing=(),
            state=grant.state,
            since=grant.refreshed,
            connected=grant.refreshed,
            cause=grant.cause,
        )

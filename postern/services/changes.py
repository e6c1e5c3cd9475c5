"""What an admin changes on a configuration, and its end."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from postern.errors import Conflict, Conflicting, NotFound
from postern.model.config import Config
from postern.model.wanted import Edit
from postern.ports import Clock
from postern.services.census import Census
from postern.services.erasing import erase_mailbox
from postern.services.forms import check_edit
from postern.stores.audit import AuditStore, Event
from postern.stores.callers import CallerStore
from postern.stores.configs import ConfigStore
from postern.stores.grants import GrantStore
from postern.stores.links import LinkStore
from postern.stores.mailboxes import MailboxStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

_TRIES = 5
_PAGE = 100
# One call erases for so long; the sweeper goes on where it stopped.
_PATIENCE = timedelta(seconds=40)


class Changes:
    """Edits, pauses, resumes and deletes. None of it touches a row with tokens, but to erase it."""

    def __init__(
        self,
        *,
        configs: ConfigStore,
        successors: ConfigStore,
        mailboxes: MailboxStore,
        grants: GrantStore,
        links: LinkStore,
        callers: CallerStore,
        audit: AuditStore,
        census: Census,
        clock: Clock,
    ) -> None:
        self._configs = configs
        self._successors = successors
        self._mailboxes = mailboxes
        self._grants = grants
        self._links = links
        self._callers = callers
        self._audit = audit
        self._census = census
        self._clock = clock

    async def edit(self, by: str, config_id: str, edit: Edit) -> Config:
        """Change what *edit* names; the rest stays."""
        check_edit(edit)
        saved = await self._save(config_id, lambda config: edit.applied(config, self._clock.now()))
        await self._note(by, config_id, "changed " + ", ".join(sorted(edit.named())))
        return saved

    async def delete(self, by: str, config_id: str, *, confirmed: bool) -> bool:
        """Erase a configuration with its mailboxes, links and keys; True when nothing is left.

        Receipts stay: they prove what was done with a secret, also after the end.

        Raises:
            Conflict: it has mailboxes and that was not *confirmed*, or an activation is under way.
        """
        known = await self._find(config_id)
        if not known.value.deleting:
            if not confirmed and (mailboxes := await self._census.count(config_id)):
                raise Conflict(
                    "config-has-mailboxes",
                    f"{mailboxes} mailboxes would stop working. Add ?confirm=true to go on.",
                    {"mailboxes": mailboxes},
                )
            if known.value.intake or await self._successors.get(config_id):
                raise Conflict("activation-under-way", "An activation is under way; look again.")
            await self._save(config_id, lambda config: replace(config, deleting=True))
            await self._note(by, config_id, "began to delete")
        return await self.erase(config_id)

    async def erase(self, config_id: str) -> bool:
        """Erase what is left of a configuration that is being deleted; safe to repeat."""
        until = self._clock.now() + _PATIENCE
        while self._clock.now() < until:
            page = await self._mailboxes.page(config_id, limit=_PAGE, mark=None)
            for mailbox in page.mailboxes:
                await erase_mailbox(self._grants, self._mailboxes, mailbox)
            if page.mark is None:
                await self._erase_rest(config_id)
                return True
        return False

    async def _erase_rest(self, config_id: str) -> None:
        """The data keys go last: without them no token that was missed can ever be opened."""
        for link in [each.value async for each in self._links.of(config_id)]:
            await self._links.remove(link)
        for caller in [each async for each in self._callers.all()]:
            if caller.value.config == config_id and not caller.value.revoked:
                await self._callers.save(caller, replace(caller.value, revoked=True))
        if known := await self._configs.find(config_id):
            await self._configs.close_breaker(config_id)
            await self._configs.remove(known)
        await self._note("clock", config_id, "deleted")
        log.warning("config=%s deleted", config_id)

    async def _save(self, config_id: str, change: Callable[[Config], Config]) -> Config:
        for _ in range(_TRIES):
            known = await self._find(config_id)
            try:
                return (await self._configs.save(known, change(known.value))).value
            except Conflicting:
                continue
        raise Conflict("changed-meanwhile", "Another call changed this; look again.")

    async def _find(self, config_id: str) -> Versioned[Config]:
        known = await self._configs.find(config_id)
        if known is None:
            raise NotFound("config-unknown", "There is no such configuration.")
        return known

    async def _note(self, by: str, config_id: str, did: str) -> None:
        now = self._clock.now()
        event = Event(at=now, config=config_id, caller=by, did=did, what=config_id)
        await self._audit.append(event)

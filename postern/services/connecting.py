"""Storing a mailbox whose owner signed in: new, or the same one again."""

import random
from collections.abc import Mapping
from datetime import datetime

from postern.crypto.sealing import KeyRing
from postern.errors import AlreadyThere, Conflicting, PageError, Unavailable
from postern.model.config import Config
from postern.model.grant import Grant, Rhythm
from postern.model.link import Link
from postern.model.mailbox import Mailbox, MailboxId, MailboxState
from postern.model.scopes import Protocol, Resource
from postern.ports import Clock, Tokens, UnverifiedClaims
from postern.services.keyrings import KeyRings
from postern.services.sealed import seal_access, seal_refresh_token
from postern.stores.audit import AuditStore, Event
from postern.stores.grants import GrantStore
from postern.stores.mailboxes import MailboxStore

_TRIES = 5


class Connecting:
    """Writes the address, the grant and the mailbox, in this order: the grant decides."""

    def __init__(
        self,
        *,
        grants: GrantStore,
        mailboxes: MailboxStore,
        audit: AuditStore,
        rings: KeyRings,
        clock: Clock,
        rhythm: Rhythm,
    ) -> None:
        self._grants = grants
        self._mailboxes = mailboxes
        self._audit = audit
        self._rings = rings
        self._clock = clock
        self._rhythm = rhythm

    async def protocols_of(
        self, config: Config, link: Link, claims: UnverifiedClaims
    ) -> tuple[Protocol, ...]:
        """Return what the same owner connected before under this client."""
        mailbox = MailboxId.of(config.id, link.client, claims.tenant, claims.user)
        known = await self._grants.find(mailbox)
        return known.value.protocols if known else ()

    async def store(
        self,
        config: Config,
        link: Link,
        *,
        claims: UnverifiedClaims,
        tokens: Mapping[Resource, Tokens],
        protocols: tuple[Protocol, ...],
    ) -> Mailbox:
        """Store the mailbox of checked *claims*. The same owner finds the same record again.

        Raises:
            PageError: the address belongs to another account under this client.
        """
        now = self._clock.now()
        mailbox_id = MailboxId.of(config.id, link.client, claims.tenant, claims.user)
        mailbox = Mailbox(
            config=config.id,
            hash=mailbox_id.hash,
            client=link.client,
            address=claims.username,
            tenant=claims.tenant,
            user=claims.user,
            protocols=protocols,
            missing=tuple(p for p in link.protocols if p not in protocols),
            state=MailboxState.FRESH,
            since=now,
            connected=now,
        )
        before = await self._mailboxes.find(mailbox_id)
        if not await self._mailboxes.claim_address(mailbox):
            raise PageError("address-taken")
        grant = self._grant(await self._rings.of(config), mailbox, tokens, now)
        await self._write(grant)
        await self._mailboxes.put(mailbox)
        if before and before.value.address.lower() != mailbox.address.lower():
            await self._mailboxes.release_address(before.value)  # the account was renamed
        await self._note(mailbox, now)
        return mailbox

    async def _write(self, grant: Grant) -> None:
        for _ in range(_TRIES):
            known = await self._grants.find(grant.id)
            try:
                if known is None:
                    await self._grants.add(grant)
                else:
                    await self._grants.move(known, grant)
            except (AlreadyThere, Conflicting):
                continue  # a refresh of the old grant wrote meanwhile; the new consent wins
            return
        raise Unavailable("busy", "The mailbox is being written by others; try again.")

    def _grant(
        self, ring: KeyRing, mailbox: Mailbox, tokens: Mapping[Resource, Tokens], now: datetime
    ) -> Grant:
        newest = [each.refresh_token for each in tokens.values() if each.refresh_token][-1]
        accesses = {
            resource: seal_access(ring, mailbox.id, resource, each)
            for resource, each in tokens.items()
        }
        due = self._rhythm.next_due((), now, random.random())  # noqa: S311 - jitter, no secret
        return Grant(
            config=mailbox.config,
            hash=mailbox.hash,
            client=mailbox.client,
            username=mailbox.address,
            tenant=mailbox.tenant,
            protocols=mailbox.protocols,
            refresh_token=seal_refresh_token(ring, mailbox.id, newest),
            outlook=accesses.get(Resource.OUTLOOK),
            graph=accesses.get(Resource.GRAPH),
            refreshed=now,
            due=due,
        )

    async def _note(self, mailbox: Mailbox, now: datetime) -> None:
        await self._audit.append(
            Event(
                at=now,
                config=mailbox.config,
                caller="owner",
                did="connected",
                what=str(mailbox.id),
            )
        )

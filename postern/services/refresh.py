"""Refreshing one mailbox: single flight, nothing lost, every failure classified."""

import asyncio
import logging
import random
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from postern.crypto.sealing import KeyRing, SealBroken
from postern.errors import Conflicting, ConsentLost, ProviderRefused, Unavailable
from postern.model.config import Config
from postern.model.explanations import explain
from postern.model.failure import Failure, FailureClass, classify
from postern.model.grant import Grant, Rhythm
from postern.model.mailbox import MailboxId, MailboxState, unknown_mailbox
from postern.model.scopes import scopes
from postern.ports import Clock, IdentityProvider
from postern.services.assertions import Assertions
from postern.services.breakers import Breakers
from postern.services.keyrings import KeyRings
from postern.services.needs import Need, lost, require_a_try
from postern.services.sealed import open_refresh_token, with_tokens
from postern.services.setbacks import setback
from postern.stores.grants import GrantStore
from postern.stores.mailboxes import MailboxStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

# A lease outlives what is done under it, so that it ends only with its owner.
_EXCHANGE = timedelta(seconds=25)
_LEASE = timedelta(seconds=30)
_WAIT_FOR_OTHERS = timedelta(seconds=35)
_LOOK_AGAIN = 0.15
_ENTRA_OUTAGE = "entra-unavailable"
_OUTAGE = Failure(kind=FailureClass.TRANSIENT, cause=_ENTRA_OUTAGE)


class Refresher:
    """Refreshes grants. Within a process one call, across processes one lease."""

    def __init__(
        self,
        *,
        grants: GrantStore,
        mailboxes: MailboxStore,
        provider: IdentityProvider,
        assertions: Assertions,
        rings: KeyRings,
        breakers: Breakers,
        clock: Clock,
        rhythm: Rhythm,
    ) -> None:
        self._grants = grants
        self._mailboxes = mailboxes
        self._provider = provider
        self._assertions = assertions
        self._rings = rings
        self._breakers = breakers
        self._clock = clock
        self._rhythm = rhythm
        self._flights: dict[tuple[MailboxId, Need], asyncio.Task[Grant]] = {}

    async def refresh(self, config: Config, mailbox: MailboxId, need: Need) -> Grant:
        """Return the grant once it meets *need*; callers at the same time share one flight.

        Raises:
            ConsentLost: a person must act first.
            NotFound: the mailbox was disconnected.
            Unavailable: Entra or the app's credential fails; what is stored is unchanged.
        """
        key = (mailbox, need)
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(self._fly(config, mailbox, need))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        # Shielded: a caller that goes away must not cut off a refresh whose answer is on its way.
        return await asyncio.shield(flight)

    async def _fly(self, config: Config, mailbox: MailboxId, need: Need) -> Grant:
        deadline = self._clock.now() + _WAIT_FOR_OTHERS
        while True:
            now = self._clock.now()
            known = await self._grants.find(mailbox)
            if known is None:
                raise unknown_mailbox()
            if need.met_by(known.value, now):
                return known.value
            if need.asked:
                require_a_try(known.value, now)
            if known.value.leased(now):
                if now > deadline:
                    raise Unavailable("busy", "Another process refreshes this mailbox; try again.")
                await self._clock.sleep(_LOOK_AGAIN)
                continue
            try:
                leased = await self._lease(known, now)
                return await self._with_lease(config, leased, need)
            except Conflicting:
                continue  # somebody else was faster: read again, theirs may do

    async def _lease(self, known: Versioned[Grant], now: datetime) -> Versioned[Grant]:
        taken = replace(known.value, lease=uuid.uuid4().hex, lease_until=now + _LEASE)
        return await self._grants.lease(known, taken)

    async def _with_lease(self, config: Config, leased: Versioned[Grant], need: Need) -> Grant:
        try:
            async with asyncio.timeout(_EXCHANGE.total_seconds()):
                ring = await self._rings.of(config)
                if not await self._breakers.may_try(config.id):
                    text = "The app's credential fails; an admin was told."
                    raise Unavailable("app-fault", text)
                changed = await self._exchange(config, ring, leased.value, need)
        except TimeoutError as exc:
            await self._set_back(leased, _OUTAGE)
            raise Unavailable(_ENTRA_OUTAGE, explain(_ENTRA_OUTAGE)) from exc
        except ProviderRefused as refusal:
            raise await self._refused(config, leased, refusal) from refusal
        except Unavailable as exc:
            if exc.code == _ENTRA_OUTAGE:
                await self._set_back(leased, _OUTAGE)
            else:  # our own vault, identity or credential fails: no mailbox's fault
                await self._release(leased)
            raise
        except SealBroken:
            await self._release(leased)
            raise
        await self._grants.move(leased, changed)
        await self._breakers.worked(config.id)
        await self._tell(leased.value, changed)
        return changed

    async def _exchange(self, config: Config, ring: KeyRing, grant: Grant, need: Need) -> Grant:
        now = self._clock.now()
        for resource in need.resources:
            tokens = await self._provider.refresh(
                config.app,
                await self._assertions.current(config),
                refresh_token=open_refresh_token(ring, grant),
                scopes=scopes(grant.protocols, resource),
            )
            grant = with_tokens(grant, ring, resource, tokens, asked=now if need.asked else None)
        jitter = random.random()  # noqa: S311 - spreads load, guards nothing
        return replace(
            grant,
            refreshed=now,
            due=self._rhythm.next_due((grant.outlook, grant.graph), now, jitter),
            state=MailboxState.FRESH,
            cause=None,
            failing_since=None,
            attempts=0,
            retry_at=None,
            lease=None,
            lease_until=None,
        )

    async def _refused(
        self, config: Config, leased: Versioned[Grant], refusal: ProviderRefused
    ) -> ConsentLost | Unavailable:
        """Write what *refusal* does to the grant; return what the caller is told."""
        failure = classify(refusal)
        log.info(
            "refresh refused mailbox=%s class=%s cause=%s number=%s correlation=%s tenant=%s",
            leased.value.id,
            failure.kind,
            failure.cause,
            failure.number,
            refusal.correlation_id,
            leased.value.tenant,
        )
        if failure.kind is FailureClass.APP:
            await self._breakers.failed(config.id, failure.cause, refusal.correlation_id)
            await self._release(leased)
            return Unavailable("app-fault", explain(failure.cause))
        if failure.kind in {FailureClass.GRANT, FailureClass.ACCOUNT}:
            await self._breakers.worked(config.id)  # Entra took the app's credential
        changed = await self._set_back(leased, failure, refusal.retry_after)
        if failure.kind in {FailureClass.GRANT, FailureClass.ACCOUNT}:
            return lost(changed)
        return Unavailable(failure.cause, explain(failure.cause), retry_after=refusal.retry_after)

    async def _set_back(
        self, leased: Versioned[Grant], failure: Failure, retry_after: float | None = None
    ) -> Grant:
        jitter = random.random()  # noqa: S311 - spreads load, guards nothing
        changed = setback(
            leased.value, failure, self._clock.now(), retry_after=retry_after, jitter=jitter
        )
        await self._grants.move(leased, changed)
        await self._tell(leased.value, changed)
        return changed

    async def _release(self, leased: Versioned[Grant]) -> None:
        await self._grants.lease(leased, replace(leased.value, lease=None, lease_until=None))

    async def _tell(self, before: Grant, after: Grant) -> None:
        """Let the row for people follow the grant, only when its state changed."""
        if (before.state, before.cause) == (after.state, after.cause):
            return
        known = await self._mailboxes.find(after.id)
        if known is None:
            return
        changed = replace(
            known.value, state=after.state, cause=after.cause, since=self._clock.now()
        )
        with suppress(Conflicting):  # disconnected or connected anew meanwhile: that one is newer
            await self._mailboxes.update(known, changed)

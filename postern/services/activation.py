"""Activation of a configuration, as a sequence that may die anywhere and loses nothing."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from postern.errors import (
    AlreadyThere,
    Conflict,
    Conflicting,
    NotFound,
    PosternError,
    ProviderRefused,
    Unavailable,
    Unprocessable,
)
from postern.model.config import Config, ConfigState, Problem
from postern.model.explanations import explain
from postern.model.failure import FailureClass, classify
from postern.model.receipt import Custody
from postern.model.secret import Secret
from postern.model.wanted import Wanted
from postern.ports import Clock, IdentityProvider, Proof
from postern.services.breakers import Breakers
from postern.services.custody import CustodyKeeper
from postern.services.drafting import Drafting
from postern.services.forms import check_secret, check_wanted
from postern.services.handover import ENDED_EARLY, HandOver
from postern.stores.audit import AuditStore, Event
from postern.stores.configs import ConfigStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

# From the call's start: the answer comes within a minute (the platform cuts it at 230 seconds).
PATIENCE = timedelta(seconds=45)
_POLL = timedelta(seconds=2)
_REPLICATION = timedelta(seconds=10)
# All that is done while the secret is held; with its removal it stays within the minute.
_STEPS = timedelta(seconds=30)


class Activation:
    """Activates configurations and finishes their hand-over."""

    def __init__(
        self,
        *,
        configs: ConfigStore,
        audit: AuditStore,
        custody: CustodyKeeper,
        hand_over: HandOver,
        provider: IdentityProvider,
        drafting: Drafting,
        breakers: Breakers,
        clock: Clock,
    ) -> None:
        self._configs = configs
        self._audit = audit
        self._custody = custody
        self._hand_over = hand_over
        self._provider = provider
        self._drafting = drafting
        self._breakers = breakers
        self._clock = clock

    async def activate(
        self, by: str, wanted: Wanted, secret: Secret | None, *, succeeds: Config | None = None
    ) -> Config:
        """Activate a configuration; without a secret its credential must be trusted already.

        The config returned is `active`, `handing-over`, `awaiting-trust`, or `failed` with its
        problem. With a secret, it was removed from the intake vault before this returns, or its
        deadline stands and the sweeper removes it.
        """
        until = self._clock.now() + PATIENCE
        check_wanted(wanted)
        if secret is not None:
            check_secret(secret)
        draft = await self._drafting.draft(
            wanted, with_secret=secret is not None, succeeds=succeeds
        )
        known = await self._add(draft)
        if secret is None:
            config = await self._settle(known, custody=None)
        else:
            config = await self._with_secret(known, secret, until)
        await self._note(by, config, "activated")
        return config

    async def verify(self, by: str, config_id: str) -> Config:
        """Try the credential again, for a hand-over that an admin or Entra had to finish.

        *by* names the caller for the audit.
        """
        known = await self.find(config_id)
        config = known.value
        if config.state is ConfigState.ACTIVE:
            return await self._still_active(config)
        if config.state is ConfigState.VALIDATING and not self._overdue(config):
            raise Conflict("activation-under-way", "The activation is still running.")
        custody = await self._configs.custody(config.id, config.activation)
        changed = await self._settle(known, custody=custody)
        if changed.state is not config.state:
            await self._note(by, changed, "verified")
        return changed

    async def _still_active(self, config: Config) -> Config:
        """Prove an active config's credential again; an open breaker closes when it works."""
        try:
            proof = await self._hand_over.proven(config)
        except ProviderRefused as refusal:
            problem = _problem(refusal)
            raise Unprocessable(
                problem.code,
                problem.description,
                {"correlation_id": problem.correlation_id, "aadsts": problem.aadsts},
            ) from refusal
        if proof is None:
            raise Unprocessable("trust-lost", explain("trust-not-replicated"))
        custody = await self._configs.custody(config.id, config.activation)
        if custody is not None:
            await self._take_password_away(config, custody, proof)
        await self._breakers.reset(config.id)
        return config

    async def find(self, config_id: str) -> Versioned[Config]:
        """Return a configuration. Raises `NotFound`."""
        known = await self._configs.find(config_id)
        if known is None:
            raise NotFound("config-unknown", "There is no such configuration.")
        return known

    async def _add(self, draft: Config) -> Versioned[Config]:
        try:
            return await self._configs.add(draft)
        except AlreadyThere as exc:
            raise Conflict("activation-under-way", "Another activation is under way.") from exc

    async def _with_secret(
        self, known: Versioned[Config], secret: Secret, until: datetime
    ) -> Config:
        config = known.value
        custody = await self._custody.open(config)
        offered, problem, unavailable = False, None, None
        try:
            async with asyncio.timeout(_STEPS.total_seconds()):
                await self._custody.take(custody, secret)
                proof = await self._validated(config, secret)
                custody = await self._hand_over.find_password(
                    config, custody, secret, proof.graph_token
                )
                await self._custody.keep(custody)  # whoever finishes this knows which password
                if await self._proof(config) is None:
                    offered = await self._hand_over.offer(config, proof.graph_token)
        except TimeoutError:
            unavailable = Unavailable("too-slow", explain("too-slow"))
            problem = Problem(code=unavailable.code, description=unavailable.description)
        except ProviderRefused as refusal:
            problem = _problem(refusal)
        except Unavailable as exc:
            problem, unavailable = Problem(code=exc.code, description=exc.description), exc
        finally:
            custody, config = await self._remove(custody, config)
        if problem:
            failed = await self._finish(known, config, ConfigState.FAILED, problem)
            if unavailable:
                raise unavailable
            return failed
        return await self._settle(
            Versioned(config, known.etag), custody=custody, until=until if offered else None
        )

    async def _validated(self, config: Config, secret: Secret) -> Proof:
        """Exchange the secret. A new one takes seconds to be known to all of Entra's servers, and
        until then it is refused as if it were wrong: so that refusal is not believed at once. Nor
        is a moment's overload, since the secret will be gone when there is time to try again."""
        until = self._clock.now() + _REPLICATION
        while True:
            try:
                return await self._provider.prove_secret(config.app, secret)
            except ProviderRefused as refusal:
                failure = classify(refusal)
                passing = failure.kind is FailureClass.TRANSIENT
                if not passing and failure.cause != "credential-wrong":
                    raise
                if self._clock.now() >= until:
                    raise
            await self._clock.sleep(_POLL.total_seconds())

    async def _remove(self, custody: Custody, config: Config) -> tuple[Custody, Config]:
        """Remove the secret, also after any failure. What fails here, the sweeper repeats."""
        try:
            custody = await self._custody.remove(custody, closed_by="activation", note=ENDED_EARLY)
        except PosternError as exc:
            log.warning("removal left to the sweeper config=%s why=%s", config.id, exc)
            return custody, config
        if custody.gone_at or custody.recoverable_until:
            config = replace(config, intake=None, intake_deadline=None)
        return custody, config

    async def _settle(
        self, known: Versioned[Config], *, custody: Custody | None, until: datetime | None = None
    ) -> Config:
        """Try the new credential; one that was just offered is waited for *until* then."""
        config = known.value
        try:
            proof = await self._proof(config)
            while proof is None and until is not None and self._clock.now() < until:
                await self._clock.sleep(_POLL.total_seconds())
                proof = await self._proof(config)
        except ProviderRefused as refusal:
            return await self._finish(known, config, ConfigState.FAILED, _problem(refusal))
        if proof is not None:
            return await self._activated(known, custody, proof)
        waiting = config.state is ConfigState.HANDING_OVER or until is not None
        state = ConfigState.HANDING_OVER if waiting else ConfigState.AWAITING_TRUST
        if state is config.state:
            return config
        return await self._finish(known, config, state, None)

    async def _proof(self, config: Config) -> Proof | None:
        """Return the proof, or None while there is none: also when Entra is away or too busy."""
        try:
            return await self._hand_over.proven(config)
        except Unavailable as exc:
            log.info("not proven yet config=%s why=%s", config.id, exc.code)
        except ProviderRefused as refusal:
            if classify(refusal).kind not in {FailureClass.TRANSIENT, FailureClass.UNKNOWN}:
                raise
            log.info("not proven yet config=%s why=%s", config.id, refusal)
        return None

    async def _activated(
        self, known: Versioned[Config], custody: Custody | None, proof: Proof
    ) -> Config:
        config = known.value
        if custody is not None:
            custody = await self._custody.proven(custody, config, proof)
            await self._take_password_away(config, custody, proof)
        await self._breakers.reset(config.id)
        config = replace(config, proof=proof.correlation_id)
        return await self._finish(known, config, ConfigState.ACTIVE, None)

    async def _take_password_away(self, config: Config, custody: Custody, proof: Proof) -> None:
        """Remove the pasted password from the registration, or note why it is still there."""
        changed = await self._hand_over.remove_password(config, custody, proof)
        if changed != custody:
            await self._custody.sign(changed)

    async def _finish(
        self,
        known: Versioned[Config],
        config: Config,
        state: ConfigState,
        problem: Problem | None,
    ) -> Config:
        changed = replace(config, state=state, problem=problem, changed=self._clock.now())
        try:
            saved = await self._configs.save(known, changed)
        except Conflicting as exc:
            raise Conflict("changed-meanwhile", "Another call changed this; look again.") from exc
        log.info("config=%s state=%s problem=%s", config.id, state, problem and problem.code)
        return saved.value

    def _overdue(self, config: Config) -> bool:
        return config.intake_deadline is None or self._clock.now() > config.intake_deadline

    async def _note(self, by: str, config: Config, did: str) -> None:
        problem = config.problem
        await self._audit.append(
            Event(
                at=self._clock.now(),
                config=config.id,
                caller=by,
                did=did,
                what=config.id,
                result=problem.code if problem else config.state.value,
                correlation_id=problem.correlation_id if problem else config.proof,
            )
        )


def _problem(refusal: ProviderRefused) -> Problem:
    cause = classify(refusal).cause
    text = explain(cause)
    if cause == "unknown":
        text = f"{text} Entra's words: {refusal}."  # an OAuth error and a number, no free text
    return Problem(
        code=cause,
        description=text,
        correlation_id=refusal.correlation_id,
        aadsts=refusal.number,
    )

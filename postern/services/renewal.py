"""Certificates are renewed long before their end, and the present one is used until the next works.

Nothing here can leave a working configuration worse off: the next certificate is stored before it
is offered to anybody, the present one is neither removed from the registration nor let go before
an exchange with the next one succeeded twice, and every step may be repeated.
"""

import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta

from postern.errors import PosternError, ProviderRefused, Unavailable
from postern.model.config import (
    Certificate,
    Config,
    ConfigState,
    CredentialKind,
    NextCertificate,
)
from postern.ports import Clock, Proof
from postern.services.assertions import Assertions
from postern.services.breakers import Breakers
from postern.services.census import Census
from postern.services.handover import HandOver
from postern.stores.audit import AuditStore, Event
from postern.stores.configs import ConfigStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

RENEW_BEFORE_END = timedelta(days=60)
WARN_BEFORE_END = timedelta(days=30)
# One server of Entra knowing the certificate does not mean that all do.
SETTLE = timedelta(minutes=15)
# An admin may take weeks, and every try in vain is a failed sign-in in the tenant's log.
PATIENCE = timedelta(hours=1)
_OFFER_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When a configuration's credential ends, and what would stop with it."""

    days: int
    mailboxes: str
    clients: str


class Renewal:
    """Makes the next certificate, has it trusted, proves it, and lets it take over."""

    def __init__(
        self,
        *,
        configs: ConfigStore,
        audit: AuditStore,
        assertions: Assertions,
        hand_over: HandOver,
        breakers: Breakers,
        census: Census,
        clock: Clock,
    ) -> None:
        self._configs = configs
        self._audit = audit
        self._assertions = assertions
        self._hand_over = hand_over
        self._breakers = breakers
        self._census = census
        self._clock = clock

    async def ending(self, config: Config) -> Ending | None:
        """Return when the credential ends and what depends on it; None when it never ends."""
        if config.credential is not CredentialKind.CERTIFICATE or config.certificate is None:
            return None
        left = self._left(config.certificate)
        mailboxes, clients = await self._census.depending(config.id)
        return Ending(days=left.days, mailboxes=mailboxes, clients=clients)

    async def renew_all(self) -> Counter[str]:
        """Take each configuration one step on; one that fails does not stop the others."""
        counts: Counter[str] = Counter()
        for known in [known async for known in self._configs.all()]:
            await self._warn(known.value)
            if self._is_time(known.value):
                counts[await self._safely(known)] += 1
        return counts

    async def _warn(self, config: Config) -> None:
        """Write that a credential ends soon: an alert listens to this line (infra/alerts)."""
        soon = config.certificate and self._left(config.certificate) <= WARN_BEFORE_END
        if soon and _in_use(config) and (ending := await self.ending(config)):
            log.warning(
                "credential ends config=%s days=%s mailboxes=%s",
                config.id,
                ending.days,
                ending.mailboxes,
            )

    def _left(self, certificate: Certificate) -> timedelta:
        return certificate.not_after - self._clock.now()

    async def look(self, config_id: str) -> None:
        """Try a next certificate now, since an admin may just have added it."""
        known = await self._configs.find(config_id)
        if known is not None and known.value.next_certificate and _in_use(known.value):
            await self._safely(known)

    def _is_time(self, config: Config) -> bool:
        if not _in_use(config) or config.certificate is None:
            return False
        coming, now = config.next_certificate, self._clock.now()
        if coming is None:
            return self._ends_soon(config.certificate)
        fresh = coming.added is not None and now - coming.added < PATIENCE
        busy = fresh or coming.proven is not None
        return busy or coming.tried is None or now - coming.tried >= PATIENCE

    def _ends_soon(self, certificate: Certificate) -> bool:
        return self._left(certificate) <= RENEW_BEFORE_END

    async def _safely(self, known: Versioned[Config]) -> str:
        try:
            return await self._step(known)
        except PosternError as exc:
            log.warning("renewal left config=%s why=%s", known.value.id, exc)
            return "certificates-left"

    async def _step(self, known: Versioned[Config]) -> str:
        config = known.value
        coming = config.next_certificate
        if coming is None:
            return await self._offer(await self._make(known))
        if proof := await self._hand_over.proven(_with(config, coming.certificate)):
            return await self._proven(known, coming, proof)
        if self._ends_soon(coming.certificate):  # nobody trusted it in all its life
            known = await self._make(known)
        return await self._offer(known)

    async def _make(self, known: Versioned[Config]) -> Versioned[Config]:
        """Store a new certificate before anybody is asked to trust it."""
        config = known.value
        certificate = await self._assertions.new_certificate(f"Postern {config.id} {config.name}")
        coming = NextCertificate(certificate=certificate)
        saved = await self._configs.save(known, replace(config, next_certificate=coming))
        await self._note(config, "made the next certificate")
        return saved

    async def _offer(self, known: Versioned[Config]) -> str:
        """Add it through Graph as the app itself; where that is refused it is left to an admin."""
        config, now = known.value, self._clock.now()
        coming = config.next_certificate
        assert coming is not None  # noqa: S101 - only called with one
        added = coming.added
        if added is None or now - added >= _OFFER_AGAIN:
            present = await self._present(config)
            offered = present is not None and await self._hand_over.offer(
                _with(config, coming.certificate), present.graph_token
            )
            added = now if offered else None
        await self._keep(known, replace(coming, tried=now, added=added, proven=None))
        return "certificates-offered" if added else "certificates-to-add"

    async def _proven(self, known: Versioned[Config], coming: NextCertificate, proof: Proof) -> str:
        config, now = known.value, self._clock.now()
        since = coming.proven or now
        if now - since < SETTLE and await self._present(config) is not None:
            await self._keep(known, replace(coming, tried=now, proven=since))
            return "certificates-proven"
        taken = replace(
            config,
            certificate=coming.certificate,
            next_certificate=None,
            proof=proof.correlation_id,
            changed=now,
        )
        await self._configs.save(known, taken)
        await self._breakers.reset(config.id)
        await self._note(config, "renewed the certificate", proof.correlation_id)
        log.info("config=%s certificate renewed", config.id)
        return "certificates-renewed"

    async def _present(self, config: Config) -> Proof | None:
        """Return the proof that the present certificate still works, or None for whatever cause."""
        if config.certificate is None or config.certificate.not_after <= self._clock.now():
            return None
        try:
            return await self._hand_over.proven(config)
        except (ProviderRefused, Unavailable) as exc:
            log.info("present certificate not proven config=%s why=%s", config.id, exc)
            return None

    async def _keep(self, known: Versioned[Config], coming: NextCertificate) -> None:
        await self._configs.save(known, replace(known.value, next_certificate=coming))

    async def _note(self, config: Config, did: str, correlation_id: str | None = None) -> None:
        await self._audit.append(
            Event(
                at=self._clock.now(),
                config=config.id,
                caller="clock",
                did=did,
                what=config.id,
                correlation_id=correlation_id,
            )
        )


def _in_use(config: Config) -> bool:
    """Say whether mailboxes live on it; those of a paused one are kept fresh too."""
    kind = config.credential is CredentialKind.CERTIFICATE
    return kind and config.state is ConfigState.ACTIVE and not config.deleting


def _with(config: Config, certificate: Certificate) -> Config:
    return replace(config, certificate=certificate)

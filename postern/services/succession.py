"""Re-activation: another secret, tenant or app for a configuration that works on until it succeeds.

The successor is a configuration of its own, under the same id in a partition of its own, and goes
through the very same activation. Only when its credential is proven does it take the place.
"""

import logging
from dataclasses import replace

from postern.errors import Conflict, Conflicting, NotFound
from postern.model.config import UNFINISHED, Config, ConfigState
from postern.model.secret import Secret
from postern.model.wanted import Wanted
from postern.ports import Clock
from postern.services.activation import Activation
from postern.services.census import Census
from postern.stores.configs import ConfigStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

_TRIES = 5


class Succession:
    """Begins and finishes re-activations.

    *standing* works on the configurations' rows, *activation* on those of the successors.
    """

    def __init__(
        self,
        *,
        configs: ConfigStore,
        successors: ConfigStore,
        standing: Activation,
        activation: Activation,
        census: Census,
        clock: Clock,
    ) -> None:
        self._configs = configs
        self._successors = successors
        self._standing = standing
        self._activation = activation
        self._census = census
        self._clock = clock

    async def begin(
        self, by: str, config: Config, wanted: Wanted, secret: Secret | None, *, confirmed: bool
    ) -> Config:
        """Activate *wanted* in the place of *config*.

        Raises:
            Conflict: another one is under way, or the client id changes and it was not *confirmed*
                that the owners must connect anew: a grant belongs to its app.
        """
        other_app = wanted.client_id.lower() != config.client_id
        if other_app and not confirmed and (mailboxes := await self._census.count(config.id)):
            raise Conflict(
                "mailboxes-must-reconnect",
                f"{mailboxes} mailboxes belong to the app that is replaced, and their owners must"
                ' connect them anew. Send "confirm": true to go on; until then all stays as it is.',
                {"mailboxes": mailboxes},
            )
        await self._clear(config.id)
        successor = await self._activation.activate(by, wanted, secret, succeeds=config)
        return await self._promoted(successor)

    async def verify(self, by: str, config_id: str) -> Config:
        """Try the credential of the successor that waits for trust, else the standing one's."""
        successor = await self.of(config_id)
        if successor is not None and successor.state in UNFINISHED:
            return await self.finish(by, config_id)
        return await self._standing.verify(by, config_id)

    async def finish(self, by: str, config_id: str) -> Config:
        """Try the successor's credential again; it takes its place once that works."""
        return await self._promoted(await self._activation.verify(by, config_id))

    async def of(self, config_id: str) -> Config | None:
        """Return the successor under way, or the last one that failed."""
        return await self._successors.get(config_id)

    async def _clear(self, config_id: str) -> None:
        """Make room; one that still runs, or whose secret is not gone yet, stays."""
        known = await self._successors.find(config_id)
        if known is None:
            return
        if known.value.intake or known.value.state is ConfigState.VALIDATING:
            raise Conflict("activation-under-way", "Another activation is under way.")
        try:
            await self._successors.remove(known)
        except Conflicting as exc:
            raise Conflict("activation-under-way", "Another activation is under way.") from exc

    async def _promoted(self, successor: Config) -> Config:
        if successor.state is not ConfigState.ACTIVE:
            return successor
        for _ in range(_TRIES):
            known = await self._configs.find(successor.id)
            if known is None:
                raise NotFound("config-unknown", "There is no such configuration.")
            try:
                saved = await self._configs.save(known, self._inherit(known, successor))
            except Conflicting:
                continue  # an admin changed something else meanwhile: that stays
            if row := await self._successors.find(successor.id):
                await self._successors.remove(row)
            log.info("config=%s succeeded by activation=%s", successor.id, successor.activation)
            return saved.value
        raise Conflict("changed-meanwhile", "Another call changed this; look again.")

    def _inherit(self, known: Versioned[Config], successor: Config) -> Config:
        """Return the configuration with the successor's app and credential, and else as it is."""
        return replace(
            known.value,
            client_id=successor.client_id,
            tenant_id=successor.tenant_id,
            audience=successor.audience,
            credential=successor.credential,
            credential_reason=successor.credential_reason,
            certificate=successor.certificate,
            next_certificate=None,
            activation=successor.activation,
            proof=successor.proof,
            intake=successor.intake,  # not gone yet: the sweeper closes it here
            intake_deadline=successor.intake_deadline,
            state=ConfigState.ACTIVE,
            problem=None,
            changed=self._clock.now(),
        )

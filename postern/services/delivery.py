"""Handing out tokens: one point read while the token is warm."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from postern.errors import Conflict, Malformed, Unavailable, Unprocessable
from postern.model.caller import Action, Caller, Thing, require
from postern.model.config import Config
from postern.model.grant import Grant
from postern.model.mailbox import MailboxId, MailboxState, unknown_mailbox
from postern.model.scopes import RESOURCE_OF, Protocol
from postern.model.secret import Secret
from postern.ports import Clock
from postern.services.keyrings import KeyRings
from postern.services.ledger import Ledger
from postern.services.needs import Need, lost
from postern.services.refresh import Refresher
from postern.services.remembered import Remembered
from postern.services.sealed import open_access
from postern.stores.grants import GrantStore

# Entra's access tokens live 60 to 90 minutes; asking for more could never be met.
LONGEST_MINIMUM = 3300


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A token for a sender. *warning* says why it lives shorter than asked, if it does."""

    access_token: Secret
    expires: datetime
    username: str
    protocol: Protocol
    warning: str | None = None


class Delivery:
    """Hands out tokens that live long enough, refreshing only when they do not."""

    def __init__(
        self,
        *,
        grants: GrantStore,
        configs: Remembered[Config],
        rings: KeyRings,
        refresher: Refresher,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._configs = configs
        self._rings = rings
        self._refresher = refresher
        self._clock = clock
        self._ledger = Ledger()

    async def token(
        self, caller: Caller, mailbox: str, protocol: Protocol, minimum_seconds: int
    ) -> Delivered:
        """Return a token of *mailbox* for *protocol* that lives *minimum_seconds* or longer.

        Raises:
            Malformed: the mailbox id or *minimum_seconds* can never be right.
            NotFound: no such mailbox, or another one's.
            ConsentLost: a person must act first; an expired token is never handed out.
            Unavailable: a refresh was needed and failed for now.
        """
        if not 0 <= minimum_seconds <= LONGEST_MINIMUM:
            raise Malformed(
                "minimum-seconds-out-of-range",
                f"'minimum_seconds' is 0 to {LONGEST_MINIMUM}: no token surely lives longer.",
            )
        mailbox_id = MailboxId.parse(mailbox)
        if mailbox_id is None:
            raise Malformed(
                "mailbox-malformed", "'mailbox' is the id that GET /api/mailboxes shows."
            )
        known = await self._grants.find(mailbox_id)
        if known is None:
            own = Thing(config=mailbox_id.config, client=caller.client)
            require(caller, Action.TOKENS, own, unknown=unknown_mailbox)
            raise unknown_mailbox()
        grant = known.value
        thing = Thing(config=grant.config, client=grant.client)
        require(caller, Action.TOKENS, thing, unknown=unknown_mailbox)
        config = await self._configs.get(grant.config)
        if config is None:
            raise unknown_mailbox()
        if config.stopped:
            raise Conflict("config-paused", "An admin paused this configuration; ask there.")
        if protocol not in grant.protocols:
            raise Unprocessable(
                "protocol-not-connected",
                f"The owner did not connect this mailbox for {protocol}; send a new link.",
            )
        delivered = await self._deliver(config, grant, protocol, timedelta(seconds=minimum_seconds))
        self._ledger.note(caller.id, config.id)
        return delivered

    async def _deliver(
        self, config: Config, grant: Grant, protocol: Protocol, minimum: timedelta
    ) -> Delivered:
        if grant.state is MailboxState.RECONNECT_NEEDED:
            raise lost(grant)
        need = Need(resources=(RESOURCE_OF[protocol],), minimum=minimum)
        warning = None
        if not need.met_by(grant, self._clock.now()):
            try:
                grant = await self._refresher.refresh(config, grant.id, need)
            except Unavailable as exc:
                if not self._still_valid(grant, protocol):
                    raise
                warning = f"{exc.code}: the token could not be renewed now and is still valid"
            else:
                if not need.met_by(grant, self._clock.now()):
                    warning = "short-lived: Entra issued a token that lives shorter than asked"
        resource = RESOURCE_OF[protocol]
        access = grant.access(resource)
        if access is None:
            raise Unavailable("no-token", "There is no token for this protocol now; try again.")
        ring = await self._rings.of(config)
        return Delivered(
            access_token=open_access(ring, grant, resource, access),
            expires=access.expires,
            username=grant.username,
            protocol=protocol,
            warning=warning,
        )

    def _still_valid(self, grant: Grant, protocol: Protocol) -> bool:
        access = grant.access(RESOURCE_OF[protocol])
        return access is not None and access.expires > self._clock.now()

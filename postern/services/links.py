"""Connect links: make, list, withdraw, and look one up for its owner."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from postern.crypto import bearer
from postern.errors import Conflict, Conflicting, Malformed, NotFound, PageError
from postern.model.caller import Caller
from postern.model.config import Config, ConfigState
from postern.model.link import DEFAULT_LIFE, DIRECT_LIFE, LONGEST_LIFE, Link
from postern.model.secret import Secret
from postern.model.wanted import WantedLink
from postern.ports import Clock
from postern.services.forms import is_address, is_guid
from postern.stores.audit import AuditStore, Event
from postern.stores.configs import ConfigStore
from postern.stores.links import LinkStore
from postern.stores.versioned import Versioned


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLink:
    """A new link: its secret part is shown here once and then only its hash is known."""

    link: Link
    text: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """A link that works now, and its configuration."""

    known: Versioned[Link]
    config: Config

    @property
    def link(self) -> Link:
        """Return the link as it was read."""
        return self.known.value


class Links:
    """Makes links and finds them again by their hash."""

    def __init__(
        self, store: LinkStore, configs: ConfigStore, audit: AuditStore, clock: Clock
    ) -> None:
        self._store = store
        self._configs = configs
        self._audit = audit
        self._clock = clock

    async def make(self, by: Caller, config_id: str, wanted: WantedLink) -> MadeLink:
        """Make a link of an active configuration."""
        config = await self._active(config_id)
        _check(wanted, config)
        token, now = bearer.new_token(), self._clock.now()
        life = wanted.life or (DIRECT_LIFE if wanted.direct else DEFAULT_LIFE)
        link = Link(
            config=config.id,
            hash=bearer.digest(token),
            client=wanted.client,
            protocols=wanted.protocols or config.protocols,
            created=now,
            created_by=by.id,
            expires=now + life,
            uses=wanted.uses,
            direct=wanted.direct,
            expected_address=wanted.expected_address,
            expected_tenant=wanted.expected_tenant,
            return_url=wanted.return_url,
            note=wanted.note,
        )
        await self._store.add(link)
        await self._note(by, link, "made a link")
        return MadeLink(link=link, text=Secret(f"{config.id}.{token.reveal()}"))

    async def of(self, config_id: str, client: str | None) -> Sequence[Link]:
        """Return a config's links, of one client only when given, newest first."""
        links = [known.value async for known in self._store.of(config_id)]
        mine = [link for link in links if client is None or link.client == client]
        return sorted(mine, key=lambda link: link.created, reverse=True)

    async def withdraw(self, by: Caller, config_id: str, link_id: str) -> None:
        """Withdraw a link; what it connected stays connected."""
        known = await self._store.find(config_id, link_id)
        if known is None or (by.client is not None and known.value.client != by.client):
            raise NotFound("link-unknown", "There is no link with this id.")
        try:
            await self._store.save(known, replace(known.value, withdrawn=True))
        except Conflicting as exc:
            raise Conflict("changed-meanwhile", "The link was just used; try again.") from exc
        await self._note(by, known.value, "withdrew a link")

    async def open(self, unverified_text: str) -> OpenLink:
        """Return the link that an owner opened; this changes nothing.

        Raises:
            PageError: the link is unknown, over, or its configuration cannot connect now.
        """
        config_id, _, token = unverified_text.partition(".")
        if not bearer.looks_like_token(token):
            raise PageError("link-unknown")
        link_hash = bearer.digest(token)
        known_config = await self._configs.find(config_id)
        known = await self._store.find(config_id, link_hash) if known_config else None
        if known is None or known_config is None or not bearer.same(known.value.hash, link_hash):
            raise PageError("link-unknown")
        self._require_open(known.value)
        if known_config.value.stopped:
            raise PageError("config-paused", config=config_id)
        if known_config.value.state is not ConfigState.ACTIVE:
            raise PageError("not-ready", config=config_id)
        return OpenLink(known=known, config=known_config.value)

    async def still_open(self, config_id: str, link_hash: str) -> Link:
        """Return a link that a sign-in began with. Raises `PageError` when it is over by now."""
        known = await self._store.find(config_id, link_hash)
        if known is None:
            raise PageError("link-unknown")
        self._require_open(known.value)
        return known.value

    def _require_open(self, link: Link) -> None:
        if reason := link.ended(self._clock.now()):
            raise PageError(reason, config=link.config)

    async def reserve(self, config_id: str, link_hash: str) -> Link:
        """Count one use, before the mailbox is stored, so that two owners cannot share one.

        Raises:
            PageError: the link is over, or somebody else was faster.
        """
        for _ in range(5):
            known = await self._store.find(config_id, link_hash)
            if known is None:
                raise PageError("link-unknown")
            self._require_open(known.value)
            used = replace(known.value, used=known.value.used + 1)
            try:
                await self._store.save(known, used)
            except Conflicting:
                continue
            return used
        raise PageError("link-used")

    async def give_back(self, config_id: str, link_hash: str) -> None:
        """Return a use that came to nothing. Best effort: a lost one asks for a new link."""
        known = await self._store.find(config_id, link_hash)
        if known and known.value.used:
            try:
                await self._store.save(known, replace(known.value, used=known.value.used - 1))
            except Conflicting:
                return

    async def _active(self, config_id: str) -> Config:
        known = await self._configs.find(config_id)
        if known is None:
            raise NotFound("config-unknown", "There is no such configuration.")
        if known.value.stopped:
            raise Conflict("config-paused", "The configuration is paused; resume it first.")
        if known.value.state is not ConfigState.ACTIVE:
            raise Conflict(
                "config-not-active",
                f"The configuration is {known.value.state}; finish its activation first.",
            )
        return known.value

    async def _note(self, by: Caller, link: Link, did: str) -> None:
        event = Event(
            at=self._clock.now(), config=link.config, caller=by.id, did=did, what=link.hash[:12]
        )
        await self._audit.append(event)


def _check(wanted: WantedLink, config: Config) -> None:
    longest = DIRECT_LIFE if wanted.direct else LONGEST_LIFE
    if wanted.life is not None and not timedelta(minutes=1) <= wanted.life <= longest:
        raise Malformed(
            "expiry-out-of-range",
            f"This kind of link lives 60 to {int(longest.total_seconds())} seconds.",
        )
    if wanted.direct and wanted.uses != 1:
        raise Malformed("direct-link-uses", "A direct link is used once.")
    if wanted.direct and not (wanted.expected_address or wanted.expected_tenant):
        raise Malformed(
            "direct-link-unbound",
            "A direct link skips the page that says who asks, so it needs 'expected_address' or"
            " 'expected_tenant'.",
        )
    if wanted.expected_address is not None and not is_address(wanted.expected_address):
        raise Malformed("address-malformed", "Write 'expected_address' as an e-mail address.")
    if wanted.expected_tenant is not None and not is_guid(wanted.expected_tenant):
        raise Malformed("expected-tenant-malformed", "Write 'expected_tenant' as a tenant id.")
    if wanted.return_url is not None and wanted.return_url not in config.return_urls:
        raise Malformed(
            "return-url-not-listed",
            "The return URL must be exactly one of the configuration's 'return_urls'.",
        )
    if missing := set(wanted.protocols or ()) - set(config.protocols):
        raise Malformed(
            "protocol-not-configured",
            f"The configuration does not offer {', '.join(sorted(missing))}.",
        )

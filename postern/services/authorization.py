"""Connecting a mailbox: from the button to Entra, and from Entra's answer to a stored grant."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from postern.crypto import bearer
from postern.errors import PageError, ProviderRefused, Unavailable
from postern.model.answer import Answer
from postern.model.config import Config
from postern.model.link import Ending, Link, Outcome, Pending
from postern.model.mailbox import Mailbox
from postern.model.scopes import Protocol, Resource, granted, resources, scopes
from postern.model.secret import Secret
from postern.ports import Clock, IdentityProvider, Tokens, UnverifiedClaims
from postern.services.assertions import Assertions
from postern.services.connecting import Connecting
from postern.services.keyrings import KeyRings
from postern.services.links import Links, OpenLink
from postern.services.sign_in import page_reason, require_expected, require_identity
from postern.stores.configs import ConfigStore
from postern.stores.links import PendingStore
from postern.stores.versioned import Versioned

log = logging.getLogger(__name__)

SIGN_IN_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SignedIn:
    claims: UnverifiedClaims
    tokens: dict[Resource, Tokens]
    protocols: tuple[Protocol, ...]


class Authorization:
    """Begins and completes sign-ins. *redirect_uri* is the only one that is registered."""

    def __init__(
        self,
        *,
        links: Links,
        configs: ConfigStore,
        pending: PendingStore,
        provider: IdentityProvider,
        assertions: Assertions,
        rings: KeyRings,
        connecting: Connecting,
        clock: Clock,
        redirect_uri: str,
    ) -> None:
        self._links = links
        self._configs = configs
        self._pending = pending
        self._provider = provider
        self._assertions = assertions
        self._rings = rings
        self._connecting = connecting
        self._clock = clock
        self._redirect_uri = redirect_uri

    async def begin(self, opened: OpenLink, browser: Secret) -> str:
        """Return Entra's URL for this browser. Uses nothing up: only a connected mailbox does."""
        link, config = opened.link, opened.config
        state = bearer.new_token()
        request = await self._provider.authorization_request(
            config.app,
            redirect_uri=self._redirect_uri,
            scopes=scopes(link.protocols),
            state=state,
            login_hint=link.expected_address,
        )
        ring, state_hash = await self._rings.of(config), bearer.digest(state)
        await self._pending.add(
            Pending(
                hash=state_hash,
                config=config.id,
                link=link.hash,
                browser=bearer.digest(browser),
                verifier=ring.seal(request.verifier, config.id, state_hash, "verifier"),
                nonce=ring.seal(request.nonce, config.id, state_hash, "nonce"),
                scopes=scopes(link.protocols),
                expires=self._clock.now() + SIGN_IN_LIFE,
            )
        )
        return request.url

    async def complete(self, answer: Answer, browser: Secret | None) -> Secret:
        """Take Entra's answer and return the ticket of the page that tells how it ended.

        Raises:
            PageError: the answer belongs to no sign-in of this browser; nothing was touched.
        """
        known = await self._own(answer.state, browser)
        config = await self._configs.find(known.value.config)
        if not await self._pending.consume(known):
            raise PageError("state-used")
        if config is None:
            raise PageError("link-unknown")
        try:
            ending = await self._connect(answer, known.value, config.value)
        except PageError as exc:
            ending = Ending(
                reason=exc.reason, correlation_id=exc.correlation_id, detail=dict(exc.detail)
            )
        except ProviderRefused as exc:
            ending = Ending(reason=page_reason(exc), correlation_id=exc.correlation_id)
        except Unavailable:
            ending = Ending(reason="temporarily-unavailable")
        return await self._publish(ending, config.value)

    async def ending(self, unverified_ticket: str) -> tuple[Ending, Config]:
        """Return what the last page says. Raises `PageError` when it is over."""
        if not bearer.looks_like_token(unverified_ticket):
            raise PageError("state-unknown")
        outcome = await self._pending.outcome(bearer.digest(unverified_ticket))
        if outcome is None or outcome.expires < self._clock.now():
            raise PageError("state-expired")
        config = await self._configs.find(outcome.config)
        if config is None:
            raise PageError("link-unknown")
        return outcome.ending, config.value

    async def _own(self, unverified_state: str, browser: Secret | None) -> Versioned[Pending]:
        """Return the sign-in that this very browser began.

        The cookie is looked at before the state is consumed: a stolen state alone must not end
        the sign-in of the browser that it was stolen from.
        """
        if not bearer.looks_like_token(unverified_state):
            raise PageError("state-unknown")
        known = await self._pending.find(bearer.digest(unverified_state))
        if known is None:
            raise PageError("state-unknown")
        if browser is None or not bearer.same(bearer.digest(browser), known.value.browser):
            raise PageError("other-browser")
        if known.value.consumed:
            raise PageError("state-used")
        if known.value.expires < self._clock.now():
            raise PageError("state-expired")
        return known

    async def _connect(self, answer: Answer, pending: Pending, config: Config) -> Ending:
        if answer.error is not None:
            raise answer.error
        if answer.code is None:
            raise PageError("sign-in-failed")
        if config.stopped:
            raise PageError("config-paused")
        link = await self._links.still_open(pending.config, pending.link)
        signed_in = await self._redeem(answer.code, pending, config, link)
        if not signed_in.protocols:
            raise PageError("permissions-missing", detail={"missing": " ".join(link.protocols)})
        mailbox = await self._store(signed_in, config, link)
        return Ending(
            address=mailbox.address,
            protocols=mailbox.protocols,
            missing=mailbox.missing,
            return_url=link.return_url,
        )

    async def _redeem(
        self, code: Secret, pending: Pending, config: Config, link: Link
    ) -> _SignedIn:
        ring = await self._rings.of(config)
        nonce = ring.open(pending.nonce, config.id, pending.hash, "nonce")
        assertion = await self._assertions.current(config)
        first = resources(link.protocols)[0]
        redemption = await self._provider.redeem(
            config.app,
            assertion,
            code=code,
            verifier=ring.open(pending.verifier, config.id, pending.hash, "verifier"),
            nonce=nonce,
            redirect_uri=self._redirect_uri,
            scopes=scopes(link.protocols, first),
        )
        claims = redemption.unverified_claims
        require_identity(
            claims, config=config, nonce=nonce, provider=self._provider, clock=self._clock
        )
        require_expected(claims, link)
        # Connecting again for one protocol more must not take the others away.
        before = await self._connecting.protocols_of(config, link, claims)
        wanted = tuple(p for p in Protocol if p in {*link.protocols, *before})
        tokens = {first: redemption.tokens}
        tokens |= await self._mint(config, wanted, redemption.tokens, _further(link, wanted))
        given = [scope for each in tokens.values() for scope in each.scopes]
        return _SignedIn(claims=claims, tokens=tokens, protocols=granted(wanted, given))

    async def _mint(
        self,
        config: Config,
        wanted: Sequence[Protocol],
        first: Tokens,
        others: Sequence[Resource],
    ) -> dict[Resource, Tokens]:
        """Mint a token for each further resource: the proof that the consent covers it."""
        if first.refresh_token is None:
            raise PageError("permissions-missing", detail={"missing": "offline_access"})
        minted, newest = {}, first.refresh_token
        for resource in others:
            try:
                tokens = await self._provider.refresh(
                    config.app,
                    await self._assertions.current(config),
                    refresh_token=newest,
                    scopes=scopes(wanted, resource),
                )
            except ProviderRefused as refusal:
                if page_reason(refusal) in {"temporarily-unavailable", "throttled", "app-fault"}:
                    raise
                log.info("resource not granted config=%s resource=%s", config.id, resource)
                continue
            newest = tokens.refresh_token or newest
            minted[resource] = replace(tokens, refresh_token=newest)
        return minted

    async def _store(self, signed_in: _SignedIn, config: Config, link: Link) -> Mailbox:
        used = await self._links.reserve(config.id, link.hash)
        try:
            return await self._connecting.store(
                config,
                used,
                claims=signed_in.claims,
                tokens=signed_in.tokens,
                protocols=signed_in.protocols,
            )
        except BaseException:
            await self._links.give_back(config.id, link.hash)
            raise

    async def _publish(self, ending: Ending, config: Config) -> Secret:
        ticket = bearer.new_token()
        log.info("sign-in ended config=%s reason=%s", config.id, ending.reason or "connected")
        await self._pending.add_outcome(
            Outcome(
                hash=bearer.digest(ticket),
                config=config.id,
                expires=self._clock.now() + SIGN_IN_LIFE,
                ending=ending,
            )
        )
        return ticket


def _further(link: Link, wanted: Sequence[Protocol]) -> tuple[Resource, ...]:
    """Return the resources for which the redeemed token does not speak already."""
    first = resources(link.protocols)[0]
    redeemed = scopes(link.protocols, first)
    return tuple(r for r in resources(wanted) if r is not first or scopes(wanted, r) != redeemed)

"""API keys: mint, recognise, list, revoke."""

from dataclasses import dataclass, replace

from postern.crypto import bearer
from postern.errors import AlreadyThere, Conflict, Conflicting, NotFound, Unauthenticated
from postern.model.caller import Caller, Role
from postern.model.secret import Secret
from postern.ports import Clock
from postern.services.remembered import Remembered
from postern.stores.audit import AuditStore, Event
from postern.stores.callers import CallerStore
from postern.stores.configs import ConfigStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedKey:
    """A new key, shown once, and its row."""

    key: Secret
    caller: Caller


class Callers:
    """Knows who calls. A key is stored as its hash only."""

    def __init__(
        self, store: CallerStore, configs: ConfigStore, audit: AuditStore, clock: Clock
    ) -> None:
        self._store = store
        self._configs = configs
        self._audit = audit
        self._clock = clock
        self._remembered = Remembered[Caller](clock, self._find)

    async def identify(self, unverified_key: Secret | None) -> Caller:
        """Return the caller that *unverified_key* belongs to. Raises `Unauthenticated`."""
        if unverified_key is None:
            raise Unauthenticated(
                "key-missing", "Send an API key in the header 'Authorization: Bearer <key>'."
            )
        if not bearer.looks_like_api_key(unverified_key.reveal()):
            raise _wrong_key()
        caller = await self._remembered.get(bearer.digest(unverified_key))
        if caller is None or caller.revoked:
            raise _wrong_key()
        return caller

    async def bootstrap(self, *, again: bool) -> MintedKey:
        """Mint the first admin key; *again* replaces it, for when the answer was lost.

        The host has checked the function key: whoever holds that one owns the deployment.
        """
        first = await self._store.first()
        if first and not again:
            raise Conflict(
                "already-bootstrapped",
                "The first admin key exists. Make more keys with it at POST /api/keys; if it is"
                ' lost, send {"again": true}: that mints another one and revokes it.',
            )
        minted = self._mint(name="bootstrap", role=Role.ADMIN, config=None, client=None)
        if first:  # before anything can die: a lost key must not outlive its successor
            await self._revoke(first.value.hash)
        try:
            await self._store.claim_first(minted.caller, first)
        except (AlreadyThere, Conflicting) as exc:
            raise Conflict("already-bootstrapped", "Another call was faster.") from exc
        await self._store.add(minted.caller)
        await self._note("-", "host key", "minted the first admin key", minted.caller.id)
        return minted

    async def create(
        self, by: Caller, *, name: str, role: Role, config: str | None, client: str | None
    ) -> MintedKey:
        """Mint a key. A client key is bound to a config and a client."""
        if config is not None and await self._configs.find(config) is None:
            raise NotFound("config-unknown", "There is no such configuration.")
        minted = self._mint(name=name, role=role, config=config, client=client)
        await self._store.add(minted.caller)
        await self._note(config or "-", by.id, f"minted a {role} key", minted.caller.id)
        return minted

    async def all(self) -> list[Caller]:
        """Return every key's row, oldest first."""
        callers = [known.value async for known in self._store.all()]
        return sorted(callers, key=lambda caller: caller.created)

    async def revoke(self, by: Caller, key_id: str) -> None:
        """Revoke the key with that id; within 60 seconds no process accepts it."""
        for caller in await self.all():
            if caller.id == key_id:
                await self._revoke(caller.hash)
                await self._note(caller.config or "-", by.id, "revoked a key", key_id)
                return
        raise NotFound("key-not-found", "There is no key with this id.")

    def _mint(self, *, name: str, role: Role, config: str | None, client: str | None) -> MintedKey:
        key = bearer.new_api_key()
        caller = Caller(
            hash=bearer.digest(key),
            name=name,
            role=role,
            created=self._clock.now(),
            config=config,
            client=client,
        )
        return MintedKey(key=key, caller=caller)

    async def _find(self, key_hash: str) -> Caller | None:
        known = await self._store.find(key_hash)
        return known.value if known else None

    async def _revoke(self, key_hash: str) -> None:
        known = await self._store.find(key_hash)
        while known and not known.value.revoked:
            try:
                await self._store.save(known, replace(known.value, revoked=True))
                break
            except Conflicting:  # somebody else revokes it at the same time
                known = await self._store.find(key_hash)
        self._remembered.forget(key_hash)

    async def _note(self, config: str, by: str, did: str, what: str) -> None:
        event = Event(at=self._clock.now(), config=config, caller=by, did=did, what=what)
        await self._audit.append(event)


def _wrong_key() -> Unauthenticated:
    # Made anew each time: an exception that is raised again keeps every earlier traceback.
    return Unauthenticated(
        "key-unknown", "This API key is unknown or was revoked. Ask an admin for another one."
    )

"""Client assertions: what proves to Entra that we are the app, shared by all its mailboxes."""

import asyncio
import base64
import secrets
import uuid
from collections import defaultdict
from datetime import datetime, timedelta

from postern.crypto import certificates, jws
from postern.model.config import Certificate, Config, CredentialKind
from postern.model.secret import Secret
from postern.ports import Clock, IdentityProvider, KeysVault, ManagedIdentity

ASSERTION_KEY = "client-assertion"
CERTIFICATE_LIFE = timedelta(days=365)
_RENEW_BEFORE_END = timedelta(minutes=1)


class Assertions:
    """Makes assertions, renewed a minute before their end in one place.

    The lock matters: without it 64 refreshes at once would ask the vault for 64 signatures each
    time an assertion ends (shared performance notes, section 3).
    """

    def __init__(
        self,
        vault: KeysVault,
        identity: ManagedIdentity,
        provider: IdentityProvider,
        clock: Clock,
    ) -> None:
        self._vault = vault
        self._identity = identity
        self._provider = provider
        self._clock = clock
        self._locks: dict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._current: dict[tuple[str, ...], tuple[Secret, datetime]] = {}

    async def current(self, config: Config, authority: str | None = None) -> Secret:
        """Return an assertion for requests to *authority* (the app's own when not given)."""
        authority = authority or config.app.authority
        key = (config.client_id, authority, config.credential, _version(config))
        async with self._locks[key]:
            if (known := self._current.get(key)) and known[1] > self._clock.now():
                return known[0]
            assertion, ends = await self._make(config, authority)
            self._current[key] = (assertion, ends - _RENEW_BEFORE_END)
            return assertion

    async def new_certificate(self, name: str) -> Certificate:
        """Return a self-signed certificate around the newest version of the vault's key."""
        newest = (await self._vault.public_keys(ASSERTION_KEY))[0]
        start = self._clock.now().replace(microsecond=0) - timedelta(minutes=5)
        end = start + CERTIFICATE_LIFE

        async def sign(digest: bytes) -> bytes:
            signed = await self._vault.sign(
                ASSERTION_KEY, digest, algorithm="RS256", version=newest.version
            )
            return signed.signature

        der = await certificates.self_signed(
            public_key=newest.key,
            name=name,
            serial=secrets.randbits(127) + 1,
            not_before=start,
            not_after=end,
            sign=sign,
        )
        return Certificate(
            der=base64.b64encode(der).decode(),
            key_version=newest.version,
            not_before=start,
            not_after=end,
        )

    async def _make(self, config: Config, authority: str) -> tuple[Secret, datetime]:
        if config.credential is CredentialKind.MANAGED_IDENTITY:
            return await self._identity.exchange_assertion()
        if config.certificate is None:
            msg = "a config of kind certificate has no certificate"
            raise ValueError(msg)
        now = self._clock.now()
        unsigned = jws.client_assertion(
            client_id=config.client_id,
            audience=self._provider.token_endpoint(authority),
            certificate_der=base64.b64decode(config.certificate.der),
            jti=str(uuid.uuid4()),
            now=now,
        )
        signed = await self._vault.sign(
            ASSERTION_KEY,
            unsigned.digest,
            algorithm="PS256",
            version=config.certificate.key_version,
        )
        return Secret(unsigned.signed(signed.signature)), now + jws.ASSERTION_LIFE


def _version(config: Config) -> str:
    return config.certificate.der[-32:] if config.certificate else ""

"""The managed identity, and Graph's app registrations: who trusts whom from when on."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509

from postern.errors import ProviderRefused
from postern.model.permissions import PERMISSIONS
from postern.model.secret import Secret
from postern.ports import Credential, FederatedCredential
from postern.ports import Registration as Shown
from tests.fakes.clock import FakeClock
from tests.fakes.tape import Tape


class FakeManagedIdentity:
    """Issues tokens for api://AzureADTokenExchange that `FakeProvider` knows."""

    def __init__(self, clock: FakeClock, tape: Tape | None = None) -> None:
        self.clock = clock
        self.tape = tape or Tape()
        self.life = timedelta(hours=24)
        self._issued: dict[str, datetime] = {}

    async def exchange_assertion(self) -> tuple[Secret, datetime]:
        """Return a new token and its end."""
        async with self.tape.call("identity.exchange_assertion"):
            token, ends = f"identity-{uuid.uuid4().hex}", self.clock.now() + self.life
            self._issued[token] = ends
            return Secret(token), ends

    def issued(self, token: str) -> bool:
        """Say whether this is one of its tokens."""
        return token in self._issued

    def valid(self, token: str) -> bool:
        """Say whether one of its tokens has not ended."""
        return self.clock.now() < self._issued[token]


@dataclass(slots=True)
class Password:
    """A client secret of a registration; Graph shows its first three characters only."""

    value: str
    key_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    ends: datetime = datetime(2027, 6, 2, tzinfo=UTC)


@dataclass(slots=True)
class Registration:
    """An app registration. Trust is known to the token endpoint from the time beside it on."""

    client_id: str
    tenant: str
    passwords: list[Password] = field(default_factory=list)
    certificates: dict[bytes, datetime] = field(default_factory=dict)
    federated: dict[tuple[str, str], datetime] = field(default_factory=dict)
    may_change_itself: bool = False
    disabled: bool = False
    audience: str = "AzureADMultipleOrgs"
    web: tuple[str, ...] = ("https://mail.agency.example/api/callback",)
    spa: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset(PERMISSIONS)
    consented: frozenset[str] | None = None


class FakeDirectory:
    """Graph's `applications`, as the app itself sees it."""

    def __init__(self, clock: FakeClock, tape: Tape | None = None) -> None:
        self.clock = clock
        self.tape = tape or Tape()
        self.replication = timedelta()
        self.registrations: dict[str, Registration] = {}
        self.graph_tokens: dict[str, str] = {}

    async def registration(self, token: Secret, client_id: str) -> Shown:
        """Show the registration, to an app that may read it."""
        async with self.tape.call("directory.registration"):
            found = self._open(token, client_id)
            return Shown(
                audience=found.audience,
                web=found.web,
                other_platforms=found.spa,
                permissions=frozenset(PERMISSIONS[name] for name in found.permissions),
                passwords=tuple(Credential(name=p.key_id, ends=p.ends) for p in found.passwords),
                certificates=tuple(map(_shown, found.certificates)),
                federated=tuple(
                    FederatedCredential(name=f"trust-{n}", issuer=issuer, subject=subject)
                    for n, (issuer, subject) in enumerate(found.federated)
                ),
                consented=found.consented,
            )

    async def reachable(self) -> None:
        """Return when Graph answers."""
        async with self.tape.call("directory.reachable"):
            return

    async def add_federated_credential(
        self, token: Secret, client_id: str, *, name: str, issuer: str, subject: str
    ) -> None:
        """Trust *subject* of *issuer*."""
        async with self.tape.call("directory.add_federated_credential"):
            registration = self._open(token, client_id)
            known_from = self.clock.now() + self.replication
            registration.federated.setdefault((issuer, subject), known_from)

    async def add_certificate(
        self,
        token: Secret,
        client_id: str,
        *,
        name: str,
        der: bytes,
        start: datetime,
        end: datetime,
    ) -> None:
        """Add a certificate beside the ones that are there."""
        async with self.tape.call("directory.add_certificate"):
            registration = self._open(token, client_id)
            assert x509.load_der_x509_certificate(der).not_valid_after_utc == end
            registration.certificates.setdefault(der, self.clock.now() + self.replication)

    async def password_id(self, token: Secret, client_id: str, secret: Secret) -> str | None:
        """Return the key id when one password alone has the hint."""
        async with self.tape.call("directory.password_id"):
            passwords = self._open(token, client_id).passwords
            hint = secret.reveal()[:3]
            found = [each for each in passwords if each.value[:3] == hint]
            return found[0].key_id if len(found) == 1 else None

    async def remove_password(self, token: Secret, client_id: str, key_id: str) -> None:
        """Remove a password; gone already is fine."""
        async with self.tape.call("directory.remove_password"):
            registration = self._open(token, client_id)
            registration.passwords = [p for p in registration.passwords if p.key_id != key_id]

    def _open(self, token: Secret, client_id: str) -> Registration:
        if self.graph_tokens.get(token.reveal()) != client_id:
            raise ProviderRefused(error="InvalidAuthenticationToken", status=401)
        registration = self.registrations[client_id]
        if not registration.may_change_itself:
            raise ProviderRefused(error="Authorization_RequestDenied", status=403)
        return registration


def _shown(der: bytes) -> Credential:
    ends = x509.load_der_x509_certificate(der).not_valid_after_utc
    return Credential(name="certificate", ends=ends, der=der)

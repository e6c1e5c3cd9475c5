"""The app over fakes, and the few lines that most tests begin with."""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime

from local.azurite import TABLES
from postern.assembly import Postern, World, compose
from postern.model.answer import Answer
from postern.model.branding import Branding
from postern.model.caller import Caller, Role
from postern.model.config import Audience, Config, CredentialKind
from postern.model.link import Ending
from postern.model.mailbox import AGENCY, Mailbox, MailboxId
from postern.model.scopes import Protocol
from postern.model.secret import Secret
from postern.model.wanted import Wanted, WantedLink
from postern.ports import (
    Value,
)
from postern.settings import Settings, read
from postern.stores.configs import ConfigStore
from postern.stores.grants import GrantStore
from postern.stores.links import LinkStore, PendingStore
from postern.stores.mailboxes import MailboxStore
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory, FakeManagedIdentity, Password, Registration
from tests.fakes.provider import FakeProvider, User, _s256
from tests.fakes.records import FakeRecords
from tests.fakes.tape import Tape
from tests.fakes.vaults import FakeIntakeVault, FakeKeysVault

HOME = "11111111-2222-3333-4444-555555555555"
ELSEWHERE = "99999999-8888-7777-6666-555555555555"
CLIENT_ID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
PASTED = "pas8Q~a-client-secret-of-forty-characters"
BROWSER = Secret("the-cookie-of-one-browser")
_ENVIRONMENT = {
    "POSTERN_BASE_URL": "https://mail.agency.example",
    "POSTERN_TENANT_ID": HOME,
    "POSTERN_IDENTITY_CLIENT_ID": "0d3c8f5e-0000-4000-8000-000000000001",
    "POSTERN_IDENTITY_PRINCIPAL_ID": "0d3c8f5e-0000-4000-8000-000000000002",
    "POSTERN_TABLES_URL": "https://account.table.core.windows.net",
    "POSTERN_INTAKE_VAULT_URL": "https://intake.vault.azure.net",
    "POSTERN_KEYS_VAULT_URL": "https://keys.vault.azure.net",
}


class FakeWorld:
    """The app over fakes, and the few lines that most tests begin with."""

    def __init__(self, **environment: str) -> None:
        self.settings: Settings = read({**_ENVIRONMENT, **environment})
        self.tape = Tape()
        self.clock = FakeClock()
        self.records = FakeRecords(self.tape)
        self.intake = FakeIntakeVault(self.clock, self.tape)
        self.keys = FakeKeysVault(self.tape)
        self.identity = FakeManagedIdentity(self.clock, self.tape)
        self.directory = FakeDirectory(self.clock, self.tape)
        self.trust = (
            f"https://login.microsoftonline.com/{HOME}/v2.0",
            self.settings.identity_principal_id,
        )
        self.provider = FakeProvider(
            self.clock, self.identity, self.directory, trusted=self.trust, tape=self.tape
        )
        self.configs = ConfigStore(self.records)
        self.grants = GrantStore(self.records)
        self.mailboxes = MailboxStore(self.records)
        self.links = LinkStore(self.records)
        self.pending = PendingStore(self.records)
        self.app = self.another_process()
        self._users = itertools.count(1)

    def another_process(self) -> Postern:
        """Return the app as a second worker has it: same world, nothing remembered."""
        return compose(
            self.settings,
            World(
                records=self.records,
                intake=self.intake,
                keys=self.keys,
                identity=self.identity,
                provider=self.provider,
                directory=self.directory,
                clock=self.clock,
            ),
        )

    def register(
        self,
        client_id: str = CLIENT_ID,
        *,
        tenant: str = HOME,
        secret: str | None = PASTED,
        may_change_itself: bool = False,
        trusts_us: bool = False,
    ) -> Registration:
        """Make an app registration at Entra."""
        registration = Registration(client_id, tenant, may_change_itself=may_change_itself)
        if secret is not None:
            registration.passwords.append(Password(secret))
        if trusts_us:
            registration.federated[self.trust] = self.clock.now()
        self.directory.registrations[client_id] = registration
        return registration

    async def active(self, client_id: str = CLIENT_ID, **changes: object) -> Config:
        """Return an active configuration whose registration trusts our identity."""
        self.register(client_id, secret=None, trusts_us=True)
        return await self.app.activation.activate("admin", wanted(client_id, **changes), None)

    def user(self, upn: str | None = None, *, tenant: str = HOME, **changes: object) -> User:
        """Return a new account."""
        number = next(self._users)
        upn = upn or f"owner{number}@contoso.example"
        return User(tenant, f"00000000-0000-0000-0000-{number:012}", upn, **changes)  # type: ignore[arg-type]

    async def link(self, config: Config, **changes: object) -> str:
        """Return a connect link's text."""
        asked = WantedLink(**{"client": AGENCY, **changes})  # type: ignore[arg-type]
        made = await self.app.links.make(caller(Role.ADMIN), config.id, asked)
        return made.text.reveal()

    async def begin(self, link: str, browser: Secret = BROWSER) -> str:
        """Press the button of a link; return Entra's URL."""
        return await self.app.authorization.begin(await self.app.links.open(link), browser)

    async def complete(self, answer: Answer, browser: Secret | None = BROWSER) -> Ending:
        """Come back from Entra; return what the last page says."""
        ticket = await self.app.authorization.complete(answer, browser)
        ending, _ = await self.app.authorization.ending(ticket.reveal())
        return ending

    async def connect(
        self, config: Config, user: User | None = None, **changes: object
    ) -> MailboxId:
        """Connect a mailbox by a new link and return its id."""
        user = user or self.user()
        url = await self.begin(await self.link(config, **changes))
        ending = await self.complete(self.provider.sign_in(url, user))
        assert ending.reason is None, ending
        client = str(changes.get("client", AGENCY))
        return MailboxId.of(config.id, client, user.tenant, user.oid)

    async def mailbox(self, mailbox: MailboxId) -> Mailbox:
        """Return a mailbox's row for people."""
        known = await self.mailboxes.find(mailbox)
        assert known is not None
        return known.value

    def due(self, mailbox: MailboxId) -> list[str]:
        """Return the times at which a mailbox is due, as its due rows say."""
        keys = [row.key.split("~") for row in self.records.all("grants", "due~")]
        return [
            stamp
            for _, stamp, config, its in keys
            if (config, its) == (mailbox.config, mailbox.hash)
        ]

    def events(self) -> list[Mapping[str, Value]]:
        """Return the audit."""
        return [row.values for row in self.records.all("audit")]

    def shows(self, text: str) -> list[str]:
        """Return where *text* stands in the records: for what must stand nowhere."""
        return [
            f"{table} {row.key} {name}"
            for table in TABLES
            for row in self.records.all(table)
            for name, value in row.values.items()
            if text.encode() in (value if isinstance(value, bytes) else str(value).encode())
        ]


def wanted(client_id: str = CLIENT_ID, **changes: object) -> Wanted:
    """Return what an admin asks for."""
    asked: dict[str, object] = {
        "name": "Agency",
        "client_id": client_id,
        "tenant_id": HOME,
        "audience": Audience.ORGANIZATIONS,
        "credential": None,
        "protocols": tuple(Protocol),
        "branding": Branding(product="Agency Mail"),
    }
    return Wanted(**{**asked, **changes})  # type: ignore[arg-type]


def caller(role: Role, *, config: str | None = None, client: str | None = None) -> Caller:
    """Return a caller as a key of that role has it."""
    name = f"{role}-{config}-{client}"
    created = datetime(2025, 6, 1, tzinfo=UTC)
    return Caller(
        hash=_s256(name), name=name, role=role, created=created, config=config, client=client
    )


CERTIFICATE, MANAGED_IDENTITY = CredentialKind.CERTIFICATE, CredentialKind.MANAGED_IDENTITY

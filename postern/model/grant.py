"""A grant: the sealed tokens of one mailbox, and when they are due."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from postern.model.mailbox import MailboxId, MailboxState
from postern.model.scopes import Protocol, Resource

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A sealed access token of one resource, and when a sender last asked for it."""

    token: bytes
    expires: datetime
    asked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The row `grant~{config}~{hash}` of table `grants`.

    It decides: the row in `mailboxes` follows it. *due* names its due row, moved in the same
    transaction; None when a person must act first. Before *retry_at* no sender's call goes to
    Entra. *lease* is the owner of a refresh under way.
    """

    config: str
    hash: str
    client: str
    username: str
    tenant: str = ""
    protocols: tuple[Protocol, ...]
    refresh_token: bytes
    outlook: Access | None = None
    graph: Access | None = None
    refreshed: datetime
    due: datetime | None = None
    state: MailboxState = MailboxState.FRESH
    cause: str | None = None
    failing_since: datetime | None = None
    attempts: int = 0
    retry_at: datetime | None = None
    lease: str | None = None
    lease_until: datetime | None = None

    @property
    def id(self) -> MailboxId:
        """Return the mailbox id."""
        return MailboxId(config=self.config, hash=self.hash)

    def access(self, resource: Resource) -> Access | None:
        """Return the stored access token of *resource*."""
        return self.outlook if resource is Resource.OUTLOOK else self.graph

    def leased(self, now: datetime) -> bool:
        """Say whether a refresh is under way whose holder still has time."""
        return self.lease is not None and self.lease_until is not None and now < self.lease_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """The two clocks. *margin* is two timer intervals, so that nothing falls between two runs."""

    keep_alive: timedelta
    margin: timedelta

    def next_due(
        self, accesses: tuple[Access | None, ...], now: datetime, jitter: float
    ) -> datetime:
        """Return when to refresh next: keep-alive, or ahead of the expiry of a token in use.

        Args:
            accesses: the stored access tokens.
            now: the present.
            jitter: 0 to 1; spreads what was connected together over a quarter of the interval.
        """
        keep_alive = now + self.keep_alive * (1 - jitter / 4)
        warm = [
            max(access.expires - self.margin, now + self.margin / 2)
            for access in accesses
            if access and access.asked and now - access.asked < DAY
        ]
        return min([keep_alive, *warm])

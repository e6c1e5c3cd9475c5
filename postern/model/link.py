"""A connect link: what a mailbox owner is sent. The link itself is never stored, its hash is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from postern.model.scopes import Protocol

DEFAULT_LIFE = timedelta(days=7)
LONGEST_LIFE = timedelta(days=90)
# A direct link skips the page that tells the owner who asks, so it is short and used once.
DIRECT_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A row of table `links`. Opening a link changes nothing; connecting a mailbox uses it."""

    config: str
    hash: str
    client: str
    protocols: tuple[Protocol, ...]
    created: datetime
    created_by: str
    expires: datetime
    uses: int = 1
    used: int = 0
    direct: bool = False
    expected_address: str | None = None
    expected_tenant: str | None = None
    return_url: str | None = None
    note: str = ""
    withdrawn: bool = False

    def ended(self, now: datetime) -> str | None:
        """Return why the link no longer works (a page reason), or None while it does."""
        if self.withdrawn:
            return "link-withdrawn"
        if now >= self.expires:
            return "link-expired"
        if self.used >= self.uses:
            return "link-used"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A row of table `pending`: one sign-in on its way through Entra.

    *hash* is of the `state` parameter, *browser* of the cookie; the verifier and nonce are sealed.
    *consumed* is set by a conditional update before the code is redeemed, so one answer wins.
    """

    hash: str
    config: str
    link: str
    browser: str
    verifier: bytes
    nonce: bytes
    scopes: tuple[str, ...]
    expires: datetime
    consumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a sign-in ended, for its last page. *reason* is None when the mailbox was connected."""

    reason: str | None = None
    correlation_id: str | None = None
    detail: dict[str, str] | None = None
    address: str = ""
    protocols: tuple[Protocol, ...] = ()
    missing: tuple[Protocol, ...] = ()
    return_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A row of table `pending` too: an ending, found by its ticket until it expires."""

    hash: str
    config: str
    expires: datetime
    ending: Ending

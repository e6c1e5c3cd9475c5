"""A mailbox: who it is and how it stands. Its tokens live elsewhere, see grant.py."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from postern.errors import NotFound
from postern.model.scopes import Protocol

SHARDS = 64
AGENCY = "agency"  # the client of mailboxes that the agency connects for itself

_ID = re.compile(r"(?P<config>[a-z0-9]{8})\.(?P<hash>[A-Za-z0-9_-]{43})")


def unknown_mailbox() -> NotFound:
    """Return the failure for a mailbox that is not there, or not for this caller."""
    return NotFound("mailbox-unknown", "There is no such mailbox.")


class MailboxState(StrEnum):
    """How a mailbox stands, in words for a person."""

    FRESH = "fresh"
    FAILING = "failing"
    RECONNECT_NEEDED = "reconnect-needed"
    PARKED = "parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxId:
    """`{config}.{hash}`; the hash is over who owns it, so reconnecting finds the same record.

    The same mailbox under another client is another record, never a takeover.
    """

    config: str
    hash: str

    @classmethod
    def of(cls, config: str, client: str, tenant: str, user: str) -> "MailboxId":
        """Return the id of Entra user *user* (`oid`) in *tenant* (`tid`) under *client*."""
        identity = json.dumps([config, client, tenant.lower(), user.lower()]).encode()
        digest = hashlib.sha256(identity).digest()
        return cls(config=config, hash=base64.urlsafe_b64encode(digest).rstrip(b"=").decode())

    @classmethod
    def parse(cls, text: str) -> "MailboxId | None":
        """Return the id that *text* writes, or None when it is none."""
        match = _ID.fullmatch(text)
        return cls(config=match["config"], hash=match["hash"]) if match else None

    @property
    def shard(self) -> str:
        """Return the partition of the grant: one of 64, by hash of config and mailbox."""
        digest = hashlib.sha256(f"{self.config}.{self.hash}".encode()).digest()
        return f"{digest[0] % SHARDS:02}"

    def __str__(self) -> str:
        return f"{self.config}.{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A row of table `mailboxes`: facts for people, written when a state changes.

    A projection, written after the grant: where the two differ, the grant is right.
    """

    config: str
    hash: str
    client: str
    address: str
    tenant: str
    user: str
    protocols: tuple[Protocol, ...]
    missing: tuple[Protocol, ...]
    state: MailboxState
    since: datetime
    connected: datetime
    cause: str | None = None

    @property
    def id(self) -> MailboxId:
        """Return the mailbox id."""
        return MailboxId(config=self.config, hash=self.hash)

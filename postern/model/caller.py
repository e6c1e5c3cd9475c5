"""Who calls, and the one question that every route begins with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from postern.errors import Forbidden, NotFound


class Role(StrEnum):
    """What an API key is for."""

    ADMIN = "admin"
    SENDER = "sender"
    CLIENT = "client"


class Action(StrEnum):
    """What a caller wants to do."""

    KEYS = "keys"
    CONFIGS = "configs"
    LINKS = "links"
    DIRECT_LINKS = "direct-links"
    MAILBOXES_SEE = "mailboxes-see"
    MAILBOXES_END = "mailboxes-end"
    TOKENS = "tokens"


# Admins do not fetch tokens: the key that an operator's script holds opens no mailbox by itself.
RIGHTS: dict[Role, frozenset[Action]] = {
    Role.ADMIN: frozenset(Action) - {Action.TOKENS},
    Role.SENDER: frozenset({Action.MAILBOXES_SEE, Action.TOKENS}),
    Role.CLIENT: frozenset(
        {Action.LINKS, Action.MAILBOXES_SEE, Action.MAILBOXES_END, Action.TOKENS}
    ),
}


def _nothing_here() -> NotFound:
    return NotFound("not-found", "There is nothing here that your key may see.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A row of table `keys`: the key's hash, its role and what it is bound to.

    *config* and *client* bound the caller; None is unbound. A client key always has both.
    """

    hash: str
    name: str
    role: Role
    created: datetime
    config: str | None = None
    client: str | None = None
    revoked: bool = False

    @property
    def id(self) -> str:
        """Return a name for logs and lists; it is no key and leads to none."""
        return self.hash[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What is acted on: of which config and client. None stands for *all of them*."""

    config: str | None = None
    client: str | None = None


def may(caller: Caller, action: Action, thing: Thing) -> bool:
    """Say whether *caller* may do *action* to *thing*.

    A bound caller may not act on *all*: an unbound thing is more than its bounds.
    """
    if caller.revoked or action not in RIGHTS[caller.role]:
        return False
    in_config = caller.config is None or caller.config == thing.config
    in_client = caller.client is None or caller.client == thing.client
    return in_config and in_client


def require(
    caller: Caller,
    action: Action,
    thing: Thing,
    *,
    unknown: Callable[[], NotFound] = _nothing_here,
) -> None:
    """Let *caller* pass or raise.

    Raises:
        Forbidden: the role has no such right, or not on all things.
        NotFound: the thing is another one's. *unknown* makes what the route also answers for a
            thing that does not exist: the two must look the same from outside.
    """
    if may(caller, action, thing):
        return
    own = Thing(config=caller.config, client=caller.client)
    if thing != Thing() and may(caller, action, own):
        raise unknown()
    raise Forbidden("not-allowed", f"A {caller.role} key may not do this.")

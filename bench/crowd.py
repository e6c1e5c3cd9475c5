"""Many callers at the same moment, through the service that hands out tokens."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bench.app import App
from postern.errors import PosternError
from postern.model.caller import Caller, Role
from postern.model.scopes import Protocol

CALLERS = 200
REPEATS = 3
EXPIRED = timedelta(0)


class NotAnswered(Exception):
    """Some of the callers got no token: a count of calls would say nothing."""


async def ask_at_once(postern: App, mailboxes: Sequence[str]) -> Counter[str]:
    """Ask for a token of each at the same moment; return how many ended how."""
    sender = Caller(hash="-", name="benchmark", role=Role.SENDER, created=datetime.now(UTC))

    async def one(mailbox: str) -> str:
        try:
            await postern.postern.delivery.token(sender, mailbox, Protocol.SMTP, 300)
        except PosternError as exc:
            return str(getattr(exc, "code", type(exc).__name__))
        return "token"

    return Counter(await asyncio.gather(*(one(mailbox) for mailbox in mailboxes)))


def all_answered(ended: Counter[str]) -> None:
    """Raise `NotAnswered` if a caller got no token."""
    if set(ended) != {"token"}:
        raise NotAnswered(f"the calls ended like this: {dict(ended)}")

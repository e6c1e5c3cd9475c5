"""What a failed refresh does to a grant. A pure rule: nothing is ever deleted by it."""

from dataclasses import replace
from datetime import datetime, timedelta

from postern.model.failure import Failure, FailureClass
from postern.model.grant import Grant
from postern.model.mailbox import MailboxState

# From this many failures on, people are told; fewer are the weather.
_FAILING_FROM = 3
# An answer that nobody knows is tried this often before a person is asked.
_UNKNOWN_TRIES = 5
_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=1)
_DAILY = timedelta(days=1)


def setback(
    grant: Grant,
    failure: Failure,
    now: datetime,
    *,
    retry_after: float | None,
    jitter: float,
) -> Grant:
    """Return *grant* after *failure*.

    Args:
        grant: as it was read.
        failure: of any class but app, which changes no mailbox.
        now: the present.
        retry_after: seconds that Entra asked us to wait, if it did.
        jitter: 0 to 1.
    """
    attempts = grant.attempts + 1
    changed = replace(
        grant,
        attempts=attempts,
        failing_since=grant.failing_since or now,
        lease=None,
        lease_until=None,
    )
    if failure.kind is FailureClass.GRANT:
        return replace(changed, state=MailboxState.RECONNECT_NEEDED, cause=failure.cause, due=None)
    given_up = failure.kind is FailureClass.UNKNOWN and attempts >= _UNKNOWN_TRIES
    if failure.kind is FailureClass.ACCOUNT or given_up:
        due = now + _DAILY * (1 + jitter / 4)
        return replace(changed, state=MailboxState.PARKED, cause=failure.cause, due=due)
    wait = min(_FIRST_WAIT * 2 ** min(attempts - 1, 10), _LONGEST_WAIT) * (1 + jitter)
    if retry_after is not None:
        wait = max(wait, timedelta(seconds=retry_after) * (1 + jitter / 4))
    changed = replace(changed, due=now + wait)
    if retry_after is not None or attempts >= _FAILING_FROM:
        changed = replace(changed, retry_at=now + wait)
    if attempts < _FAILING_FROM:
        return changed
    return replace(changed, state=MailboxState.FAILING, cause=failure.cause)

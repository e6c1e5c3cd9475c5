"""What a refresh is for, and when Entra is not to be asked. Pure rules."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from postern.errors import ConsentLost, Unavailable
from postern.model.explanations import explain
from postern.model.grant import Grant
from postern.model.mailbox import MailboxState
from postern.model.scopes import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a refresh is for.

    A sender needs tokens of *resources* that live at least *minimum*; the clock needs any refresh
    after *later_than*, so that of two timers, or a timer and a sender, one goes to Entra.
    """

    resources: tuple[Resource, ...]
    minimum: timedelta = timedelta()
    later_than: datetime | None = None

    @property
    def asked(self) -> bool:
        """Say whether a sender asked."""
        return self.later_than is None

    def met_by(self, grant: Grant, now: datetime) -> bool:
        """Say whether *grant* already holds what is needed."""
        if self.later_than is not None:
            return grant.refreshed > self.later_than
        least = max(self.minimum, timedelta(seconds=1))  # never one that ends this instant
        return all(
            (access := grant.access(resource)) is not None and access.expires - now >= least
            for resource in self.resources
        )


def require_a_try(grant: Grant, now: datetime) -> None:
    """Raise when Entra is not to be asked now, however many senders call."""
    waits_for_a_person = grant.due is None or (
        grant.state is MailboxState.PARKED and now < grant.due
    )
    if waits_for_a_person:
        raise lost(grant)
    if grant.retry_at is not None and now < grant.retry_at:
        cause = grant.cause or "throttled"
        wait = (grant.retry_at - now).total_seconds()
        raise Unavailable(cause, explain(cause), retry_after=wait)


def lost(grant: Grant) -> ConsentLost:
    """Return the failure that a sender reads for a grant which a person must repair."""
    return ConsentLost(
        f"mailbox-{grant.state}",
        explain(grant.cause or "grant-invalid"),
        {"mailbox": str(grant.id), "cause": grant.cause or "grant-invalid"},
    )

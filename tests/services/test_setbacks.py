"""What a failed refresh does to a grant: a pure rule that deletes nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.failure import Failure, FailureClass
from postern.model.grant import Grant
from postern.model.mailbox import MailboxState
from postern.model.scopes import Protocol
from postern.services.setbacks import setback

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)
GRANT = Grant(
    config="abcdefgh",
    hash="h",
    client="agency",
    username="ann@contoso.example",
    protocols=(Protocol.SMTP,),
    refresh_token=b"sealed",
    refreshed=NOW - timedelta(hours=1),
    due=NOW,
    lease="owner",
    lease_until=NOW + timedelta(seconds=30),
)


def after(kind: FailureClass, grant: Grant = GRANT, **changes: Any) -> Grant:
    how: dict[str, Any] = {"retry_after": None, "jitter": 0.0, **changes}
    return setback(grant, Failure(kind=kind, cause="a-cause"), NOW, **how)


def repeated(kind: FailureClass, times: int) -> Grant:
    grant = GRANT
    for _ in range(times):
        grant = after(kind, grant)
    return grant


def wait(grant: Grant) -> timedelta:
    assert grant.due is not None
    return grant.due - NOW


def test_a_lost_grant_waits_for_a_person_and_is_never_due():
    lost = after(FailureClass.GRANT)
    assert (lost.state, lost.cause, lost.due) == (MailboxState.RECONNECT_NEEDED, "a-cause", None)


def test_an_account_fault_is_parked_and_tried_daily():
    parked = after(FailureClass.ACCOUNT)
    assert (parked.state, parked.cause, wait(parked)) == (
        MailboxState.PARKED,
        "a-cause",
        timedelta(days=1),
    )


def test_weather_is_told_from_the_third_time_on():
    states = [repeated(FailureClass.TRANSIENT, n).state for n in (1, 2, 3)]
    assert states == [MailboxState.FRESH, MailboxState.FRESH, MailboxState.FAILING]


def test_weather_is_never_parked_and_waits_longer_each_time_up_to_an_hour():
    waits = [wait(repeated(FailureClass.TRANSIENT, n)) for n in range(1, 30)]
    assert waits[:7] == [timedelta(minutes=m) for m in (1, 2, 4, 8, 16, 32, 60)]
    assert set(waits[7:]) == {timedelta(hours=1)}
    assert repeated(FailureClass.TRANSIENT, 500).state is MailboxState.FAILING


def test_what_nobody_knows_is_parked_at_the_fifth_time():
    states = [repeated(FailureClass.UNKNOWN, n).state for n in range(1, 6)]
    assert states == [MailboxState.FRESH] * 2 + [MailboxState.FAILING] * 2 + [MailboxState.PARKED]


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_entras_wish_to_wait_is_honoured_and_spread(jitter: float):
    asked = after(FailureClass.TRANSIENT, retry_after=600, jitter=jitter)
    assert wait(asked) == timedelta(seconds=600) * (1 + jitter / 4)
    short = after(FailureClass.TRANSIENT, retry_after=1, jitter=jitter)
    assert wait(short) >= timedelta(minutes=1)


def test_the_first_failure_is_remembered():
    first = after(FailureClass.TRANSIENT)
    assert first.failing_since == NOW
    earlier = replace(GRANT, failing_since=NOW - timedelta(hours=3))
    assert after(FailureClass.TRANSIENT, earlier).failing_since == NOW - timedelta(hours=3)


@given(
    kind=st.sampled_from([k for k in FailureClass if k is not FailureClass.APP]),
    attempts=st.integers(0, 10_000),
    retry_after=st.none() | st.floats(0, 86_400),
    jitter=st.floats(0, 1),
    state=st.sampled_from(MailboxState),
)
def test_no_failure_loses_a_token_or_keeps_a_lease(
    kind: FailureClass,
    attempts: int,
    retry_after: float | None,
    jitter: float,
    state: MailboxState,
):
    before = replace(GRANT, attempts=attempts, state=state)
    changed = after(kind, before, retry_after=retry_after, jitter=jitter)
    assert (changed.refresh_token, changed.outlook, changed.graph, changed.refreshed) == (
        before.refresh_token,
        before.outlook,
        before.graph,
        before.refreshed,
    )
    assert (changed.lease, changed.lease_until) == (None, None)
    assert changed.attempts == attempts + 1
    if kind is FailureClass.GRANT:
        assert changed.due is None
    else:
        least = max(60.0, retry_after or 0.0) if kind is not FailureClass.ACCOUNT else 86_400.0
        assert least - 1e-3 <= wait(changed).total_seconds() <= 1.26 * 86_400 + 7200

"""When a grant is due: never in the past, never too late, and warm while it is used."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.grant import DAY, Access, Grant, Rhythm
from postern.model.scopes import Protocol, Resource

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RHYTHM = Rhythm(keep_alive=DAY, margin=10 * MINUTE)

spans = st.timedeltas(min_value=timedelta(days=-3), max_value=timedelta(days=3))
accesses = st.builds(
    lambda life, asked: Access(
        token=b"sealed", expires=NOW + life, asked=None if asked is None else NOW - asked
    ),
    spans,
    st.none() | st.timedeltas(min_value=timedelta(), max_value=timedelta(days=3)),
)
rhythms = st.builds(
    Rhythm,
    keep_alive=st.timedeltas(min_value=timedelta(seconds=30), max_value=timedelta(days=30)),
    margin=st.timedeltas(min_value=timedelta(seconds=1), max_value=HOUR),
)
several = st.lists(st.none() | accesses, max_size=2).map(tuple)
jitters = st.floats(min_value=0, max_value=1)


def access(life: timedelta, asked: timedelta | None = None) -> Access:
    return Access(token=b"sealed", expires=NOW + life, asked=None if asked is None else NOW - asked)


@given(rhythms, several, jitters)
def test_the_next_refresh_is_in_the_future(rhythm, stored, jitter):
    assert rhythm.next_due(stored, NOW, jitter) > NOW


@given(rhythms, several, jitters)
def test_no_grant_waits_longer_than_keep_alive(rhythm, stored, jitter):
    assert rhythm.next_due(stored, NOW, jitter) <= NOW + rhythm.keep_alive


@given(rhythms, several, jitters)
def test_a_token_in_use_is_renewed_before_it_ends(rhythm, stored, jitter):
    due = rhythm.next_due(stored, NOW, jitter)
    for each in stored:
        in_use = each and each.asked and NOW - each.asked < DAY
        # One that is all but over is renewed as soon as the clock allows, without a storm.
        if in_use and each.expires > NOW + rhythm.margin / 2:
            assert due < each.expires
        elif in_use:
            assert due <= NOW + rhythm.margin / 2


@given(rhythms, jitters)
def test_a_mailbox_at_rest_is_left_alone_for_three_quarters_of_keep_alive(rhythm, jitter):
    at_rest = (access(MINUTE), access(MINUTE, asked=DAY), None)
    assert rhythm.next_due(at_rest, NOW, jitter) >= NOW + rhythm.keep_alive * 3 / 4


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ((), DAY),
        ((access(HOUR), None), DAY),
        ((access(HOUR, asked=MINUTE), None), 50 * MINUTE),
        ((None, access(HOUR, asked=MINUTE)), 50 * MINUTE),
        ((access(2 * HOUR, asked=MINUTE), access(HOUR, asked=MINUTE)), 50 * MINUTE),
        ((access(HOUR, asked=DAY - MINUTE), None), 50 * MINUTE),
        ((access(HOUR, asked=DAY), None), DAY),
        ((access(12 * MINUTE, asked=MINUTE), None), 5 * MINUTE),
        ((access(-HOUR, asked=MINUTE), None), 5 * MINUTE),
    ],
)
def test_the_clock_by_example(stored, expected):
    assert RHYTHM.next_due(stored, NOW, 0) == NOW + expected


def test_jitter_spreads_what_was_connected_together_over_a_quarter():
    assert RHYTHM.next_due((), NOW, 1) == NOW + DAY * 3 / 4
    assert RHYTHM.next_due((), NOW, 0.5) == NOW + DAY * 7 / 8


def grant(**changes: object) -> Grant:
    fields: dict[str, Any] = {
        "config": "abcd2345",
        "hash": "h" * 43,
        "client": "agency",
        "username": "bob@contoso.example",
        "protocols": (Protocol.SMTP,),
        "refresh_token": b"sealed",
        "refreshed": NOW,
        "due": NOW + DAY,
    }
    return Grant(**(fields | changes))


def test_each_resource_has_its_own_token():
    outlook, graph = access(HOUR), access(2 * HOUR)
    both = grant(outlook=outlook, graph=graph)
    assert both.access(Resource.OUTLOOK) is outlook
    assert both.access(Resource.GRAPH) is graph
    assert grant().access(Resource.GRAPH) is None


@pytest.mark.parametrize(
    ("lease", "until", "expected"),
    [
        (None, None, False),
        ("owner", None, False),
        (None, NOW + MINUTE, False),
        ("owner", NOW + MINUTE, True),
        ("owner", NOW, False),
        ("owner", NOW - MINUTE, False),
    ],
)
def test_a_lease_ends_by_itself(lease, until, expected):
    assert grant(lease=lease, lease_until=until).leased(NOW) is expected


def test_its_id_is_its_mailboxs():
    assert str(grant().id) == f"abcd2345.{'h' * 43}"

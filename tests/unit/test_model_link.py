"""When a connect link is over, and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postern.model.link import DEFAULT_LIFE, DIRECT_LIFE, LONGEST_LIFE, Link
from postern.model.scopes import Protocol
from postern.pages.reasons import REASONS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def link(**changes: object) -> Link:
    fields: dict[str, Any] = {
        "config": "abcd2345",
        "hash": "h" * 43,
        "client": "agency",
        "protocols": (Protocol.SMTP,),
        "created": NOW - timedelta(days=1),
        "created_by": "k" * 12,
        "expires": NOW + timedelta(days=1),
    }
    return Link(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"expires": NOW + INSTANT}, None),
        ({"expires": NOW}, "link-expired"),
        ({"expires": NOW - INSTANT}, "link-expired"),
        ({"uses": 1, "used": 1}, "link-used"),
        ({"uses": 3, "used": 2}, None),
        ({"uses": 3, "used": 3}, "link-used"),
        ({"uses": 3, "used": 4}, "link-used"),
        ({"withdrawn": True}, "link-withdrawn"),
        # Withdrawn is told first: its owner must not wait for a link that was switched off.
        ({"withdrawn": True, "used": 1, "expires": NOW}, "link-withdrawn"),
        ({"used": 1, "expires": NOW}, "link-expired"),
    ],
)
def test_a_link_ends(changes, expected):
    assert link(**changes).ended(NOW) == expected
    assert expected is None or expected in REASONS


def test_lives_are_as_promised():
    assert DIRECT_LIFE == timedelta(minutes=10) < DEFAULT_LIFE < LONGEST_LIFE

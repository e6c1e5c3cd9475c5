"""A receipt never says more than was seen."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postern.model.receipt import Custody

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OPEN = Custody(
    activation="activation",
    config="abcd2345",
    client_id="client",
    tenant_id="tenant",
    secret_name="intake-activation",
    vault="https://intake.vault.azure.net",
    held_from=NOW,
    deadline=NOW + 600 * SECOND,
)
# What can be seen of a removal, and how the receipt lists it while it was not.
STEPS = {
    "deleted_at": "deleted from the intake vault",
    "purged_at": "purged from the intake vault",
    "gone_at": "read back as gone",
    "entra_removed_at": "removed from the app registration in Entra",
    "proven_at": "replaced by a proven credential",
}
SEEN = {name: NOW + n * SECOND for n, name in enumerate(STEPS, 1)}
EVERY_COMBINATION = [
    names for n in range(len(STEPS) + 1) for names in itertools.combinations(STEPS, n)
]


def seen_at(*names: str, **others: Any) -> Custody:
    changes: dict[str, Any] = {name: SEEN[name] for name in names}
    return replace(OPEN, **changes, **others)


def claims(custody: Custody) -> dict[str, Any]:
    return custody.claims("https://postern.example", NOW + 60 * SECOND)


@pytest.mark.parametrize("seen", EVERY_COMBINATION, ids="+".join)
def test_it_lists_exactly_what_was_not_seen(seen):
    said = claims(seen_at(*seen))
    assert said["not_done"] == [words for name, words in STEPS.items() if name not in seen]
    for name in STEPS:
        assert said[name] == (SEEN[name].isoformat() if name in seen else None)


@pytest.mark.parametrize(
    ("seen", "until", "seconds"),
    [
        ((), None, None),
        (("purged_at",), None, None),
        (("deleted_at",), None, None),  # it can still be recovered
        (("deleted_at", "gone_at"), SEEN["gone_at"], 3.0),
        (("gone_at",), SEEN["gone_at"], 3.0),
    ],
)
def test_it_was_held_until_it_was_seen_to_be_gone(seen, until, seconds):
    said = claims(seen_at(*seen))
    assert said["held_until"] == (until.isoformat() if until else None)
    assert said["seconds_held"] == seconds


def test_time_held_is_told_to_the_millisecond():
    gone = NOW + timedelta(seconds=4, microseconds=123_456)
    assert claims(replace(OPEN, gone_at=gone))["seconds_held"] == 4.123


def test_a_vault_that_forbids_purging_is_told():
    until = NOW + timedelta(days=90)
    said = claims(replace(OPEN, deleted_at=NOW + SECOND, recoverable_until=until))
    assert said["recoverable_until"] == until.isoformat()
    assert STEPS["purged_at"] in said["not_done"]


def test_it_names_what_it_is_about_and_who_says_so():
    said = claims(
        seen_at(
            *STEPS,
            closed_by="activation",
            replaced_by="managed-identity",
            proof="correlation",
            entra_note="note",
            entra_key_id="key",
        )
    )
    assert said == {
        "iss": "https://postern.example",
        "iat": int((NOW + 60 * SECOND).timestamp()),
        "jti": "activation",
        "sub": "abcd2345",
        "client_id": "client",
        "tenant_id": "tenant",
        "vault": "https://intake.vault.azure.net",
        "secret_name": "intake-activation",
        "held_from": NOW.isoformat(),
        "held_until": SEEN["gone_at"].isoformat(),
        "seconds_held": 3.0,
        **{name: seen.isoformat() for name, seen in SEEN.items()},
        "recoverable_until": None,
        "closed_by": "activation",
        "entra_note": "note",
        "replaced_by": "managed-identity",
        "proof_correlation_id": "correlation",
        "not_done": [],
    }
    assert json.loads(json.dumps(said)) == said

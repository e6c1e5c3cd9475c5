"""What is written to a row is what is read from it, for every kind of record."""

import dataclasses
import json
import types
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.errors import Unreadable
from postern.model.caller import Caller, Role
from postern.model.config import Config, ConfigState
from postern.model.grant import Access, Grant
from postern.model.link import Ending, Link, Outcome, Pending
from postern.model.mailbox import Mailbox, MailboxState
from postern.model.receipt import Custody
from postern.model.scopes import Protocol
from postern.ports import Value
from postern.stores.audit import Event
from postern.stores.codec import decode, encode
from postern.stores.configs import Breaker
from postern.stores.grants import Cursor

RECORDS = (
    *(Caller, Config, Grant, Link, Pending, Outcome, Mailbox, Custody),
    *(Event, Breaker, Cursor),
)
NOW = datetime(2026, 3, 1, 12, 30, 59, 123456, tzinfo=UTC)

moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the zone is drawn
    max_value=datetime(2120, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    bytes: st.binary(max_size=8),
    bool: st.booleans(),
    int: st.integers(0, 2**31 - 1),
    datetime: moments,
    type(None): st.none(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Draw values of a field, by its annotation: whatever field is added later is drawn too."""
    if hint in PLAIN:
        return PLAIN[hint]
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=3).map(tuple)
    if get_origin(hint) is dict:
        return st.dictionaries(*map(values, get_args(hint)), max_size=3)
    if isinstance(hint, types.UnionType):
        return st.one_of([values(each) for each in get_args(hint)])
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return st.builds(hint, **{name: values(each) for name, each in get_type_hints(hint).items()})


GRANT = Grant(
    config="abcd2345",
    hash="h" * 43,
    client="agency",
    username="bob@contoso.example",
    protocols=(Protocol.SMTP, Protocol.GRAPH),
    refresh_token=b"\x00\xffsealed",
    outlook=Access(token=b"\xfe\x00", expires=NOW, asked=NOW - timedelta(microseconds=1)),
    refreshed=NOW,
    due=None,
)


@pytest.mark.parametrize("kind", RECORDS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_record_reads_back_as_it_was(kind, data):
    record = data.draw(values(kind))
    columns = encode(record)
    assert decode(kind, columns) == record
    for name, value in columns.items():
        assert type(value) in {str, int, bool, float, bytes}, name
    of_a_newer_version: dict[str, Value] = {"newer": "x", "later": 1, "last": b"\x00"}
    assert decode(kind, columns | of_a_newer_version) == record


@pytest.mark.parametrize("kind", RECORDS)
def test_whatever_may_be_none_can_be_none(kind):
    fields = {
        name: st.none() if type(None) in get_args(hint) else values(hint)
        for name, hint in get_type_hints(kind).items()
    }

    @settings(max_examples=3)
    @given(st.builds(kind, **fields))
    def reads_back(record: Any) -> None:
        assert decode(kind, encode(record)) == record

    reads_back()


@pytest.mark.parametrize("kind", RECORDS)
def test_every_record_is_frozen(kind):
    assert dataclasses.is_dataclass(kind)
    assert vars(kind)["__dataclass_params__"].frozen


def test_none_is_left_out_and_comes_back():
    columns = encode(GRANT)
    assert {"graph", "due", "cause", "failing_since", "lease", "lease_until"}.isdisjoint(columns)
    assert decode(Grant, columns).due is None


def test_bytes_stay_bytes_and_inside_another_value_become_text():
    columns = encode(GRANT)
    assert columns["refresh_token"] == b"\x00\xffsealed"
    assert json.loads(str(columns["outlook"]))["token"] == "/gA="
    access = decode(Grant, columns).outlook
    assert access is not None
    assert access.token == b"\xfe\x00"


def test_a_moment_keeps_its_microseconds():
    columns = encode(GRANT)
    assert columns["refreshed"] == "2026-03-01T12:30:59.123456Z"
    back = decode(Grant, columns)
    assert back.refreshed == NOW
    assert back.outlook is not None
    assert back.outlook.asked == NOW - timedelta(microseconds=1)


def test_words_become_the_enums_that_they_were():
    columns = encode(GRANT)
    assert (columns["state"], columns["protocols"]) == ("fresh", '["smtp","graph"]')
    back = decode(Grant, columns)
    assert back.state is MailboxState.FRESH
    assert isinstance(back.protocols, tuple)
    assert all(isinstance(each, Protocol) for each in back.protocols)


def test_an_empty_tuple_and_an_empty_text_are_not_none():
    columns = encode(dataclasses.replace(GRANT, protocols=(), cause=""))
    assert (columns["protocols"], columns["cause"]) == ("[]", "")
    assert decode(Grant, columns) == dataclasses.replace(GRANT, protocols=(), cause="")


def test_what_an_older_version_did_not_write_takes_its_default():
    columns = encode(GRANT)
    for name in ("state", "attempts"):
        del columns[name]
    assert decode(Grant, columns) == GRANT


def test_text_that_looks_like_json_stays_text():
    event = Event(at=NOW, config='["x"]', caller="null", did='{"a":1}', what="true", result="1")
    assert decode(Event, encode(event)) == event


def test_a_dictionary_inside_reads_back():
    ending = Ending(reason="wrong-account", detail={"expected": "a…@b", '"': "\\"}, missing=())
    outcome = Outcome(hash="h", config="abcd2345", expires=NOW, ending=ending)
    assert decode(Outcome, encode(outcome)) == outcome


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "no-such-state"),
        ("refreshed", "yesterday"),
        ("attempts", "many"),
        ("protocols", "{"),
        ("protocols", '["pop3"]'),
        ("outlook", '{"token": "/gA="}'),
    ],
)
def test_a_value_that_cannot_be_right_is_not_taken(column, value):
    with pytest.raises(Unreadable):
        decode(Grant, encode(GRANT) | {column: value})


def test_a_row_without_a_needed_column_is_not_taken():
    columns = encode(GRANT)
    del columns["refresh_token"]
    with pytest.raises(Unreadable):
        decode(Grant, columns)


def test_states_and_roles_are_stored_as_the_words_that_stand_here():
    """A renamed word would make every stored row of it unreadable."""
    assert {*ConfigState} == {
        *("validating", "handing-over", "awaiting-trust", "active", "failed"),
    }
    assert {*MailboxState} == {"fresh", "failing", "reconnect-needed", "parked"}
    assert {*Role} == {"admin", "sender", "client"}
    assert {*Protocol} == {"smtp", "imap", "graph"}

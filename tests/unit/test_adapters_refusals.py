"""Entra's error answers as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.adapters.entra.refusals import error_body, refusal, seconds, unreachable

DESCRIPTION = (
    "AADSTS700082: The refresh token of alice@fabrikam.example has expired due to inactivity."
    " Trace ID: 1 Correlation ID: 2 Timestamp: 2026-03-01 12:00:00Z"
)
FULL = {
    "error": "invalid_grant",
    "error_description": DESCRIPTION,
    "error_codes": [700082, 50173],
    "suberror": "bad_token",
    "correlation_id": "correlation",
    "trace_id": "trace",
}


def test_a_full_answer():
    refused = refusal(FULL, 400, "17")
    assert (refused.error, refused.status, refused.number) == ("invalid_grant", 400, 700082)
    assert (refused.suberror, refused.correlation_id) == ("bad_token", "correlation")
    assert refused.retry_after == 17.0


def test_no_word_of_the_description_is_kept():
    refused = refusal(FULL, 400)
    assert "alice" not in repr(refused)
    assert "alice" not in str(refused)


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ({"error_codes": [7000215]}, 7000215),
        ({"error_codes": ["7000215"]}, 7000215),
        ({"error_codes": []}, None),
        ({"error_codes": None}, None),
        ({"error_codes": [], "error_description": "AADSTS50057: disabled"}, 50057),
        ({"error_description": "AADSTS50057: disabled"}, 50057),
        # The list is meant for programs: it wins over the sentence.
        ({"error_codes": [1], "error_description": "AADSTS50057: disabled"}, 1),
        # A number that a description only quotes is somebody's text.
        ({"error_description": "you said AADSTS50057"}, None),
        ({"error_description": "AADSTS"}, None),
        ({"error_description": None}, None),
        ({}, None),
    ],
)
def test_the_number_is_found(body, number):
    assert refusal(body, 400).number == number


def test_an_answer_without_an_error_is_unknown():
    refused = refusal({}, 418)
    assert (refused.error, refused.status) == ("unknown", 418)
    assert (refused.suberror, refused.correlation_id, refused.retry_after) == (None, None, None)


@pytest.mark.parametrize(
    "text",
    ["", "<html></html>", "{", "null", "[]", "7", '"text"', "[{}]", "\ufeff{}"],
)
def test_what_a_proxy_says_in_entras_place_is_no_answer(text):
    assert error_body(text) == {}


def test_an_error_body_is_read():
    assert error_body('{"error": "invalid_grant"}') == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("30", 30.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds(header, expected):
    assert seconds(header) == expected


@given(st.text(st.characters(max_codepoint=127)))
def test_no_header_stops_us(header):
    found = seconds(header)
    assert found is None or found >= 0


def test_an_entra_that_is_away_is_told_by_its_code():
    assert unreachable().code == "entra-unavailable"
    assert unreachable() is not unreachable()

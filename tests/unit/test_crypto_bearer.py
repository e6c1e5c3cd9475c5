"""Bearer values have a shape, and what has another one is never looked up."""

import base64
import hashlib
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.crypto import bearer
from postern.model.secret import Secret

RANDOM = "A" * 21 + "-_" + "z" * 20
GOOD_KEY = f"postern_{RANDOM}{zlib.crc32(RANDOM.encode()):08x}"


def test_a_token_holds_256_random_bits():
    tokens = {bearer.new_token().reveal() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert len(base64.urlsafe_b64decode(token + "=")) == 32
        assert bearer.looks_like_token(token)


def test_a_key_is_a_token_with_a_name_and_a_checksum():
    keys = {bearer.new_api_key().reveal() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert bearer.looks_like_api_key(key)
        random = re.fullmatch("postern_(.{43})([0-9a-f]{8})", key)
        assert random
        assert bearer.looks_like_token(random[1])
        assert int(random[2], 16) == zlib.crc32(random[1].encode())


def test_a_written_key_is_known():
    assert bearer.looks_like_api_key(GOOD_KEY)


@pytest.mark.parametrize("place", range(len("postern_"), len(GOOD_KEY)))
def test_no_letter_of_a_key_can_be_mistyped(place):
    other = "b" if GOOD_KEY[place] != "b" else "c"
    assert not bearer.looks_like_api_key(GOOD_KEY[:place] + other + GOOD_KEY[place + 1 :])


@pytest.mark.parametrize(
    "junk",
    [
        "",
        RANDOM,
        GOOD_KEY[:-1],
        GOOD_KEY + "0",
        GOOD_KEY + "\n",
        " " + GOOD_KEY,
        GOOD_KEY.upper(),
        GOOD_KEY.replace("postern_", "Postern_"),
        GOOD_KEY.replace("postern_", ""),
        GOOD_KEY[:-8] + "00000000",
        GOOD_KEY.replace("AAAA", "AAA+"),
        GOOD_KEY.replace("AAAA", "AAAé"),
    ],
)
def test_what_is_no_key_is_not_taken_for_one(junk):
    assert not bearer.looks_like_api_key(junk)


@pytest.mark.parametrize(
    "junk",
    ["", RANDOM[:-1], RANDOM + "A", RANDOM + "\n", RANDOM[:-1] + "=", RANDOM[:-1] + "+", "é" * 43],
)
def test_what_is_no_token_is_not_taken_for_one(junk):
    assert bearer.looks_like_token(RANDOM)
    assert not bearer.looks_like_token(junk)


@given(st.text())
def test_a_digest_has_the_shape_of_a_token_so_that_it_fits_a_key_and_a_cookie(text):
    assert bearer.looks_like_token(bearer.digest(text))


def test_a_digest_is_sha_256_and_does_not_care_how_the_value_is_held():
    plain = hashlib.sha256(RANDOM.encode()).digest()
    assert base64.urlsafe_b64decode(bearer.digest(RANDOM) + "=") == plain
    assert bearer.digest(Secret(RANDOM)) == bearer.digest(RANDOM)


def test_a_context_makes_another_digest():
    digests = [(), ("form",), ("form", "link"), ("formlink",), ("form", "other")]
    assert len({bearer.digest(RANDOM, *context) for context in digests}) == len(digests)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a", "a", True), ("a", "b", False), ("a", "ab", False), ("é", "é", True), ("", "", True)],
)
def test_same_compares_any_text(one, other, expected):
    assert bearer.same(one, other) is expected


@given(st.binary())
def test_base64url_is_what_a_cookie_and_a_path_carry_untouched(data):
    text = bearer.base64url(data)
    assert re.fullmatch("[A-Za-z0-9_-]*", text)
    assert base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) == data

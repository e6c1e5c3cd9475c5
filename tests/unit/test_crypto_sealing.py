"""What is sealed opens where it belongs, whole, under a key of the ring, and nowhere else."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from postern.crypto.sealing import KEY_ID_LENGTH, KeyRing, SealBroken, _associated, new_key_id
from postern.model.secret import Secret

OLD, NEW = "0000aaaa", "1111bbbb"
OLD_CIPHER = AESGCM(bytes(range(32)))
NEW_CIPHER = AESGCM(bytes(range(32, 64)))
BEFORE = KeyRing(newest=OLD, ciphers={OLD: OLD_CIPHER})
ROTATED = KeyRing(newest=NEW, ciphers={OLD: OLD_CIPHER, NEW: NEW_CIPHER})
AFTER = KeyRing(newest=NEW, ciphers={NEW: NEW_CIPHER})

VALUE = Secret("0.AVYA-refresh-token-of-alice")
WHERE = ("abcd2345", "mailbox-of-alice", "refresh")

contexts = st.lists(st.text(max_size=5), max_size=4).map(tuple)


@given(st.text(), contexts)
def test_what_is_sealed_opens_again(text, context):
    assert ROTATED.open(ROTATED.seal(Secret(text), *context), *context) == Secret(text)


def test_the_same_value_is_never_sealed_alike_and_never_readable():
    one, other = BEFORE.seal(VALUE, *WHERE), BEFORE.seal(VALUE, *WHERE)
    assert one != other
    assert VALUE.reveal().encode() not in one
    nonces = {BEFORE.seal(VALUE, *WHERE)[KEY_ID_LENGTH : KEY_ID_LENGTH + 12] for _ in range(200)}
    assert len(nonces) == 200


@pytest.mark.attack
@pytest.mark.parametrize(
    "elsewhere",
    [
        (),
        WHERE[:2],
        (*WHERE, ""),
        ("abcd2345", "mailbox-of-bob", "refresh"),
        ("zzzz2345", "mailbox-of-alice", "refresh"),
        ("abcd2345", "mailbox-of-alice", "access:outlook"),
        ("mailbox-of-alice", "abcd2345", "refresh"),
        ("abcd2345m", "ailbox-of-alice", "refresh"),
        ("abcd2345", "mailbox-of-alicerefresh"),
    ],
)
def test_a_row_copied_elsewhere_does_not_open(elsewhere):
    with pytest.raises(SealBroken):
        BEFORE.open(BEFORE.seal(VALUE, *WHERE), *elsewhere)


@given(contexts, contexts)
def test_two_places_are_never_written_alike(one, other):
    assert (_associated(one) == _associated(other)) is (one == other)


@pytest.mark.attack
def test_no_byte_can_be_altered():
    sealed = BEFORE.seal(VALUE, *WHERE)
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 0x01
        with pytest.raises(SealBroken):
            BEFORE.open(bytes(altered), *WHERE)


@pytest.mark.attack
def test_nothing_can_be_cut_off_or_added():
    sealed = BEFORE.seal(VALUE, *WHERE)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            BEFORE.open(sealed[:length], *WHERE)
    with pytest.raises(SealBroken):
        BEFORE.open(sealed + b"\0", *WHERE)


@given(st.binary(max_size=60))
def test_junk_does_not_open(junk):
    with pytest.raises(SealBroken):
        ROTATED.open(junk)
    with pytest.raises(SealBroken):
        ROTATED.open(OLD.encode() + junk)


def test_the_newest_key_seals_and_every_key_opens():
    old, new = BEFORE.seal(VALUE, *WHERE), ROTATED.seal(VALUE, *WHERE)
    assert (old[:KEY_ID_LENGTH], new[:KEY_ID_LENGTH]) == (OLD.encode(), NEW.encode())
    assert ROTATED.open(old, *WHERE) == ROTATED.open(new, *WHERE) == VALUE
    assert AFTER.open(new, *WHERE) == VALUE


def test_without_its_key_nothing_opens():
    with pytest.raises(SealBroken, match="no key of the ring"):
        AFTER.open(BEFORE.seal(VALUE, *WHERE), *WHERE)


@pytest.mark.attack
def test_naming_another_key_of_the_ring_does_not_help():
    sealed = BEFORE.seal(VALUE, *WHERE)
    with pytest.raises(SealBroken, match="does not open"):
        ROTATED.open(NEW.encode() + sealed[KEY_ID_LENGTH:], *WHERE)


def test_a_broken_seal_says_nothing_of_its_value():
    sealed = BEFORE.seal(VALUE, *WHERE)
    with pytest.raises(SealBroken) as caught:
        BEFORE.open(sealed[:-1], *WHERE)
    assert VALUE.reveal() not in repr(caught.value)


def test_key_ids_are_of_the_length_that_leads_a_sealed_value():
    ids = {new_key_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(each) for each in ids} == {KEY_ID_LENGTH}

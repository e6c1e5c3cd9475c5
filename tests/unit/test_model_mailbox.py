"""A mailbox's id says whose it is, and a client never reaches another's by it."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.mailbox import SHARDS, MailboxId

TENANT = "f0000000-0000-4000-8000-000000000001"
USER = "f0000000-0000-4000-8000-00000000000a"
ALICE = MailboxId.of("abcd2345", "agency", TENANT, USER)
HASH = ALICE.hash

words = st.text(max_size=8)


def test_it_never_changes():
    """The value is written out: another one would orphan every stored mailbox."""
    assert str(ALICE) == "abcd2345.NZkAgpPli-DxM6wzDP2Xtq_LtrN71H5yjLj_69wBzDY"
    assert ALICE.shard == "06"


def test_reconnecting_finds_the_same_record_however_the_ids_are_written():
    assert MailboxId.of("abcd2345", "agency", TENANT.upper(), USER.upper()) == ALICE


def test_config_client_tenant_and_user_each_make_another_record():
    ids = {
        ALICE,
        MailboxId.of("zzzz2345", "agency", TENANT, USER),
        MailboxId.of("abcd2345", "other", TENANT, USER),
        MailboxId.of("abcd2345", "agency", USER, USER),
        MailboxId.of("abcd2345", "agency", TENANT, TENANT),
    }
    assert len({each.hash for each in ids}) == 5


@given(st.tuples(words, words, words, words), st.tuples(words, words, words, words))
def test_no_two_owners_share_a_record(one, other):
    def identity(parts: tuple[str, ...]) -> tuple[str, ...]:
        return parts[0], parts[1], parts[2].lower(), parts[3].lower()

    same = identity(one) == identity(other)
    assert (MailboxId.of(*one).hash == MailboxId.of(*other).hash) is same


def test_moving_a_letter_from_one_part_to_the_next_is_another_owner():
    splits = [("ab", "c", "d", "e"), ("a", "bc", "d", "e"), ("a", "b", "cd", "e")]
    splits += [('a", "b', "c", "d", "e"), ("a", 'b", "c', "d", "e")]
    hashes = [MailboxId.of(*split).hash for split in splits]
    assert all(one != other for one, other in itertools.combinations(hashes, 2))


@given(words, words)
def test_a_written_id_reads_back(client, user):
    one = MailboxId.of("abcd2345", client, TENANT, user)
    assert MailboxId.parse(str(one)) == one


@given(words)
def test_a_shard_is_one_of_64_and_written_with_two_digits(user):
    shard = MailboxId.of("abcd2345", "agency", TENANT, user).shard
    assert re.fullmatch("[0-9]{2}", shard)
    assert int(shard) < SHARDS


def test_shards_are_filled_evenly():
    used = [MailboxId.of("abcd2345", "agency", TENANT, str(n)).shard for n in range(6400)]
    counts = [used.count(shard) for shard in set(used)]
    assert len(counts) == SHARDS
    assert 50 < min(counts) <= max(counts) < 160


@pytest.mark.parametrize(
    "junk",
    [
        "",
        ".",
        "abcd2345",
        f"abcd2345{HASH}",
        f"abcd234.{HASH}",
        f"abcd23456.{HASH}",
        f"ABCD2345.{HASH}",
        f"abcd2345.{HASH[:-1]}",
        f"abcd2345.{HASH}A",
        f"abcd2345.{HASH}\n",
        f"\nabcd2345.{HASH}",
        f" abcd2345.{HASH}",
        f"abcd2345.{HASH[:-1]}=",
        f"abcd2345.{HASH[:-1]}/",
        f"abcd2345.{HASH[:-1]}~",
        f"abcd234٣.{HASH}",
        f"abcd2345.{HASH[:-1]}é",
        f"abcd2345.{HASH}.x",
    ],
)
def test_junk_is_no_id(junk):
    assert MailboxId.parse(junk) is None

"""The form checks of an activation, with whatever people and attackers may paste."""

import uuid
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postern.errors import Malformed
from postern.model.secret import Secret
from postern.services.forms import check_return_url, check_secret, is_address, is_guid

ANYTHING = st.text(max_size=600)
PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


def refused(check, *values):
    """Return the code that a check refuses with, or None."""
    try:
        check(*values)
    except Malformed as exc:
        return exc.code
    return None


@given(st.uuids(), st.sampled_from([str.lower, str.upper]), st.sampled_from(["", " ", "\n", "\t"]))
def test_whatever_is_a_guid_is_the_secrets_id(value, case, around):
    assert refused(check_secret, Secret(around + case(str(value)) + around)) == "secret-id-pasted"


@given(st.text(PRINTABLE, min_size=8, max_size=512))
def test_whatever_entra_could_have_made_is_taken(text):
    expected = "secret-id-pasted" if is_guid(text) else None
    assert refused(check_secret, Secret(text)) == expected


@given(ANYTHING)
@example("")
@example("x" * 513)
@example("two words")
@example("ends-in-a-newline\n")
@example("not-ascii-ä")
def test_nothing_else_breaks_the_check(text):
    code = refused(check_secret, Secret(text))
    printable = all("!" <= each <= "~" for each in text)
    if code is None:
        assert printable
        assert 8 <= len(text) <= 512
    else:
        assert code in {"secret-id-pasted", "secret-malformed"}


@given(ANYTHING)
@example("https://good.example\\@evil.example/")
@example("https://user:pass@good.example/")
@example("https://good.example\t.evil.example/")
@example("https:///good.example")
@example("//good.example")
@example("https://good.example%2eevil.example/")
@example("javascript://good.example/%0aalert(1)")
@example("http://good.example/")
@example("https://gооd.example/")  # noqa: RUF001 - two Cyrillic letters, on purpose
@example("https://[::1")
def test_an_accepted_return_url_means_one_host_to_every_reader(url):
    if refused(check_return_url, url) is not None:
        return
    parts = urlsplit(url)
    assert url.isascii()
    assert url.isprintable()
    assert parts.scheme == "https" or parts.hostname in {"localhost", "127.0.0.1", "::1"}
    assert parts.username is None
    assert parts.hostname
    assert not set(url) & set("\\ @<>\"'`")


@pytest.mark.parametrize(
    "url",
    [
        "https://app.contoso.example/done",
        "https://app.contoso.example:8443/done?from=mail&x=%20",
        "http://localhost:3000/done",
    ],
)
def test_an_honest_return_url_is_taken(url):
    assert refused(check_return_url, url) is None


@given(ANYTHING)
def test_only_guids_are_guids(text):
    if is_guid(text):
        assert str(uuid.UUID(text)) == text.lower()


@given(ANYTHING)
def test_an_address_is_one_line_with_one_at(text):
    if is_address(text):
        assert text.count("@") == 1
        assert text.isprintable()
        assert not set(text) & set(' <>"')

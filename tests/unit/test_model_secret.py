"""A secret is seen through `reveal()` and in no other way."""

import copy
import dataclasses
import json
import logging
import pickle
import traceback

import msgspec
import pytest

from postern.model.secret import Secret

VALUE = "never-to-be-seen"
SECRET = Secret(VALUE)


@dataclasses.dataclass(frozen=True)
class Holder:
    name: str
    secret: Secret


def failing_with(value: Secret) -> None:
    held_in_a_local = value
    raise RuntimeError(f"cannot use {held_in_a_local}", value)


def test_it_gives_its_value_when_asked_by_name():
    assert SECRET.reveal() == VALUE


@pytest.mark.parametrize(
    "shown",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET:>40}",
        f"{SECRET!r:s}",
        "%s" % SECRET,  # noqa: UP031 - this very form is tested
        "%r" % (SECRET,),  # noqa: UP031 - likewise
        "{0} {0!s}".format(SECRET),  # noqa: UP032 - likewise
        str([SECRET, {"secret": SECRET}]),
        repr(Holder("name", SECRET)),
        str(ValueError(SECRET)),
    ],
)
def test_no_text_shows_it(shown):
    assert VALUE not in shown
    assert "Secret(***)" in shown


def test_no_traceback_shows_it_not_even_one_with_locals():
    with pytest.raises(RuntimeError) as caught:
        failing_with(SECRET)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(told.format())
    assert "held_in_a_local = Secret(***)" in text
    assert VALUE not in text


def test_no_log_line_shows_it(caplog):
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("got %s and %r", SECRET, Holder("name", SECRET))
    assert "Secret(***)" in caplog.text
    assert VALUE not in caplog.text


@pytest.mark.parametrize(
    "serialise",
    [pickle.dumps, json.dumps, msgspec.json.encode, msgspec.to_builtins, copy.copy, copy.deepcopy],
)
def test_it_leaves_the_process_in_no_form(serialise):
    with pytest.raises(TypeError) as caught:
        serialise(SECRET)
    assert VALUE not in str(caught.value)


def test_there_is_no_dictionary_to_look_into():
    assert not hasattr(SECRET, "__dict__")


def test_equal_values_are_equal_and_hash_alike():
    assert Secret(VALUE) == SECRET
    assert Secret("ü") == Secret("ü")
    assert Secret("other") != SECRET
    assert SECRET != VALUE
    assert len({SECRET, Secret(VALUE)}) == 1


def test_only_an_empty_one_is_false():
    assert not Secret("")
    assert SECRET

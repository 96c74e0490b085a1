"""The words of codes: enough of them, none mistaken for another, and every way to write one down is understood."""

from __future__ import annotations

import string
import unicodedata
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.pair.vocabulary import SUGGESTIONS_MAX, folded, nearest, place_of, words

WORDS = st.sampled_from([*words(0), *words(1)])


def test_two_words_are_a_secret_of_twenty_bits() -> None:
    assert all(len(words(place)) == len(set(words(place))) for place in (0, 1))
    assert log2(len(words(0))) + log2(len(words(1))) >= 20


def test_a_word_stands_in_one_place_only() -> None:
    assert not set(words(0)) & set(words(1))
    assert all(place_of(word) == place for place in (0, 1) for word in words(place))


def test_no_wrong_letter_makes_another_word_of_the_same_place() -> None:
    """Nor one that is left out or added: all words have the same length."""
    for place in (0, 1):
        known = set(words(place))
        for word in known:
            for at, letter in enumerate(word):
                others = (word[:at] + other + word[at + 1 :] for other in string.ascii_lowercase if other != letter)
                assert known.isdisjoint(others), word


def test_two_syllables_in_the_wrong_order_are_no_word() -> None:
    for place in (0, 1):
        assert not any(place_of(word[2:4] + word[:2] + word[4:]) == place for word in words(place))


@given(WORDS)
def test_a_word_is_its_own_folded_form(word: str) -> None:
    assert folded(word) == word
    assert folded(word.upper()) == word


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Tomári", "tomari"),
        ("domari", "tomari"),
        ("tommari", "tomari"),
        ("thomary", "tomari"),
        ("tomaris-", "tomaris"),
        ("toumari", "tumari"),
        ("Tümari", "tumari"),
        ("tuemari", "tumari"),
        ("toomari", "tumari"),
        ("teaumari", "tomari"),
        ("qui", "ki"),
        ("chi", "ki"),
        ("ci", "si"),
        ("ca", "ka"),
        ("ssa", "sa"),
        ("Straße", "strasi"),
        ("vapho", "fafo"),
        ("pee", "pi"),
        ("", ""),
    ],
)
def test_what_is_heard_is_written_in_many_ways(written: str, meant: str) -> None:
    assert folded(written) == meant
    assert folded(unicodedata.normalize("NFD", written)) == meant


@given(st.text(max_size=30))
def test_any_text_can_be_folded(text: str) -> None:
    assert all(c.isalnum() for c in folded(text))


@given(WORDS, st.integers(0, 5), st.sampled_from(string.ascii_lowercase))
def test_the_word_that_was_meant_is_among_the_nearest(word: str, at: int, letter: str) -> None:
    place = place_of(word)
    assert place is not None
    for wrong in (word[:at] + letter + word[at + 1 :], word[:at] + word[at + 1 :]):
        suggested = nearest(folded(wrong), place)
        assert len(suggested) <= SUGGESTIONS_MAX
        assert word in suggested or len(suggested) == SUGGESTIONS_MAX or folded(wrong) != wrong


def test_nothing_is_near_to_nonsense() -> None:
    assert nearest("", 0) == ()
    assert nearest("xylophonist", 1) == ()

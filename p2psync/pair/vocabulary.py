"""The words of a spoken code: three open syllables each, which sound alike in French, German, Italian and English.

Said over the telephone, written down by somebody of another language, read aloud again: so there is no pair of sounds
that some of them do not tell apart (p and b, t and d, k and g, s and z, f and v, e and i), and every usual way to
write down what was heard is taken for the word. The last syllable checks the first two: one wrong letter, or two
syllables in the wrong order, is no word. First and second words are checked differently, so that none is both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

SYLLABLES: Final = tuple(consonant + vowel for consonant in "ptkfsmnlr" for vowel in "aiou")
WORD_LETTERS: Final = 6
SUGGESTIONS_MAX: Final = 3
FAR: Final = 3
"""So many letters wrong, and it is another word."""

_CHECKS: Final = (11, 24)
"""What tells first from second words."""
_UNFORTUNATE: Final = re.compile(
    "kaka|pipi|popo|titi|lolo|kul[oi]|put[aio]|nasi|fik[ao]|fuk|pis[ai]|suka|kona|salo|anal|anus|satan|nut[aio]|foti"
    "|pini|kok|kas[io]|mona|sifi"
)
"""What nobody wants to say to a client, in one of the languages."""
_HEARD: Final = (
    *(("ph", "f"), ("sch", "s"), ("ch", "k"), ("qu", "k"), ("eau", "o"), ("au", "o"), ("ou", "u"), ("oo", "u")),
    *(("ee", "i"), ("ie", "i"), ("ci", "si"), ("ce", "se"), ("ae", "a"), ("oe", "o"), ("ue", "u")),
    *(("c", "k"), ("q", "k"), ("g", "k"), ("b", "p"), ("d", "t"), ("v", "f"), ("w", "f"), ("z", "s"), ("ß", "s")),
    *(("y", "i"), ("j", "i"), ("e", "i"), ("h", "")),
)
"""How people write what they hear, in this order: none of the letters on the left is in a word."""
_TWICE: Final = re.compile(r"(.)\1+")


@cache
def words(place: int) -> tuple[str, ...]:
    """All words for the first (0) or second (1) place in a code, in alphabetical order; at least 1,024."""
    return tuple(sorted(_words(_CHECKS[place])))


def folded(text: str) -> str:
    """What was written down, as a word would be written: small letters, without accents, by its sound."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    heard = "".join(c for c in plain if c.isalnum())
    for written, meant in _HEARD:
        heard = heard.replace(written, meant)
    return _TWICE.sub(r"\1", heard)


def place_of(word: str) -> int | None:
    """Where in a code this word stands; None if it is none."""
    return next((place for place in (0, 1) if word in _known(place)), None)


def nearest(text: str, place: int) -> tuple[str, ...]:
    """Up to three words for this place that this may be a mistyped form of, the likeliest first."""
    apart = sorted((_distance(text, word), word) for word in words(place))
    least = apart[0][0]
    return tuple(word for distance, word in apart if distance == least)[:SUGGESTIONS_MAX] if least < FAR else ()


@cache
def _known(place: int) -> frozenset[str]:
    return frozenset(words(place))


def _words(check: int) -> Iterator[str]:
    count = len(SYLLABLES)
    for one in range(count):
        for two in range(count):
            three = (5 * one + 7 * two + check) % count
            word = SYLLABLES[one] + SYLLABLES[two] + SYLLABLES[three]
            swapped_is_a_word = abs(one - two) in (0, count // 2)
            if not swapped_is_a_word and two != three and not _UNFORTUNATE.search(word):
                yield word


def _distance(a: str, b: str) -> int:
    """How many letters have to be changed, added or left out to make one of the other."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        before, row = row, [i]
        for j, other in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other)))
    return row[-1]

"""Spoken codes: a number by which inviter and joiner find each other, and two words that prove who was told.

The number is no secret: it says where, as a telephone number does. The words are one secret of 20 bits: too short for
anything but `exchange`, where a guess can be tried once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Container
from dataclasses import field

from blake3 import blake3

from p2psync.core.value import value
from p2psync.errors import TicketMalformed
from p2psync.pair.ticket import TICKET_ID_BYTES, TicketId
from p2psync.pair.vocabulary import WORD_LETTERS, folded, nearest, place_of, words

NUMBER_MIN, NUMBER_MAX = 1000, 9999
TEXT_CHARACTERS_MAX = 200

_DOOR = b"code "
_ROOM_BYTES = 16
_BEGINS_WITH_A_DIGIT = re.compile(r"[\W_]*\d")
_PIECES = re.compile(r"\d+|[^\W\d_]+")


@value
class Code:
    """What is said over the telephone."""

    number: int
    """NUMBER_MIN to NUMBER_MAX."""
    words: tuple[str, str] = field(repr=False)
    """A first word and a second one."""

    def __str__(self) -> str:
        return f"{self.number}-{self.words[0]}-{self.words[1]}"

    @property
    def password(self) -> bytes:
        return str(self).encode("ascii")


def draw(below: Callable[[int], int], taken: Container[int]) -> Code:
    """A new code whose number is not taken. `below(n)` draws a number from 0 to n-1 that nobody can foresee."""
    while True:
        number = NUMBER_MIN + below(NUMBER_MAX - NUMBER_MIN + 1)
        if number not in taken:
            first, second = (words(place)[below(len(words(place)))] for place in (0, 1))
            return Code(number, (first, second))


def is_code(text: str) -> bool:
    """Whether it is meant for a code, rather than for a ticket: it is short, begins with a digit, and holds none."""
    is_short = len(text) <= TEXT_CHARACTERS_MAX
    return is_short and _BEGINS_WITH_A_DIGIT.match(text) is not None and "P2P" not in text.upper()


def parse(text: str) -> Code:
    """The code in a text, however it was written down: capitals, accents, hyphens and spaces do not matter, nor which
    word comes first, nor letters that sound alike.

    Raises TicketMalformed that says what is wrong, and which word may be meant; nobody was asked yet, so that no try
    is spent.
    """
    pieces = _PIECES.findall(unicodedata.normalize("NFKC", text)) if len(text) <= TEXT_CHARACTERS_MAX else []
    digits = "".join(piece for piece in pieces if piece.isdecimal())
    written = _two([piece for piece in pieces if not piece.isdecimal()])
    if written is None or len(digits) != len(str(NUMBER_MAX)) or int(digits) < NUMBER_MIN:
        raise TicketMalformed("This is no code: a code is a number of four digits and two words. Ask for it again.")
    return Code(int(digits), _in_order(written))


def meeting_secret(number: int) -> bytes:
    """32 bytes by which inviter and joiner recognise each other's announcements; whoever tries all numbers has it."""
    return blake3(str(number).encode("ascii"), derive_key_context="p2psync code 1 meeting").digest()


def meeting_room(secret: bytes) -> bytes:
    """What both sides call the place where they meet at a host; the inviter's door has another name for itself."""
    return blake3(secret, derive_key_context="p2psync code 1 room").digest()[:_ROOM_BYTES]


def door_of(ticket: TicketId) -> bytes:
    """The key of the door that a code opens; the ticket behind it has one of its own."""
    return _DOOR + ticket


def behind(door: bytes) -> TicketId | None:
    """The ticket that a code's door leads to; None for a door of another kind."""
    return TicketId(door.removeprefix(_DOOR)) if len(door) == len(_DOOR) + TICKET_ID_BYTES else None


def _two(pieces: list[str]) -> tuple[str, str] | None:
    """Two words, or what was written in one, or syllable by syllable."""
    if len(pieces) == 2:
        return pieces[0], pieces[1]
    letters = "".join(map(folded, pieces))
    return (letters[:WORD_LETTERS], letters[WORD_LETTERS:]) if len(letters) == 2 * WORD_LETTERS else None


def _in_order(written: tuple[str, str]) -> tuple[str, str]:
    """First word, second word. Raises TicketMalformed for the one that is none, or does not fit the other."""
    one, other = map(folded, written)
    places = place_of(one), place_of(other)
    if places == (0, 1):
        return one, other
    if places == (1, 0):
        return other, one
    if places[0] is None:
        raise _unknown(written[0], 0 if places[1] in (None, 1) else 1)
    raise _unknown(written[1], 1 - places[0])


def _unknown(word: str, place: int) -> TicketMalformed:
    meant = nearest(folded(word), place)
    if not meant:
        return TicketMalformed("{word!r} is no word of a code. Ask for it again, letter by letter.", word=word)
    return TicketMalformed(
        "{word!r} is no word of this code. Did you mean {suggestions}? If you are not sure, ask.",
        word=word,
        suggestions=", ".join(meant),
    )

"""Codes as people write them down: all of it understood, or said what is wrong before anybody is asked."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import TicketMalformed
from p2psync.pair.code import (
    NUMBER_MAX,
    NUMBER_MIN,
    Code,
    behind,
    door_of,
    draw,
    is_code,
    meeting_room,
    meeting_secret,
    parse,
)
from p2psync.pair.ticket import TicketId
from p2psync.pair.vocabulary import words

CODE = Code(4217, (words(0)[7], words(1)[70]))
ONE, OTHER = CODE.words
CODES = st.builds(
    Code, st.integers(NUMBER_MIN, NUMBER_MAX), st.tuples(st.sampled_from(words(0)), st.sampled_from(words(1)))
)


@given(CODES)
def test_a_code_is_read_as_it_was_said(code: Code) -> None:
    assert is_code(str(code))
    assert parse(str(code)) == code


@pytest.mark.parametrize(
    "text",
    [
        f"4217 {ONE} {OTHER}",
        f"  42-17-{ONE}-{OTHER}\n",
        f"4217-{ONE}-{OTHER}".upper(),
        f"4217{ONE}{OTHER}",
        f"4217 {ONE}{OTHER}",
        f"«4217–{ONE}—{OTHER}».",
        f"4217, {OTHER}, {ONE}",
        f"4 2 1 7 {' '.join((ONE + OTHER)[at : at + 2] for at in range(0, 12, 2))}",
        f"\uff14\uff12\uff11\uff17 {ONE} {OTHER}",
        f"4217_{ONE}_{OTHER}",
        f"4217 {ONE.replace('a', 'ä').replace('o', 'ö').replace('u', 'ü')} {OTHER.replace('k', 'ck')}",
    ],
)
def test_however_it_is_written_down(text: str) -> None:
    assert is_code(text)
    assert parse(text) == CODE


@pytest.mark.parametrize("text", ["4217", f"4217 {ONE}", f"421 {ONE} {OTHER}", f"42170 {ONE} {OTHER}", "4217 a b c"])
def test_what_is_no_code_is_said_to_be_none(text: str) -> None:
    with pytest.raises(TicketMalformed, match="a number of four digits and two words"):
        parse(text)


@pytest.mark.parametrize("text", [f"0217 {ONE} {OTHER}", "4217 " + "x" * 300])
def test_numbers_that_nobody_gives_and_floods_are_no_code(text: str) -> None:
    with pytest.raises(TicketMalformed):
        parse(text)


@pytest.mark.parametrize(
    "text", ["", "P2P1ABC", "no ticket at all", "ticket.p2pticket", "-", "1. P2P1ABC", "\x00\x010" * 99]
)
def test_a_ticket_is_not_taken_for_a_code(text: str) -> None:
    assert not is_code(text)


def test_a_mistyped_word_is_named_with_the_one_that_may_be_meant() -> None:
    for wrong, right, text in [
        (ONE[:-1] + "x", ONE, f"4217-{ONE[:-1]}x-{OTHER}"),
        (ONE[:-1] + "x", ONE, f"4217-{OTHER}-{ONE[:-1]}x"),
        (OTHER[:-1] + "x", OTHER, f"4217-{ONE}-{OTHER[:-1]}x"),
    ]:
        with pytest.raises(TicketMalformed) as raised:
            parse(text)
        assert raised.value.fields["word"] == wrong
        assert right in str(raised.value.fields["suggestions"]).split(", ")


def test_two_words_for_the_same_place_cannot_both_be_right() -> None:
    with pytest.raises(TicketMalformed, match=f"'{words(0)[8]}' is no word of this code"):
        parse(f"4217 {ONE} {words(0)[8]}")
    with pytest.raises(TicketMalformed, match=f"'{words(1)[8]}' is no word of this code"):
        parse(f"4217 {OTHER} {words(1)[8]}")


def test_nonsense_is_near_to_nothing() -> None:
    with pytest.raises(TicketMalformed, match="letter by letter"):
        parse(f"4217 {ONE} xylophonist")


@given(st.text(max_size=60) | st.from_regex(r"[0-9]{4} [a-z]{5,7} [a-z]{5,7}", fullmatch=True))
def test_whatever_is_typed_it_is_a_code_or_said_to_be_none(text: str) -> None:
    try:
        code = parse(text)
    except TicketMalformed:
        return
    assert parse(str(code)) == code


def test_a_drawn_code_has_a_number_that_is_free() -> None:
    random = Random(1)
    taken = set(range(NUMBER_MIN, NUMBER_MAX + 1)) - {5000}
    assert {draw(random.randrange, taken).number for _ in range(3)} == {5000}
    drawn = [draw(random.randrange, ()) for _ in range(2000)]
    assert min(code.number for code in drawn) < 1100
    assert max(code.number for code in drawn) > 9900
    assert len({code.words for code in drawn}) > 1990


def test_the_words_are_never_shown_by_mistake() -> None:
    assert ONE not in repr(CODE)


def test_only_the_number_says_where_to_meet() -> None:
    secrets = {meeting_secret(number) for number in range(NUMBER_MIN, NUMBER_MAX + 1)}
    assert len(secrets) == NUMBER_MAX - NUMBER_MIN + 1
    assert {len(secret) for secret in secrets} == {32}
    assert len({meeting_room(secret) for secret in secrets}) == len(secrets)


def test_a_code_has_a_door_of_its_own_beside_its_ticket() -> None:
    ticket = TicketId(b"12345678")
    assert behind(door_of(ticket)) == ticket
    assert behind(ticket) is None

"""Guessing gets slower for its source, ends for its ticket, and fills no memory."""

from __future__ import annotations

import pytest

from p2psync.pair.guesses import DELAY_MAX_S, FORGET_S, SOURCES_MAX, TICKETS_MAX, WRONG_PROOFS_MAX, Guesses
from p2psync.pair.ticket import TicketId

TICKET = TicketId(b"ticketid")


def test_who_never_guessed_need_not_wait() -> None:
    assert Guesses().wait_s("192.0.2.1", 0.0) == 0.0


def test_each_wrong_proof_doubles_the_delay() -> None:
    guesses = Guesses()
    waits = []
    for _ in range(12):
        guesses.wrong("192.0.2.1", None, 100.0)
        waits.append(guesses.wait_s("192.0.2.1", 100.0))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, DELAY_MAX_S, DELAY_MAX_S]


def test_the_delay_passes() -> None:
    guesses = Guesses()
    guesses.wrong("192.0.2.1", None, 100.0)
    guesses.wrong("192.0.2.1", None, 100.0)
    assert guesses.wait_s("192.0.2.1", 101.5) == 0.5
    assert guesses.wait_s("192.0.2.1", 102.0) == 0.0
    assert guesses.wait_s("192.0.2.1", 500.0) == 0.0


def test_a_delay_of_very_many_guesses_is_still_a_number() -> None:
    guesses = Guesses()
    for _ in range(5000):
        guesses.wrong("192.0.2.1", None, 0.0)
    assert guesses.wait_s("192.0.2.1", 0.0) == DELAY_MAX_S


def test_a_source_that_stops_guessing_is_forgotten() -> None:
    guesses = Guesses()
    for _ in range(3):
        guesses.wrong("192.0.2.1", None, 0.0)
    guesses.wrong("192.0.2.2", None, FORGET_S)
    guesses.wrong("192.0.2.1", None, FORGET_S)
    assert guesses.wait_s("192.0.2.1", FORGET_S) == 1.0


def test_a_source_that_goes_on_is_not_forgotten() -> None:
    guesses = Guesses()
    guesses.wrong("192.0.2.1", None, 0.0)
    guesses.wrong("192.0.2.1", None, FORGET_S - 1)
    guesses.wrong("192.0.2.1", None, 2 * FORGET_S - 3)
    assert guesses.wait_s("192.0.2.1", 2 * FORGET_S - 3) == 4.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("relay", "relay", True),
        ("relay", "other relay", False),
    ],
)
def test_what_counts_as_one_source(one: str, other: str, same: bool) -> None:
    guesses = Guesses()
    guesses.wrong(one, None, 0.0)
    assert (guesses.wait_s(other, 0.0) > 0) is same


def test_a_ticket_is_cancelled_after_some_wrong_proofs_from_anywhere() -> None:
    guesses = Guesses()
    verdicts = [guesses.wrong(f"192.0.2.{n}", TICKET, 1000.0 * n) for n in range(WRONG_PROOFS_MAX + 1)]
    assert verdicts == [False] * (WRONG_PROOFS_MAX - 1) + [True, True]


def test_tickets_are_counted_apart() -> None:
    guesses = Guesses()
    for n in range(WRONG_PROOFS_MAX - 1):
        assert not guesses.wrong("192.0.2.1", TICKET, float(n))
    assert not guesses.wrong("192.0.2.1", TicketId(b"another!"), 10.0)
    assert guesses.wrong("192.0.2.1", TICKET, 11.0)


def test_the_tables_stay_small_and_lose_the_oldest_first() -> None:
    guesses = Guesses()
    guesses.wrong("first", TICKET, 0.0)
    for n in range(SOURCES_MAX + TICKETS_MAX):
        guesses.wrong(f"source {n}", TicketId(n.to_bytes(8, "big")), 0.0)
    assert guesses.wait_s("first", 0.0) == 0.0
    assert guesses.wait_s(f"source {SOURCES_MAX + TICKETS_MAX - 1}", 0.0) == 1.0
    assert len(guesses._sources) == SOURCES_MAX
    assert len(guesses._tickets) == TICKETS_MAX


def test_a_source_that_guesses_again_is_not_the_oldest() -> None:
    guesses = Guesses()
    guesses.wrong("stubborn", None, 0.0)
    for n in range(SOURCES_MAX - 1):
        guesses.wrong(f"source {n}", None, 0.0)
    guesses.wrong("stubborn", None, 0.0)
    guesses.wrong("one more", None, 0.0)
    assert guesses.wait_s("stubborn", 0.0) == 2.0
    assert guesses.wait_s("source 0", 0.0) == 0.0

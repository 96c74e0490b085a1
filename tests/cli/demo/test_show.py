"""What the demo counts as held, and tickets without addresses. The acts themselves are tested by the command."""

from __future__ import annotations

import pytest

from p2psync.cli.demo.show import Outcome, summary, without_addresses
from p2psync.core.ids import DeviceId, MandateId
from p2psync.pair.ticket import Ticket, TicketId, encode, parse


def test_nothing_held_if_nothing_was_checked_or_one_thing_failed() -> None:
    outcome = Outcome()
    assert not outcome.held
    assert outcome.check("the first", True)
    assert outcome.held
    assert not outcome.check("the second", False)
    assert not outcome.held


@pytest.mark.parametrize(("held", "word"), [(True, "Everything held."), (False, "Not everything held")])
def test_the_summary_tells_each_promise(held: bool, word: str) -> None:
    outcome = Outcome()
    outcome.check("all folders were the same", held)
    outcome.saves_ms += [10.0, 24.04, 90.0]
    text = summary(outcome, 6.4)
    assert word in text
    assert "all folders were the same" in text
    assert "24 ms" in text
    assert "after 6 s" in text
    assert outcome.figures() == {"saves": 3, "median_ms": 24.0, "slowest_ms": 90.0}
    assert Outcome().figures() == {}


def test_a_ticket_without_addresses_is_still_that_ticket() -> None:
    ticket = Ticket(
        *(MandateId(b"m" * 16), TicketId(b"t" * 8), b"s" * 16, DeviceId(b"d" * 32), 2_000_000_000),
        addresses=("192.0.2.1:4710",),
    )
    bare = parse(without_addresses(encode(ticket)))
    assert bare.addresses == ()
    assert (bare.mandate, bare.id, bare.secret) == (ticket.mandate, ticket.id, ticket.secret)

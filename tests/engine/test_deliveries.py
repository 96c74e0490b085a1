"""Which version of a file of bookings a member has placed, and since when: told by its word alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2psync.core.ids import content_of
from p2psync.core.mark import RECEIVED
from p2psync.core.relpath import parse
from p2psync.engine import deliveries
from p2psync.engine.arrears import Arrears
from tests.engine.ledgers import RESTRICTED_RULES, Desk, office
from tests.engine.test_arrears import placed

INVOICES = "Cargo.ecf"


def arrears(desk: Desk) -> Arrears:
    return Arrears(desk.mandate, desk.state, desk.ledger)


def shown(desk: Desk, other: Desk) -> list[tuple[str, str, int]]:
    """Path, text and second of all deliveries to a member."""
    texts = {content_of(text.encode()): text for text in ("one", "two", "three")}
    found = arrears(desk).deliveries.of_device(other.id)
    return [(d.path, texts[d.content], d.time_ns // 1_000_000_000) for d in found]


def test_what_a_member_has_placed_is_noted_once_with_the_time() -> None:
    anna, bert = office("anna", "bert")
    anna.save(INVOICES, "one")
    anna.save("notes.txt", "two")
    kept = arrears(anna)
    assert shown(anna, bert) == []
    kept.placed(bert.id, placed(anna, bert), 1_000)
    assert shown(anna, bert) == [(INVOICES, "one", 1)]
    anna.save("notes.txt", "three")
    kept.placed(bert.id, placed(anna, bert), 2_000)
    assert shown(anna, bert) == [(INVOICES, "one", 1)]
    anna.save(INVOICES, "two")
    assert shown(anna, bert) == [(INVOICES, "one", 1)]
    kept.placed(bert.id, placed(anna, bert), 3_000)
    assert shown(anna.restarted(), bert) == [(INVOICES, "two", 3)]


def test_what_could_not_be_placed_is_not_delivered_until_it_could() -> None:
    anna, bert = office("anna", "bert")
    anna.save(INVOICES, "one")
    kept = arrears(anna)
    kept.placed(bert.id, placed(anna, bert, INVOICES), 1_000)
    assert shown(anna, bert) == []
    kept.placed(bert.id, placed(anna, bert), 2_000)
    assert shown(anna, bert) == [(INVOICES, "one", 2)]


def test_a_member_is_not_told_of_its_own_files_nor_of_those_that_are_gone() -> None:
    anna, bert = office("anna", "bert")
    bert.save(INVOICES, "one")
    anna.read(bert)
    anna.save("b.ecf", None)
    arrears(anna).placed(bert.id, placed(anna, bert), 1_000)
    assert shown(anna, bert) == []


def test_of_what_a_member_may_not_read_nothing_is_delivered() -> None:
    anna, bert = office("anna", "bert", rules=RESTRICTED_RULES)
    anna.save("Cargo.ecs", "one")
    arrears(anna).placed(bert.id, placed(anna, bert), 1_000)
    assert shown(anna, bert) == []


def test_only_the_latest_deliveries_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "DELIVERIES_MAX", 2)
    anna, bert = office("anna", "bert")
    kept = arrears(anna)
    for number, path in enumerate(("c.ecf", "b.ecf", "a.ecf")):
        anna.save(path, "one")
        kept.placed(bert.id, placed(anna, bert), 1_000 * number)
    assert [d.path for d in kept.deliveries.of_device(bert.id)] == [parse("a.ecf"), parse("b.ecf")]


def test_a_receipt_counts_for_more_than_the_word_before_it_and_for_less_than_a_later_one() -> None:
    anna, bert = office("anna", "bert")
    kept = arrears(anna)

    def signs(text: str) -> None:
        bert.mark(INVOICES, text, kind=RECEIVED)

    def reads() -> None:
        for taken in anna.read(bert):
            kept.received(taken)

    anna.save(INVOICES, "one")
    kept.placed(bert.id, placed(anna, bert), 9_000)
    assert [d.signed for d in kept.deliveries.of_device(bert.id)] == [False]
    bert.read(anna)
    signs("one")
    reads()
    assert shown(anna, bert) == [(INVOICES, "one", 1)], "it said when"
    assert [d.signed for d in arrears(anna.restarted()).deliveries.of_device(bert.id)] == [True]
    signs("two")
    reads()
    assert shown(anna, bert) == [(INVOICES, "two", 1)], "there was no word since"
    signs("one")
    anna.save(INVOICES, "three")
    bert.read(anna)
    kept.placed(bert.id, replace(placed(anna, bert), tips=bert.ledger.tips), 12_000)
    reads()
    assert shown(anna, bert) == [(INVOICES, "three", 12)], "it has said so since"


def test_what_was_noted_before_there_were_receipts_is_known_as_not_signed() -> None:
    anna, bert = office("anna", "bert")
    anna.state.put(f"delivered {bert.id.hex()}", {INVOICES: [content_of(b"one"), 5_000]})
    [known] = arrears(anna).deliveries.of_device(bert.id)
    assert (known.path, known.time_ns, known.signed) == (INVOICES, 5_000_000_000, False)

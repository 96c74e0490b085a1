"""Which version of a file of bookings a member has placed, and since when: told by its word alone."""

from __future__ import annotations

import pytest

from p2psync.core.ids import content_of
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

"""Who works with a file signs that it has come, in one entry for what comes together, so that all members know."""

from __future__ import annotations

from random import Random

import pytest

from p2psync.core.block import parse_block
from p2psync.core.ids import content_of
from p2psync.core.mark import RECEIVED, Mark
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable, parse_restriction
from p2psync.engine import receipts
from p2psync.engine.device import Device
from tests.engine.village import House, Village

BILLS, CHART, SALARIES = "Cargo.ecf", "Cargo.crp", "Cargo.ecs"


def office(rules: RuleTable = DEFAULT_RULES) -> Village:
    """Accounting, a PC that is always on, and invoicing: the last never meets the first."""
    village = Village("office", "server", "laptop", rules=rules)
    village.admit("office", "server", Role.KEEPER)
    village.admit("office", "laptop", Role.INVOICING)
    meet(village)
    return village


def meet(village: Village, *names: str) -> None:
    village.disconnect()
    village.settle()
    for name in names or ("office", "laptop"):
        village.connect(name, "server")
    village.settle(1.5)


def delivered(house: House, to: House) -> list[tuple[str, bool, int]]:
    """Path, whether it is signed, and second of what one device knows another one to have."""
    found = house.m.arrears.deliveries.of_device(to.id)
    return [(one.path, one.signed, one.time_ns // 1_000_000_000) for one in found]


def receipts_of(house: House, author: House) -> list[list[Mark]]:
    """The receipts in one device's logs, block by block, as another one has them."""
    logs = [log for log in house.m.ledger.tips if house.m.ledger.author(log) == author.id]
    rows = [row for log in logs for row in house.m.state.blocks_of(log, 0)]
    raw = house.m.state.raw_blocks([row.intake for row in rows])
    found = [[mark for mark in parse_block(house.m.id, one).block.marks if mark.kind == RECEIVED] for one in raw]
    return [marks for marks in found if marks]


def restart(village: Village, name: str) -> None:
    village.disconnect()
    village.settle()
    house = village[name]
    house.device = Device(house.device.keys, house.state, Random(name), name, "p2psync test")
    village.open_folder(house)
    village.settle()


def test_who_never_meets_accounting_knows_what_it_has_and_when_by_accountings_own_clock() -> None:
    village = office()
    village.save("laptop", BILLS, b"one")
    meet(village, "laptop")
    meet(village, "office")
    arrived_s = village.now.wall_ms // 1000
    village.settle(3)
    assert delivered(village["laptop"], village["office"]) == []
    village.settle(3600)
    meet(village, "laptop")
    [(path, signed, second)] = delivered(village["laptop"], village["office"])
    assert (path, signed) == (BILLS, True)
    assert arrived_s <= second <= arrived_s + receipts.QUIET_S
    restart(village, "laptop")
    assert delivered(village["laptop"], village["office"]) == [(BILLS, True, second)]
    assert receipts_of(village["laptop"], village["office"]) == [[Mark(RECEIVED, parse(BILLS), content_of(b"one"))]]


def test_what_comes_together_is_one_entry_and_a_busy_file_makes_one_a_minute() -> None:
    village = office()
    for name in ("a.ecf", "b.ecf", "c.ecf"):
        village.save("laptop", name, b"one")
        village.settle(0.5)
    village.settle(3)
    [together] = receipts_of(village["server"], village["office"])
    assert [mark.path for mark in together] == ["a.ecf", "b.ecf", "c.ecf"]
    for second in range(180):
        village.save("laptop", "a.ecf", f"{second}".encode())
        village.settle(1)
    village.settle(receipts.EVERY_S)
    later = receipts_of(village["server"], village["office"])[1:]
    assert 2 <= len(later) <= 4
    assert later[-1] == [Mark(RECEIVED, parse("a.ecf"), content_of(b"179"))]


def test_accounting_signs_for_bookings_and_the_others_for_its_charts() -> None:
    village = office()
    village.save("office", CHART, b"chart")
    village.save("laptop", BILLS, b"bills")
    village.save("laptop", "notes.txt", b"notes")
    village.settle(3)
    signed = {
        name: [mark.path for marks in receipts_of(village["server"], village[name]) for mark in marks]
        for name in village.houses
    }
    assert signed == {"office": [BILLS], "laptop": [CHART], "server": []}


def test_what_was_signed_is_not_signed_again_and_what_came_back_is() -> None:
    village = office()
    for data in (b"one", b"two", b"one"):
        village.save("laptop", BILLS, data)
        village.settle(receipts.EVERY_S + 3)
    del village["office"].disk[BILLS]
    restart(village, "office")
    meet(village)
    village.settle(receipts.EVERY_S + 3)
    held = [mark.content for marks in receipts_of(village["laptop"], village["office"]) for mark in marks]
    assert held == [content_of(data) for data in (b"one", b"two", b"one")]


def test_nothing_is_signed_before_it_is_known_what_was_said_and_a_restart_forgets_nothing() -> None:
    village = office()
    village.save("laptop", BILLS, b"one")
    village.settle(1.5)
    village.disconnect()
    village.settle(3)
    assert village["office"].disk[BILLS] == b"one"
    assert receipts_of(village["office"], village["office"]) == [], "nobody is there to be told"
    restart(village, "office")
    village.settle(3)
    assert receipts_of(village["office"], village["office"]) == []
    meet(village)
    assert [path for path, signed, _ in delivered(village["laptop"], village["office"]) if signed] == [BILLS]


def test_a_full_load_is_signed_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MARKS_MAX", 3)
    village = office()
    for number in range(3):
        village.save("laptop", f"{number}.ecf", b"one")
    village.settle(1.5)
    assert [len(marks) for marks in receipts_of(village["server"], village["office"])] == [3]


def test_who_may_not_know_of_a_file_learns_of_no_receipt() -> None:
    rules = DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=accounting,payroll"))
    village = Village("office", "payroll", "laptop", rules=rules)
    village.admit("office", "payroll", Role.PAYROLL)
    village.admit("office", "laptop", Role.INVOICING)
    for name in ("payroll", "laptop"):
        village.connect("office", name)
    village.settle(1)
    village.save("payroll", SALARIES, b"salaries")
    village.settle(3)
    assert [path for path, signed, _ in delivered(village["payroll"], village["office"]) if signed] == [SALARIES]
    assert delivered(village["laptop"], village["office"]) == []
    assert receipts_of(village["laptop"], village["office"]) == []


def test_receipts_are_no_marks_of_posting_and_stay_what_they_are_when_rights_change() -> None:
    village = office()
    village.save("laptop", BILLS, b"one")
    village.settle(3)
    office_pc, laptop = village["office"], village["laptop"]
    assert laptop.notices.count("entries.marked") == 0
    assert (laptop.m.state.marks(), laptop.m.postings.standing()) == ([], {})
    village.act("office", lambda admin: admin.set_role(laptop.id, Role.READER))
    village.settle(1)
    assert [signed for _, signed, _ in delivered(laptop, office_pc)] == [True]
    village.assert_equal("office", "server", "laptop")

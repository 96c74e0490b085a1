"""What the daemon remembers beside the states."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.rules import Role
from p2psync.engine.admin import Newcomer
from p2psync.pair.code import Code
from p2psync.pair.invitation import Claim, Invitation
from p2psync.pair.ticket import TicketId
from p2psync.store import records as records_module
from p2psync.store.database import Database
from p2psync.store.records import Records, Run, SpokenCode, WaitingNewcomer

MANDATE, OTHER = MandateId(b"m" * 16), MandateId(b"o" * 16)
ANNA, BERT = DeviceId(b"a" * 32), DeviceId(b"b" * 32)
TICKET, SECOND = TicketId(b"t" * 16), TicketId(b"u" * 16)
INVITATION = Invitation(TICKET, MANDATE, b"secret", 1_800_000_000, 2, True)


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)


def test_settings_of_the_device_live_on(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "state.db")
    records = Records(database)
    assert (records.setting("name"), records.port()) == (None, 0)
    records.put_setting("name", {"a": [1, b"2"]})
    records.set_port(1)
    records.set_port(22067)
    database.close()
    database = Database.open(tmp_path / "state.db")
    records = Records(database)
    assert (records.setting("name"), records.port()) == ({"a": [1, b"2"]}, 22067)
    database.close()


def test_runs_are_listed_newest_first(records: Records) -> None:
    first = records.begin_run(MANDATE, 1000)
    second = records.begin_run(OTHER, 2000)
    third = records.begin_run(MANDATE, 3000)
    items = [{"path": "é\udcff", "kind": "file"}]
    reasons = {"waiting_for": ["Home"], "message": ""}
    records.end_run(first, 1500, "failed", items, reasons)
    ended = Run(first, MANDATE, 1000, 1500, "failed", items, reasons)
    assert records.runs([MANDATE], 10) == [Run(third, MANDATE, 3000, None, None, [], {}), ended]
    assert [run.number for run in records.runs([MANDATE, OTHER], 10)] == [third, second, first]
    assert [run.number for run in records.runs([MANDATE, OTHER], 1)] == [third]
    assert records.runs([], 10) == []
    assert records.runs([MANDATE], 10, items=False)[1] == replace(ended, items=[])


def test_when_a_run_ended_well_last_is_known(records: Records) -> None:
    assert records.last_ended(MANDATE, ("success",)) is None
    for ended_ms, result in [(1, "success"), (2, "nothing-new"), (3, "failed")]:
        records.end_run(records.begin_run(MANDATE, 0), ended_ms, result, [], {})
    records.begin_run(MANDATE, 0)
    assert records.last_ended(MANDATE, ("success", "nothing-new")) == 2
    assert records.last_ended(OTHER, ("success",)) is None


def test_old_runs_that_found_nothing_new_are_forgotten_mandate_by_mandate(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "RUNS_KEPT", 3)
    other = _runs(records, OTHER, "nothing-new")
    numbers = _runs(records, MANDATE, *["nothing-new"] * 5)
    assert [run.number for run in records.runs([MANDATE], 10)] == numbers[:1:-1]
    assert [run.number for run in records.runs([OTHER], 10)] == other


def test_runs_that_tell_something_are_kept_as_long_as_books(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "RUNS_KEPT", 1)
    first, _, third, fourth, fifth = _runs(records, MANDATE, "failed", "nothing-new", "success", "partial", "success")
    assert [run.number for run in records.runs([MANDATE], 10)] == [fifth, fourth, third, first]
    nine_years_ms, ten_years_ms = (years * 366 * 86_400_000 for years in (9, 10))
    sixth = records.begin_run(MANDATE, nine_years_ms)
    assert len(records.runs([MANDATE], 10)) == 5
    monkeypatch.setattr(records_module, "TELLING_KEPT", 3)
    seventh = records.begin_run(MANDATE, nine_years_ms)
    assert [run.number for run in records.runs([MANDATE], 10)] == [seventh, sixth, fifth]
    eighth = records.begin_run(MANDATE, ten_years_ms + 1)
    assert [run.number for run in records.runs([MANDATE], 10)] == [eighth, seventh, sixth]
    last = records.begin_run(MANDATE, nine_years_ms + ten_years_ms + 1)
    assert [run.number for run in records.runs([MANDATE], 10)] == [last, eighth]


def test_of_runs_that_repeat_themselves_the_last_one_is_kept(records: Records) -> None:
    def end(result: str, trigger: str = "interval", mandate: MandateId = MANDATE) -> int:
        number = records.begin_run(mandate, 0)
        records.end_run(number, 0, result, [], {"trigger": trigger})
        records.forget_repeated(number)
        return number

    end("nothing-new")
    kept = [end("nothing-new"), end("nothing-new", "manual"), end("nothing-new", mandate=OTHER)]
    end("nothing-new")
    kept += [end("nothing-new"), end("success"), end("success"), end("failed"), end("nothing-new")]
    assert [run.number for run in records.runs([MANDATE, OTHER], 10)] == kept[::-1]


def _runs(records: Records, mandate: MandateId, *results: str) -> list[int]:
    numbers = []
    for result in results:
        numbers.append(records.begin_run(mandate, 0))
        records.end_run(numbers[-1], 0, result, [], {})
    return numbers


def test_one_run_is_found_by_its_number(records: Records) -> None:
    first, second = _runs(records, MANDATE, "failed", "success")
    found = records.run(first)
    assert found is not None
    assert (found.number, found.mandate, found.result) == (first, MANDATE, "failed")
    assert records.run(second + 1) is None


def test_addresses_are_sorted_and_each_is_kept_once(records: Records) -> None:
    for address in ("b:1", "a:2", "b:1"):
        records.add_address(MANDATE, address)
    records.add_address(OTHER, "c:3")
    assert records.addresses(MANDATE) == ["a:2", "b:1"]
    records.remove_address(MANDATE, "a:2")
    records.remove_address(MANDATE, "c:3")
    assert (records.addresses(MANDATE), records.addresses(OTHER)) == (["b:1"], ["c:3"])


def test_the_last_time_is_kept_that_a_member_was_seen(records: Records) -> None:
    for device, seen_ms in ((ANNA, 1), (BERT, 2), (ANNA, 3)):
        records.note_seen(MANDATE, device, seen_ms)
    assert records.last_seen(MANDATE) == {ANNA: 3, BERT: 2}
    assert records.last_seen(OTHER) == {}


def test_an_invitation_is_read_as_it_was_issued(records: Records) -> None:
    second = replace(INVITATION, ticket=SECOND, mandate=OTHER, uses=1, confirm=False)
    records.add_invitation(INVITATION, Role.PAYROLL, False)
    records.add_invitation(second, Role.ACCOUNTING, True)
    assert records.invitations() == {TICKET: INVITATION, SECOND: second}
    records.cancel_invitation(TICKET)
    assert records.invitations() == {TICKET: replace(INVITATION, cancelled=True), SECOND: second}


def test_a_code_is_kept_with_its_ticket_and_ended_by_a_guess(records: Records) -> None:
    code, other = Code(4217, ("tomari", "pakolu")), Code(1000, ("nimisa", "koraku"))
    for ticket, one in ((TICKET, code), (SECOND, other)):
        records.add_invitation(replace(INVITATION, ticket=ticket), Role.PAYROLL, False)
        records.add_code(ticket, one)
    records.end_code(SECOND)
    assert records.codes() == {TICKET: SpokenCode(code, False), SECOND: SpokenCode(other, True)}


def test_claims_are_kept_with_their_ticket_and_replaced(records: Records) -> None:
    records.add_invitation(INVITATION, Role.PAYROLL, False)
    records.put_claim(TICKET, ANNA, Claim.WAITING, 1)
    records.put_claim(TICKET, BERT, Claim.DECLINED, 2)
    records.put_claim(TICKET, ANNA, Claim.ADMITTED, 3)
    found = records.invitations()[TICKET]
    assert found.claims == {ANNA: Claim.ADMITTED, BERT: Claim.DECLINED}
    assert found.uses_left == 0


def test_newcomers_wait_since_they_asked_first(records: Records) -> None:
    anna = WaitingNewcomer(MANDATE, Newcomer(ANNA, b"cert", "Anna", TICKET), 5)
    bert = WaitingNewcomer(MANDATE, Newcomer(BERT, b"cert", "Bert", TICKET), 4)
    for waiting in (anna, bert, WaitingNewcomer(MANDATE, Newcomer(ANNA, b"new", "Änna", SECOND), 9)):
        records.hold_newcomer(waiting)
    assert records.newcomers(MANDATE) == [bert, WaitingNewcomer(MANDATE, Newcomer(ANNA, b"new", "Änna", SECOND), 5)]
    records.drop_newcomer(MANDATE, BERT)
    assert [w.newcomer.device for w in records.newcomers(MANDATE)] == [ANNA]
    assert records.newcomers(OTHER) == []


def test_a_mandate_is_forgotten_whole_and_alone(records: Records, database: Database) -> None:
    for mandate, ticket in ((MANDATE, TICKET), (OTHER, SECOND)):
        records.begin_run(mandate, 1)
        records.add_address(mandate, "a:1")
        records.note_seen(mandate, ANNA, 1)
        records.add_invitation(replace(INVITATION, ticket=ticket, mandate=mandate), Role.READER, False)
        records.add_code(ticket, Code(4217, ("tomari", "pakolu")))
        records.put_claim(ticket, ANNA, Claim.WAITING, 1)
        records.hold_newcomer(WaitingNewcomer(mandate, Newcomer(ANNA, b"", "", ticket), 1))
    records.forget_mandate(MANDATE)
    for table in ("run", "address", "seen", "invitation", "code", "claim", "newcomer"):
        assert database.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,), table
    assert list(records.invitations()) == [SECOND]


def test_what_belongs_to_an_act_is_undone_with_it(records: Records, database: Database) -> None:
    with suppress(KeyError), database.transaction():
        records.add_invitation(INVITATION, Role.PAYROLL, False)
        raise KeyError
    assert records.invitations() == {}

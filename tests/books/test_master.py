"""Master data on several devices: the master's word holds, open fields merge one by one, nothing is lost by merging."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.export import DELETED, Record, RecordKind
from p2psync.books.master import (
    Cell,
    Difference,
    FieldKey,
    Key,
    MasterData,
    OpenField,
    Register,
    Sign,
    Stamp,
    admissible,
    deletions,
    differences,
    edited,
    exists,
    imported,
    is_deleted,
    merged,
    next_stamp,
    not_listed,
    of_master,
    parse_open_fields,
    records_of,
    removed,
)
from p2psync.books.synthetic_master import master_records
from p2psync.core.ids import DeviceId, device_id
from p2psync.errors import NotAllowed, UsageError

MASTER, OFFICE, HOME = (device_id(letter * 32) for letter in (b"m", b"o", b"h"))
ACCOUNT = RecordKind.ACCOUNT
CASH = Key(ACCOUNT, "1000")
OPEN = frozenset({OpenField(ACCOUNT, "cash")})
NOTHING = MasterData()


def account(number: str = "1000", **fields: str) -> Record:
    return Record(ACCOUNT, number, {"name.fr": "Caisse", **{name.replace("_", "-"): v for name, v in fields.items()}})


def after_import(data: MasterData, *records: Record) -> MasterData:
    return merged(data, imported(data, records, MASTER))


def after_edit(data: MasterData, text: str, device: DeviceId = OFFICE, name: str = "cash") -> MasterData:
    return merged(data, edited(data, CASH, name, text, device, OPEN))


def cash(data: MasterData) -> str | None:
    return records_of(data, OPEN)[CASH].fields.get("cash")


def test_an_export_is_seen_as_it_is() -> None:
    records = master_records(30, Random(1))
    seen = records_of(merged(NOTHING, imported(NOTHING, records, MASTER)))
    assert set(seen) == {Key(one.kind, one.number) for one in records}
    assert all(dict(seen[Key(one.kind, one.number)].fields) == one.fields for one in records)


def test_importing_the_same_again_writes_nothing() -> None:
    records = master_records(30, Random(1))
    data = after_import(NOTHING, *records)
    assert imported(data, records, MASTER) == NOTHING


def test_a_new_export_writes_what_changed() -> None:
    data = after_import(NOTHING, account(type="A"))
    written = imported(data, [account(type="L")], MASTER)
    assert list(written.registers) == [FieldKey(ACCOUNT, "1000", "type")]
    assert records_of(merged(data, written))[CASH].fields["type"] == "L"


def test_what_an_export_leaves_out_stays_and_what_it_empties_goes() -> None:
    data = after_import(NOTHING, account(type="A", cash="true"))
    data = after_import(data, account(type=""))
    assert "type" not in records_of(data)[CASH].fields
    assert cash(data) == "true"


def test_others_change_open_fields_only() -> None:
    data = after_import(NOTHING, account(cash="false", type="A"))
    assert cash(after_edit(data, "YES")) == "true"
    with pytest.raises(NotAllowed, match=r"account 1000: type belongs to the master.* --open account.type"):
        after_edit(data, "L", name="type")
    with pytest.raises(UsageError, match=r"account 1000 has no field colour. Choose one of: type, collective"):
        after_edit(data, "red", name="colour")
    with pytest.raises(UsageError, match="cannot be 'maybe'"):
        after_edit(data, "maybe")
    with pytest.raises(UsageError, match="There is no account 1000"):
        edited(NOTHING, CASH, "cash", "true", OFFICE, OPEN)


def test_the_value_of_others_outlasts_an_import_that_says_what_the_last_one_said() -> None:
    data = after_edit(after_import(NOTHING, account(cash="false")), "true")
    data = after_import(data, account(cash="false", type="A"))
    assert cash(data) == "true"


def test_it_ends_when_the_master_changes_its_own() -> None:
    data = after_edit(after_import(NOTHING, account(cash="true")), "false")
    assert cash(data) == "false"
    data = after_import(data, account(cash=""))
    assert cash(data) is None
    assert cash(after_edit(data, "true", HOME)) == "true"


def test_a_field_that_is_not_open_any_more_shows_the_masters_value() -> None:
    data = after_edit(after_import(NOTHING, account(cash="false")), "true")
    assert records_of(data)[CASH].fields["cash"] == "false"


def test_two_devices_that_change_different_fields_both_count() -> None:
    both = OPEN | {OpenField(ACCOUNT, "cost-type")}
    data = after_import(NOTHING, account(cash="false"))
    first, second = edited(data, CASH, "cash", "true", OFFICE, both), edited(data, CASH, "cost-type", "7", HOME, both)
    fields = records_of(merged(merged(data, first), second), both)[CASH].fields
    assert (fields["cash"], fields["cost-type"]) == ("true", "7")


def test_of_two_changes_of_one_field_all_devices_keep_the_same() -> None:
    data = after_import(NOTHING, account(cash="false"))
    first, second = edited(data, CASH, "cash", "true", OFFICE, OPEN), edited(data, CASH, "cash", "", HOME, OPEN)
    assert cash(merged(merged(data, first), second)) == cash(merged(merged(data, second), first)) == "true"


def test_nobody_but_the_master_writes_values_of_the_master() -> None:
    forged = imported(NOTHING, [account()], OFFICE)
    assert admissible(forged, by_master=False) == NOTHING
    assert admissible(forged, by_master=True) == forged
    data = after_import(NOTHING, account(cash="false"))
    honest = edited(data, CASH, "cash", "true", OFFICE, OPEN)
    assert admissible(honest, by_master=False) == honest


def test_a_record_is_removed_only_after_the_mark_of_the_master() -> None:
    data = after_import(NOTHING, account())
    with pytest.raises(NotAllowed, match="only after the master"):
        removed(data, CASH, OFFICE)
    marked = after_import(data, account(deleted_by_master="true"))
    assert is_deleted(marked, CASH)
    assert exists(marked, CASH)
    gone = merged(marked, removed(marked, CASH, OFFICE))
    assert records_of(gone) == {}
    with pytest.raises(UsageError, match="There is no account 1000"):
        removed(gone, CASH, HOME)


def test_a_removal_without_the_mark_or_before_it_does_not_count() -> None:
    data = after_import(NOTHING, account())
    forged = MasterData({FieldKey(*CASH, "removed"): Register(local=Cell(next_stamp(data, OFFICE), "true"))})
    assert CASH in records_of(merged(data, forged))
    marked = after_import(merged(data, forged), account(deleted_by_master="true"))
    assert CASH in records_of(marked)


@pytest.mark.parametrize("mark", [{}, {"deleted_by_master": ""}, {"deleted_by_master": "false"}])
def test_what_the_master_lists_again_without_the_mark_is_back(mark: dict[str, str]) -> None:
    data = after_import(NOTHING, account(deleted_by_master="true", type="A"))
    data = merged(data, removed(data, CASH, OFFICE))
    data = after_import(data, account(**mark))
    assert records_of(data)[CASH].fields["type"] == "A"
    again = after_import(data, account(deleted_by_master="true"))
    assert CASH in records_of(again)


def test_what_an_export_does_not_list_stays_and_is_told() -> None:
    data = after_import(NOTHING, account("1000"), account("1001", deleted_by_master="true"), account("1002"))
    assert not_listed(data, [account("1002")]) == [CASH]
    assert len(records_of(after_import(data, account("1002")))) == 3


def test_stamps_come_after_all_that_is_known() -> None:
    assert next_stamp(NOTHING, OFFICE) == Stamp(1, OFFICE)
    data = after_edit(after_import(NOTHING, account()), "true")
    assert next_stamp(data, HOME) == Stamp(3, HOME)


def test_open_fields_are_named_by_kind_and_field() -> None:
    assert parse_open_fields("account.cash, Payment-Term.blocked,") == OPEN | {
        OpenField(RecordKind.PAYMENT_TERM, "blocked")
    }
    assert parse_open_fields("") == frozenset()


@pytest.mark.parametrize("text", ["cash", "account", "account.", "account.number", "vat.cash", "account.net-days"])
def test_what_is_no_field_cannot_be_open(text: str) -> None:
    with pytest.raises(UsageError, match=r"like 'account\.cash'"):
        parse_open_fields(text)


@pytest.mark.parametrize("text", [f"account.{DELETED}", "account.name.fr"])
def test_some_fields_are_always_the_masters(text: str) -> None:
    with pytest.raises(UsageError, match="always belongs to the master"):
        parse_open_fields(text)


# -- merging ----------------------------------------------------------------------------------------------------------

CELLS = st.builds(
    Cell,
    st.builds(Stamp, st.integers(1, 4), st.sampled_from([MASTER, OFFICE, HOME])),
    st.sampled_from(["", "true", "false"]),
)
KEYS = st.builds(
    FieldKey,
    st.just(ACCOUNT),
    st.sampled_from(["1000", "1001"]),
    st.sampled_from(["cash", "blocked", DELETED, "removed"]),
)
REGISTERS = st.builds(Register, st.none() | CELLS, st.none() | CELLS).filter(lambda one: one != Register())
DATA = st.dictionaries(KEYS, REGISTERS, max_size=6).map(MasterData)


@given(DATA, DATA)
def test_merging_is_commutative(a: MasterData, b: MasterData) -> None:
    assert merged(a, b) == merged(b, a)


@given(DATA, DATA, DATA)
def test_merging_is_associative(a: MasterData, b: MasterData, c: MasterData) -> None:
    assert merged(merged(a, b), c) == merged(a, merged(b, c))


@given(DATA, DATA)
def test_merging_again_changes_nothing(a: MasterData, b: MasterData) -> None:
    assert merged(a, a) == a
    assert merged(merged(a, b), b) == merged(a, b)
    assert merged(a, NOTHING) == a


@given(DATA, DATA)
def test_only_the_masters_values_decide_what_exists_and_what_is_in_closed_fields(a: MasterData, b: MasterData) -> None:
    """Whatever others wrote, a record that the master did not mark as deleted is there, with the master's values."""
    whole = merged(a, admissible(b, by_master=False))
    for key, record in records_of(a).items():
        if not is_deleted(a, key):
            assert records_of(whole)[key] == record


DEEDS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["import", "edit", "remove", "meet"]),
        st.sampled_from(["true", "false", ""]),
        st.booleans(),
    ),
    max_size=12,
)


@given(DEEDS, st.randoms(use_true_random=False))
def test_devices_that_did_anything_apart_agree_when_all_met_all(
    deeds: Sequence[tuple[int, str, str, bool]], rng: object
) -> None:
    """Device 0 is the master; the last word on a closed field is its own."""
    devices = [after_import(NOTHING, account(cash="false", blocked="false"))] * 3
    for who, deed, value, mark in deeds:
        devices[who] = _done(devices, who, deed, value, mark)
    order = [0, 1, 2, 0, 1, 2]
    rng.shuffle(order)  # type: ignore[attr-defined]
    whole = NOTHING
    for who in order:
        whole = merged(whole, devices[who])
    assert all(merged(whole, one) == whole for one in devices)
    own, seen = records_of(devices[0]).get(CASH), records_of(whole).get(CASH)
    if own and seen:
        assert own.fields == seen.fields


def _done(devices: list[MasterData], who: int, deed: str, value: str, mark: bool) -> MasterData:
    data, device = devices[who], (MASTER, OFFICE, HOME)[who]
    try:
        match deed:
            case "import" if who == 0:
                record = account(cash=value, blocked=value, deleted_by_master=str(mark).lower())
                return merged(data, imported(data, [record], device))
            case "edit" if who != 0:
                return merged(data, edited(data, CASH, "cash", value, device, OPEN))
            case "remove" if who != 0:
                return merged(data, removed(data, CASH, device))
            case "meet":
                return merged(data, devices[who - 1])
    except (NotAllowed, UsageError):
        return data
    return data


def test_what_an_import_changes_is_new_changed_or_deleted() -> None:
    before = after_import(NOTHING, account(), account("1100"), account("1200", blocked="false"), account("1300"))
    after = after_import(before, account(), account("1200"), account("1300", deleted_by_master="true"), account("1400"))
    found = differences(records_of(before), records_of(after))
    assert [(one.sign, one.key.number) for one in found] == [(Sign.DELETED, "1300"), (Sign.NEW, "1400")]
    renamed = after_import(before, Record(ACCOUNT, "1000", {"name.fr": "Coffre", "cash": "true"}))
    (change,) = differences(records_of(before), records_of(renamed))
    assert change == Difference(Sign.CHANGED, CASH, {"cash": ("", "true"), "name.fr": ("Caisse", "Coffre")})
    back = after_import(after, account("1300"))
    assert [one.sign for one in differences(records_of(after), records_of(back))] == [Sign.NEW]
    gone = merged(after, removed(after, Key(ACCOUNT, "1300"), OFFICE))
    assert differences(records_of(after), records_of(gone)) == [], "it was deleted before"


def test_the_masters_file_holds_the_masters_values_alone() -> None:
    data = after_edit(after_import(NOTHING, account(cash="true")), "false")
    alone = of_master(data)
    assert cash(data) == "false"
    assert cash(alone) == "true"
    assert merged(alone, admissible(data, by_master=False)) == data


def test_a_mark_of_deletion_keeps_its_stamp_until_it_is_taken_back() -> None:
    data = after_import(NOTHING, account(), account("1100"))
    assert deletions(data) == {}
    gone = after_import(data, account(deleted_by_master="true"))
    stamp = next_stamp(data, MASTER)
    assert deletions(gone) == {CASH: stamp}
    assert deletions(after_import(gone, account(deleted_by_master="true", type="A"))) == {CASH: stamp}
    assert deletions(after_import(gone, account())) == {}
    assert deletions(merged(gone, removed(gone, CASH, OFFICE))) == {}, "nobody asks about what was removed"

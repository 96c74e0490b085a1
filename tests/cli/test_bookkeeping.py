"""Charts, mistakes and pending bookings as people read them."""

from __future__ import annotations

from typing import Any

from p2psync.cli import bookkeeping

CHART: dict[str, Any] = {
    "mandate": "Cargo",
    "file": "Cargo 2025.crp",
    "title": "Cargo SA",
    "period": "2025",
    "begin": "2025-01-01",
    "end": "2025-12-31",
    "languages": [{"number": 0, "name": "Français", "code": "fr"}],
    "accounts": [
        {"number": "1", "name": "Actifs", "names": {}, "category": "assets", "kind": "title", "vat_code": ""},
        {"number": "1000", "name": "Caisse", "names": {"en": "Cash"}, "category": "assets", "kind": "account"},
    ],
    "vat_codes": [{"code": "TVA", "description": "taux\nnormal", "rate_percent": None, "account": ""}],
    **{"cost_centres": [], "cost_objects": [], "payment_terms": []},
    "count": 0,
    "findings": [],
    "others": [],
    **{"content": "00", "saved": {"name": "PC-Fidu", "time": "2020-02-04T09:00:00Z"}, "devices": []},
}
CHART["accounts"][1]["vat_code"] = "TVA"
FINDING = {"line": 17, "code": "debit-unknown", "facts": {"account": "5999"}}


def test_accounts_have_their_names_in_the_language_that_is_spoken() -> None:
    said = bookkeeping.chart(CHART, [bookkeeping.accounts])
    assert "Cargo SA  from 2025-01-01 to 2025-12-31" in said
    first, second = (line.split() for line in said.splitlines()[-2:])
    assert first == ["1", "Actifs", "-"]
    assert second == ["1000", "Cash", "assets", "TVA"]


def test_other_lists_are_shown_when_asked_for() -> None:
    said = bookkeeping.chart(CHART, [bookkeeping.centres, bookkeeping.vat_codes])
    assert "no cost centres" in said
    assert "TVA       -     -        taux normal" in said
    assert "Caisse" not in said
    assert "saved by PC-Fidu, 2020-02-04" in said
    late = {"name": "PC-Lohn", "content": "01", "current": False, "saved": "2020-02-03T09:00:00Z"}
    devices = [late, {**late, "name": "PC-Home", "current": True}, {**late, "name": "PC-Off", "content": None}]
    worse = {**CHART, "period": None, "count": 2, "others": ["Cargo 2024.crp"], "devices": devices}
    said = bookkeeping.chart(worse, [])
    assert "states no accounting period" in said
    assert "2 lines were not understood" in said
    assert "Cargo 2024.crp" in said
    assert "! PC-Lohn still uses the version of 2020-02-03" in said
    assert "PC-Home" not in said
    assert "PC-Off" not in said


def test_master_data_of_another_program_have_more_to_tell() -> None:
    account = {**CHART["accounts"][1], "cash": True, "blocked_from": "2025-06-30", "category": "other"}
    account |= {"collective": "debtor", "cost_type": "4", "default_cost_centre": "10", "blocked": False}
    centre = {"number": "10", "name": "Atelier", "names": {}, "unit": "h", "quantity": "1200", "project": True}
    term = {
        **{"number": "30N", "name": "", "names": {}, "side": "debtor", "net_days": "30", "blocked": True},
        **{"discount_1_days": "10", "discount_1_percent": "2", "discount_2_days": "", "discount_2_percent": "1"},
    }
    data = {
        **{**CHART, "file": "master-data.p2pmaster", "title": "", "period": None, "accounts": [account]},
        **{"cost_objects": [centre], "payment_terms": [term], "followed": "/a.xml"},
    }
    said = bookkeeping.chart(data, [bookkeeping.accounts, bookkeeping.centres, bookkeeping.terms])
    assert said.splitlines()[0] == "Cargo  (master data of another accounting program)"
    assert "taken over by itself from /a.xml" in said
    told = "cash, blocked from 2025-06-30, collective account: debtor, cost type 4, cost centre 10"
    assert f"other     TVA  {told}" in said
    assert "10           Atelier  1200 h    project" in said
    assert "debtor  30        2 % in 10 days  blocked" in said
    assert "no payment terms" in bookkeeping.chart(CHART, [bookkeeping.terms])


def test_a_check_names_lines_and_says_what_it_checked() -> None:
    clean: dict[str, Any] = {"file": "a.ecf", "checks": [], "count": 0, "findings": [], "message": ""}
    several = {**clean, "file": "b.ecf", "checks": ["accounts"], "count": 40, "findings": [FINDING] * 40}
    torn = {**clean, "file": "c.ecf", "message": "it is torn"}
    chart = {**clean, "file": "Cargo.crp"}
    said = bookkeeping.checked([clean, several, torn, chart]).splitlines()
    assert said[0] == "a.ecf: nothing wrong (without a chart of accounts to compare with)"
    assert said[1] == "! b.ecf: 40 findings (accounts)"
    assert said[2] == "  Line 17: the debit account 5999 is not in the chart of accounts."
    assert said[-3] == "  and 10 more"
    assert said[-2] == "! c.ecf cannot be read: it is torn"
    assert said[-1] == "Cargo.crp: nothing wrong (whether it can be read)"
    assert "no files of bookings" in bookkeeping.checked([])


def test_all_files_are_shown_with_how_far_they_have_come() -> None:
    who = {"name": "PC-Fidu", "time": "2020-06-30T14:03:00Z"}
    row: dict[str, Any] = {
        **{"mandate": "Cargo", "file": "a.ecf", "content": "00", "saved": who, "posted": None, "deliveries": []},
        **{"new": 0, "rewritten": False, "message": "", "finding": None, "findings": 0},
    }
    rows = [
        row,
        {**row, "file": "b.ecf", "deliveries": [who, who]},
        {**row, "file": "c.ecf", "posted": who, "deliveries": [who]},
        {**row, "file": "d.ecf", "content": None, "saved": None},
        {**row, "file": "d.ecf", "content": None, "saved": None, "new": 5},
    ]
    said = bookkeeping.progress(rows).splitlines()
    assert len(said) == 5
    assert said[1].endswith("published")
    assert "delivered to PC-Fidu, 2020-06-30" in said[2]
    assert said[2].count("PC-Fidu") == 3
    assert "posted by PC-Fidu, 2020-06-30" in said[3]
    assert said[4].endswith("removed")
    assert "no files of bookings" in bookkeeping.progress([])


def test_marks_are_told_with_how_to_take_them_back() -> None:
    mark = {"mandate": "Cargo", "file": "a.ecf", "name": "PC-Fidu", "time": "2020-06-30T14:03:00Z"}
    assert "a.ecf" in bookkeeping.posted([mark])
    assert bookkeeping.posted([mark]).endswith("p2psync posted Cargo a.ecf --undo")
    several = bookkeeping.posted_in_several([mark, {**mark, "mandate": "Other"}]).splitlines()
    assert several[1:3] == ["  Cargo: a.ecf", "  Other: a.ecf"]
    assert several[3].endswith("p2psync posted Cargo a.ecf --undo")
    assert bookkeeping.posted_in_several([]) == "Nothing waits to be posted."
    assert bookkeeping.posted([]) == "Nothing waits to be posted."
    assert "a.ecf is not marked as posted any more; PC-Fidu had done it" in bookkeeping.undone([mark])


def test_pending_lines_are_a_table_and_what_has_no_number_says_why() -> None:
    row: dict[str, Any] = {
        **{"mandate": "Cargo", "file": "a.ecf", "period": "2025", "new": 3, "changed": 2, "removed": 1},
        **{"since": None, "rewritten": False, "message": "", "finding": None, "may_post": True, "findings": 0},
    }
    none = {**row, "new": None, "changed": None, "removed": None, "period": None}
    rows = [
        row,
        {**none, "file": "b.ecf", "message": "it is torn"},
        {**none, "file": "c.ecf", "finding": FINDING},
        {**row, "file": "d.ecf", "new": 0, "changed": 0, "removed": 0, "rewritten": True},
    ]
    said = bookkeeping.pending(rows).splitlines()
    assert said[1].split() == ["Cargo", "a.ecf", "2025", "+3", "~2", "-1", "-"]
    assert any("in your accounting program" in line for line in said), "p2psync itself posts nothing"
    assert any(line.endswith("p2psync posted Cargo") for line in said)
    assert "p2psync posted MANDATE" in bookkeeping.pending([row, {**row, "mandate": "Other"}])
    assert "Accounting posts and marks them" in bookkeeping.pending([{**row, "may_post": False}])
    assert "! b.ecf cannot be counted: it is torn" in said
    assert "! c.ecf cannot be counted: Line 17: the debit account 5999 is not in the chart of accounts." in said
    assert any(line.startswith("! d.ecf") and "anew" in line for line in said)
    assert bookkeeping.pending([]) == "Nothing waits to be posted."


def test_the_lines_of_a_file_are_listed_once_for_all_its_periods() -> None:
    booking = {"line": 3, "date": "2025-01-05", "debit": "1100", "credit": "3000", "voucher": "V7", "text": "paper"}
    lines = [{"change": "new", "before": None, "after": {**booking, "amount": "108.10", "vat_code": ""}}]
    row: dict[str, Any] = {
        **{"mandate": "Cargo", "file": "a.ecf", "period": "2025", "new": 1, "changed": 0, "removed": 0, "since": None},
        **{"rewritten": False, "message": "", "finding": None, "may_post": True, "findings": 0},
        **{"posted": None, "deliveries": [], "content": "00", "saved": None, "lines": lines, "left_out": 4},
    }
    rows = [row, {**row, "period": None}, {**row, "file": "b.ecf", "new": None, "lines": None, "left_out": 0}]
    for said in (bookkeeping.pending(rows), bookkeeping.progress(rows)):
        told = [" ".join(line.split()) for line in said.splitlines()[-4:]]
        assert told[0] == "a.ecf:"
        assert told[2:] == ["+ 3 2025-01-05 1100 3000 V7 paper 108.10 -", "and 4 more lines"]
        assert said.count("paper") == 1
        assert "b.ecf:" not in said


def test_what_is_wrong_in_bookings_that_wait_is_told_once_for_a_file() -> None:
    row: dict[str, Any] = {
        **{"mandate": "Cargo", "file": "a.ecf", "period": "2025", "new": 3, "changed": 2, "removed": 1, "since": None},
        **{"rewritten": False, "message": "", "finding": None, "may_post": True, "first_finding": FINDING},
    }
    one, *_ = [line for line in bookkeeping.pending([{**row, "findings": 1}]).splitlines() if line[0] == "!"]
    line = "Line 17: the debit account 5999 is not in the chart of accounts."
    assert one == f"! a.ecf: {line} See: p2psync check Cargo"
    several = [{**row, "findings": 2, "period": period} for period in ("2025", None)]
    told = [line for line in bookkeeping.pending(several).splitlines() if line[0] == "!"]
    assert told == [f"! a.ecf: 2 findings, the first: {line} See: p2psync check Cargo"]


def test_bookings_that_reach_no_program_are_told_with_what_to_do() -> None:
    row: dict[str, Any] = {
        **{"mandate": "Cargo SA", "file": "wages/a b.ecs", "period": "2025", "new": 3, "changed": 0, "removed": 0},
        **{"since": None, "rewritten": False, "message": "", "finding": None, "may_post": True, "findings": 0},
    }
    assert "attach" not in bookkeeping.pending([{**row, "unattached": False}])
    told = bookkeeping.pending([{**row, "unattached": True}]).splitlines()[-1]
    assert told.startswith("! wages/a b.ecs is in no program's file on this PC.")
    assert told.endswith('p2psync attach "DIR/a b.ecs" --mandate "Cargo SA"')


def test_what_accounting_deleted_is_told_with_the_day_and_how_many_know_it() -> None:
    devices = [{"name": name, "content": "00", "current": True, "saved": None} for name in ("PC2", "PC3")]
    rows = [("1050", "2020-02-04T12:00:00Z", 1), ("1060", "2020-02-04T12:00:01Z", 1), ("1070", None, 2)]
    deletions = [{"number": number, "time": time, "confirmed": n} for number, time, n in rows]
    said = bookkeeping.chart({**CHART, "deletions": deletions, "devices": devices}, [bookkeeping.accounts])
    assert "Deleted by accounting on 2020-02-04: 1050, 1060. Confirmed by 1 of 2 other devices." in said
    assert "Deleted by accounting: 1070. Confirmed by 2 of 2 other devices." in said
    assert "Deleted by accounting" not in bookkeeping.chart(CHART, [bookkeeping.accounts])

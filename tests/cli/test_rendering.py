"""What people read: plain words, what to do next, and columns that stand under each other."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.cli import rendering
from p2psync.core.problem import Code

PEER: dict[str, Any] = {
    "device": "JK4QX2A-BBBBBBB",
    "name": "PC 2",
    "role": "payroll",
    "connected": True,
    "path": "lan",
    "rtt_ms": 0.4,
    "behind_files": 0,
    "last_seen": "2020-01-01T10:00:00Z",
}
MANDATE: dict[str, Any] = {
    **{"id": "ab" * 16, "name": "Cargo", "state": "shared", "role": "accounting", "folder": "/home/me/Cargo.crsync"},
    **{"files": 3, "bytes": 1200, "in_sync": True, "health": "ok", "conflicts": 0, "problems": 0, "pending": 0},
    "to_receive": {"files": 0, "bytes": 0},
    "to_send": {"files": 0, "bytes": 0},
    "peers": [PEER],
    "problem_list": [],
}
DEVICE = {"id": "AAAAAAA-BBBBBBB", "name": "Office", "version": "0.1.0", "mdns_problem": None}
REFUSED = {"reason": "refused!", "clock": "2028-11-21T06:37:00Z"}


def shown(**changes: Any) -> str:
    return rendering.status({"device": DEVICE, "mandates": [{**MANDATE, **changes}]})


def test_all_is_well() -> None:
    text = shown()
    assert "This device: Office (AAAAAAA)" in text
    assert "Cargo (accounting): in sync" in text
    assert "/home/me/Cargo.crsync  3 files, 1.2 kB" in text
    assert "* PC 2 (payroll, JK4QX2A): connected (local network)" in text
    assert "!" not in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "local", "peers": []}, "only on this PC"),
        ({"state": "local", "peers": []}, "p2psync share Cargo"),
        ({"health": "action"}, "needs you"),
        ({"to_receive": {"files": 1, "bytes": 5}}, "receiving, 1 file to come (5 bytes)"),
        ({"peers": [{**PEER, "behind_files": 2}]}, "sending, 2 files left"),
        ({"peers": [{**PEER, "connected": False}]}, "waiting for PC 2, last seen 2020-01-01"),
        (
            {"peers": [{**PEER, "connected": False}], "to_receive": {"files": 1, "bytes": 5}},
            "waiting for PC 2, last seen 2020-01-01",
        ),
        ({"peers": [{**PEER, "connected": False, "last_seen": None}]}, "waiting for PC 2\n"),
        ({"peers": [{**PEER, "connected": False}] * 4}, "waiting for 4 devices"),
        ({"peers": [{**PEER, "connected": False, "resting": True}]}, "in reach, but exchanges nothing just now: PC 2"),
        (
            {"peers": [{**PEER, "connected": False, "resting": True}]},
            "o PC 2 (payroll, JK4QX2A): in reach, but exchanges nothing just now",
        ),
        ({"peers": [{**PEER, "connected": False, "behind_files": 3}]}, "waiting for it, last seen 2020-01-01"),
        ({"peers": [{**PEER, "connected": False}]}, "o PC 2 (payroll, JK4QX2A): not connected, last seen 2020-01-01"),
        ({"peers": [{**PEER, "connected": False, "last_seen": None}]}, "not seen yet"),
        ({"peers": [{**PEER, "connected": False, "behind_files": 3}]}, ", 3 files behind"),
        ({"peers": [{**PEER, "behind_files": 4}]}, "4 files behind"),
        ({"refused": [REFUSED]}, "  ! refused!\n    -> Compare the clocks: this PC's says 2028-11-21 06:37 (UTC)"),
        ({"in_sync": False}, "Cargo (accounting): working"),
        ({"rests": {"why": "person", "until": None}}, "Cargo (accounting): paused until p2psync resume"),
        ({"rests": {"why": "person", "until": "2020-01-01T12:00:00Z"}}, "Cargo (accounting): paused until 2020-01-01"),
        ({"rests": {"why": "hours", "until": "2020-01-01T12:00:00Z"}}, "rests outside of its hours until 2020-01-01"),
        ({"current_until": "2025-06-30", "frozen": []}, "  Books complete until 2025-06-30"),
        ({"current_until": "2025-06-30", "current_note": "VAT sent"}, "2025-06-30\n  Accounting says: VAT sent"),
        ({"current_until": None, "frozen": ["2024", "2025"]}, "  Frozen periods: 2024, 2025"),
        ({"pending": 3, "role": "accounting"}, "  * 3 bookings to post: p2psync pending Cargo"),
        ({"pending": 3, "role": "payroll"}, "  * 3 bookings wait for accounting: p2psync pending Cargo --all"),
        ({"findings": 1}, "  ! 1 thing is wrong in bookings that wait: p2psync check Cargo"),
        ({"checks": ["accounts", "vat-codes"]}, "  Bookings are checked for: accounts, VAT codes"),
        ({"checks": []}, "  Bookings are not checked: there is no chart of accounts"),
        ({"conflicts": 1}, "! 1 conflict to look at: p2psync conflicts Cargo"),
        ({"conflicts": 2}, "! 2 conflicts to look at"),
        (
            {"actions": [{"what": "newcomers", "count": 1}]},
            "  * 1 device asks to be let in: p2psync devices Cargo",
        ),
        (
            {"actions": [{"what": "inbox", "count": 2}]},
            "  * 2 files arrived and wait to be delivered: p2psync inbox Cargo",
        ),
        (
            {"actions": [{"what": "chart", "count": 1}]},
            "  * There is no chart of accounts (.crp) yet: p2psync attach FILE --mandate Cargo",
        ),
    ],
)
def test_each_state_in_words(changes: dict[str, Any], expected: str) -> None:
    assert expected in shown(**changes)


def test_of_a_pc_that_was_never_met_nobody_knows_what_it_lacks() -> None:
    never = {**PEER, "connected": False, "last_seen": None, "behind_files": 3}
    text = shown(peers=[never])
    assert "not seen yet" in text
    assert "behind" not in text


@pytest.mark.parametrize("code", Code)
def test_every_problem_has_a_sentence_and_a_remedy(code: Code) -> None:
    lines = rendering.problem_lines({"path": "a.crp", "code": code.value, "detail": "x"}, "Cargo")
    assert len(lines) == 2
    assert lines[0].startswith("! ")
    assert lines[1].startswith("  -> ")
    assert "-" not in code.value or code.value not in " ".join(lines).split()


def test_a_problem_of_a_newer_daemon_is_shown_as_it_is() -> None:
    assert rendering.problem_lines({"path": "a", "code": "brand-new", "detail": ""}, "Cargo") == ["! a: brand-new"]


def test_many_problems_are_not_all_shown() -> None:
    problems = [{"path": f"{n}.txt", "code": "locked", "detail": ""} for n in range(30)]
    text = shown(problems=300, problem_list=problems)
    assert text.count("->") == rendering.PROBLEMS_SHOWN
    assert "and 280 problems more" in text


def test_a_limit_is_told_and_no_word_where_there_is_none() -> None:
    for limits, told in (({"up": None, "down": 2_000_000}, True), ({"up": None, "down": None}, False)):
        text = rendering.status({"device": {**DEVICE, "limits": limits}, "mandates": []})
        assert ("up no limit, down 2.0 MB per second" in text) is told


def test_without_a_mandate_the_way_on_is_told() -> None:
    text = rendering.status({"device": {**DEVICE, "mdns_problem": "no multicast"}, "mandates": []})
    assert "p2psync mandate create" in text
    assert "p2psync join" in text
    assert "no multicast" in text
    assert "p2psync peer add" in text


def test_columns_stand_under_each_other_whatever_the_script() -> None:
    text = rendering.table(("A", "B"), [("日本", "x"), ("e\u0301", "y"), ("abc", "z")], "none")
    assert text.splitlines() == ["A     B", "日本  x", "e\u0301     y", "abc   z"]
    assert rendering.table(("A",), [], "none") == "none"


def test_lists() -> None:
    assert "Cargo  shared  accounting" in rendering.mandates([MANDATE])
    assert "Cargo  shared (3 devices)  accounting" in rendering.mandates([{**MANDATE, "members": 3}])
    assert "Cargo  local  accounting" in rendering.mandates([{**MANDATE, "state": "local", "members": 1}])
    assert "/home/me" in rendering.mandate({**MANDATE, "members": 2})
    assert "p2psync mandate create" in rendering.mandates([])
    member = {**PEER, "admin": True, "primary": True, "state": "member"}
    waiting = {**PEER, "admin": False, "state": "waiting", "path": None, "role": None}
    text = rendering.devices([member, waiting, {**member, "this_device": True}])
    assert "payroll, admin, primary" in text
    assert "waits for approval" in text
    assert "this device" in text
    told = {"fingerprint": "AAAA-BBBB", "admitted": {"name": "Office", "time": "2020-01-01T10:00:00Z"}}
    (row,) = rendering.devices([{**member, **told}]).splitlines()[1:]
    assert "Office, 2020-01-01" in row
    assert "AAAA-BBBB" in row
    invitation = {"id": "4f1d", "role": "reader", "expires": "2020-01-01T00:00:00Z", "uses_left": 1}
    assert "4f1d" in rendering.invites([invitation])
    assert "4217-..." in rendering.invites([invitation, {**invitation, "number": 4217}])
    assert "p2psync invite" in rendering.invites([])
    assert rendering.addresses([{"address": "a:1"}, {"address": "b:2"}]) == "a:1\nb:2"
    assert "local network" in rendering.addresses([])


def test_overview_is_a_line_a_mandate() -> None:
    text = rendering.overview({"mandates": [{**MANDATE, "last_sync": None}]})
    assert len(text.splitlines()) == 2
    assert "in sync" in text
    assert text.endswith("-")


def test_overview_says_what_to_do_first() -> None:
    asked = [{"what": "conflicts", "count": 2}, {"what": "post", "count": 40}]
    text = rendering.overview({"mandates": [{**MANDATE, "last_sync": None, "actions": asked}]})
    assert text.endswith("p2psync conflicts Cargo (2), and 1 more")
    later = [{"what": "of a later version", "count": 1}]
    assert rendering.overview({"mandates": [{**MANDATE, "last_sync": None, "actions": later}]}).endswith("version (1)")


def test_a_mandate_tells_what_bookings_are_checked_for() -> None:
    row = {"name": "Cargo", "id": "ab", "state": "local", "role": "accounting", "folder": "/f"}
    assert "Checks" not in rendering.mandate(row)
    assert "Checks    none: there is no chart of accounts" in rendering.mandate({**row, "checks": []})
    assert "Checks    accounts, VAT codes" in rendering.mandate({**row, "checks": ["accounts", "vat-codes"]})

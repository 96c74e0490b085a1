"""Runs, conflicts, versions and the log as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.cli import reports, values
from p2psync.core import statement

RUN: dict[str, Any] = {
    **{"id": "7", "mandate": "Cargo", "started": "2020-01-01T10:00:00Z", "ended": "2020-01-01T10:00:01Z"},
    **{"result": "success", "waiting_for": [], "absent": [], "problems": [], "message": ""},
    "items": [
        {
            "path": "a.crp",
            "direction": "sent",
            "kind": "file",
            "state": "done",
            "size": 1200,
            "devices": ["Home", "PC"],
        },
        {"path": "c.ecs", "direction": "received", "kind": "file", "state": "done", "size": 7, "devices": ["Home"]},
        {"path": "b.txt", "direction": "received", "kind": "absent", "state": "done"},
    ],
}
CONFLICT: dict[str, Any] = {
    "mandate": "Cargo",
    "path": "Cargo 2025.crp",
    "rule": "prefer",
    "winner": {"id": "a" * 64 + ".0", "name": "Office", "time": "2020-01-01T10:00:00Z", "content": "c", "size": 5},
    "losers": [{"id": "b" * 64 + ".1", "name": "Home", "time": "2020-01-01T11:00:00Z", "content": None, "size": 0}],
}


def test_a_run_tells_what_it_moved() -> None:
    text = reports.run(RUN)
    assert text.startswith("Done")
    assert "-> a.crp  (1.2 kB, to Home, PC)" in text
    assert "<- c.ecs  (7 bytes, from Home)" in text
    assert "<- b.txt  (removed)" in text


def test_nothing_new_says_with_whom_that_was_checked_and_when() -> None:
    nothing = {**RUN, "result": "nothing-new", "items": []}
    assert reports.run(nothing) == "Nothing new: all is in sync."
    assert reports.run({**nothing, "confirmed": ["Home", "PC"]}) == (
        f"Nothing new: all is in sync (checked {values.moment(RUN['ended'])} with Home, PC)."
    )


def test_where_it_was_looked_for_who_was_not_found() -> None:
    url = "https://host.example"
    failed = {**RUN, "result": "failed", "waiting_for": ["Home"], "items": []}
    searched: dict[str, Any] = {"local_network": True, "hosts": [{"url": url, "connected": True}]}
    assert reports.run({**failed, "searched": searched}).splitlines()[1:] == [
        f"Looked for it at: known addresses, the local network, {url}"
    ]
    searched = {"local_network": False, "hosts": [{"url": url, "connected": False}]}
    assert reports.run({**failed, "searched": searched}).splitlines()[1:] == [
        "Looked for it at: known addresses",
        "The local network was not searched: mDNS is off, or does not work there.",
        f"The meeting host {url} is out of reach.",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"result": "nothing-new", "items": []}, "Nothing new"),
        ({"result": "failed", "waiting_for": ["Home"]}, "Not done: waiting for Home"),
        (
            {"result": "failed", "waiting_for": ["Home"], "last_seen": {"Home": "2020-01-01T10:00:00Z"}},
            "waiting for Home, last seen 2020-01-01",
        ),
        ({"absent": ["Home"]}, "Not connected, gets it later: Home"),
        ({"result": "partial", "problems": [{"device": "Home", "path": "a", "code": "disk-full"}]}, "On Home:"),
        ({"result": "partial", "problems": [{"device": None, "path": "a", "code": "disk-full"}]}, "The disk is full"),
        ({"message": "The time is over."}, "The time is over."),
        ({"items": [{"path": "a", "direction": "sent", "kind": "file", "state": "waiting"}]}, "still to be moved"),
        ({"missing": [{"mandate": "Cargo", "what": "share"}]}, "share it with: p2psync share Cargo"),
        ({"missing": [{"mandate": "Cargo", "what": "members"}]}, "p2psync invite Cargo --role ROLE"),
        ({"missing": [{"mandate": "Cargo", "what": "accounting"}]}, "p2psync devices Cargo --role DEVICE=accounting"),
        ({"items": RUN["items"] * 20}, "and 30 files more"),
    ],
)
def test_how_a_run_ended(changes: dict[str, Any], expected: str) -> None:
    assert expected in reports.run({**RUN, **changes})


def test_history_is_a_line_a_run() -> None:
    text = reports.history([RUN, {**RUN, "id": "6", "result": "failed"}])
    assert [line.split()[0] for line in text.splitlines()] == ["RUN", "7", "6"]
    assert "-> a.crp" in reports.past_run([RUN])
    assert "p2psync sync" in reports.history([])
    assert reports.failed([RUN]) == reports.history([RUN])
    assert reports.failed([]).startswith("No run failed")


def test_history_tells_why_a_run_was_started() -> None:
    text = reports.history([{**RUN, "trigger": "monthly", "full": True}, {**RUN, "trigger": "returned"}, RUN])
    assert "monthly, full" in text
    assert "long absence" in text
    assert "asked for" in text


def test_a_full_run_is_estimated_and_it_is_said_when_it_is_needed() -> None:
    text = reports.planned({**RUN, "items": [], "reads": {"files": 2, "bytes": 5000}})
    assert "2 files (5.0 kB)" in text
    assert "after a backup was restored" in text


def test_a_cancelled_run_goes_on_later() -> None:
    assert "Cancelled in Cargo" in reports.cancelled([{"mandate": "Cargo"}])
    assert reports.cancelled([]) == "No run is under way."


def test_who_rests_and_who_goes_on() -> None:
    paused = {"mandate": "Cargo", "why": "person", "until": None}
    text = reports.resting([paused, {"mandate": "X", "why": None, "until": None}])
    assert text.splitlines() == ["Cargo: paused until p2psync resume", "X: goes on"]


def test_limits_are_shown_or_that_there_is_none() -> None:
    assert reports.limits({"up": None, "down": None}) == "There is no limit."
    text = reports.limits({"up": 500_000, "down": None})
    assert text == "To and from places outside of this network: up 500 kB per second, down no limit"
    text = reports.limits({"up": None, "down": None, "cpu": 25})
    assert text == "Reading everything: at most 25% of one processor"


def test_plans_are_shown_with_the_next_run() -> None:
    due = {"at": "2020-06-30T02:00:00Z", "kind": "incremental"}
    rows = [{"mandate": "Cargo", "full": "monthly 7 03:00", "next": due}, {"mandate": "X", "full": "off", "next": None}]
    plans = {"incremental": "02:00", "full": "monthly 03:00", "active": "06:00-22:00"}
    text = reports.schedule({**plans, "mandates": rows})
    assert text.startswith("Looking for changes: 02:00")
    assert "Hours of activity: 06:00-22:00" in text
    assert "monthly 7 03:00" in text
    assert "on each change" in text
    timed = {"mandate": "Cargo", "full": "off", "next": None, "interval": "15m", "exchange": None}
    assert "every 15m, now" in reports.schedule({**plans, "mandates": [timed]})
    assert "for changes" in text


def test_a_plan_says_that_nothing_was_done() -> None:
    assert reports.planned({**RUN}).startswith("Nothing was done")
    assert reports.planned({**RUN, "items": []}) == "There is nothing to exchange."


def test_conflicts_show_all_versions_and_how_to_choose() -> None:
    text = reports.conflicts([CONFLICT])
    assert "stands:     aaaaaaaaaaaa  by Office" in text
    assert "kept aside: bbbbbbbbbbbb  by Home" in text
    assert "removed" in text
    assert 'close the conflict: p2psync conflicts Cargo "Cargo 2025.crp" --keep aaaaaaaaaaaa' in text
    assert 'stand everywhere: p2psync conflicts Cargo "Cargo 2025.crp" --keep bbbbbbbbbbbb' in text
    assert reports.conflicts([]) == "No open conflicts."
    assert "aaaaaaaaaaaa" in reports.kept({"path": "a", "kept": "a" * 64})


def test_where_a_person_decides_no_version_is_said_to_stand() -> None:
    text = reports.conflicts([{**CONFLICT, "rule": "manual"}])
    assert "  aaaaaaaaaaaa  by Office" in text
    assert "  bbbbbbbbbbbb  by Home" in text
    assert "stands" not in text
    assert "until a person chooses: p2psync conflicts" in text


@pytest.mark.parametrize(
    "word", ["replaced", "removed", "conflict", "refused", "set-aside", "edited", "current", "log"]
)
def test_every_reason_to_keep_a_version_has_words(word: str) -> None:
    assert reports.reason(word) != word
    row = {"id": "a" * 70, "time": "2020-01-01T10:00:00Z", "name": None, "size": 5, "reason": word}
    assert reports.reason(word) in reports.versions([row])


def test_restoring_says_what_and_where() -> None:
    answer = {"path": "a.crp", "time": "2020-01-01T10:00:00Z", "to": "/x", "changed": True}
    assert "into /x" in reports.restored(answer)
    assert "already" in reports.restored({**answer, "changed": False})


def test_the_log_in_words() -> None:
    row = {"time": "2020-01-01T10:00:00Z", "device": "AAAAAAA-B", "seq": 3, "path": "a.crp", "kind": "file"}
    rows = [row, {**row, "kind": "admit", "path": "", "about": "PC 2"}, {**row, "kind": "absent", "accepted": False}]
    text = reports.log(rows)
    assert "saved" in text
    assert "admitted" in text
    assert "PC 2" in text
    assert "removed (refused)" in text


@pytest.mark.parametrize(
    "kind", sorted(one.KIND for one in vars(statement).values() if isinstance(one, type) and hasattr(one, "KIND"))
)
def test_all_that_an_admin_can_state_has_words_in_the_log(kind: str) -> None:
    row = {"time": "2020-01-01T10:00:00Z", "device": "AAAAAAA-B", "name": "Office", "seq": 3, "path": "", "kind": kind}
    cells = reports.log([row]).splitlines()[1].split("  ")
    assert kind not in [cell.strip() for cell in cells]


def test_verification_names_the_first_bad_entry() -> None:
    assert "whole" in reports.verified({"ok": True, "blocks": 3, "devices": 2})
    bad = {"seq": 2, "device": "AAAAAAA-B", "name": None, "reason": "its bytes were changed"}
    assert "no. 2 by AAAAAAA: its bytes were changed" in reports.verified({"ok": False, "first_bad": bad})

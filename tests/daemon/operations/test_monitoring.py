"""Each task is in the state that is true, names for whom it waits, and when it is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.daemon.operations.monitoring import Seen, tasks

SOON, LATER = "2030-01-01T10:00:00Z", "2030-01-01T11:00:00Z"
HERE = {"name": "PC 2", "connected": True, "behind_files": 0, "next_attempt": None}
AWAY = {"name": "PC 3", "connected": False, "behind_files": None, "next_attempt": LATER}
NIGHTLY: dict[str, Any] = {"trigger": "nightly", "full": False}
ENDED = {**NIGHTLY, "ended": SOON, "message": ""}


def said(seen: Seen) -> list[tuple[str, str, list[str], str | None]]:
    return [(task["task"], task["state"], task["waiting_for"], task["next_attempt"]) for task in tasks(seen)]


def test_where_nothing_goes_on_there_are_no_tasks() -> None:
    assert tasks(Seen()) == tasks(Seen(peers=[HERE])) == []


def test_what_goes_on_comes_before_what_comes_and_what_has_ended() -> None:
    run, coming = {**NIGHTLY, "started": SOON}, {**NIGHTLY, "full": True, "next_attempt": LATER}
    seen = Seen([HERE], None, run, NIGHTLY, {**ENDED, "result": "success"}, coming, 3)
    assert said(seen) == [
        ("run", "running", [], None),
        ("run", "queued", [], None),
        ("receive", "running", [], None),
        ("run", "queued", [], LATER),
        ("run", "done", [], None),
    ]
    assert [task["full"] for task in tasks(seen)] == [False, False, False, True, False]
    assert [task["time"] for task in tasks(seen)] == [SOON, None, None, None, SOON]


@pytest.mark.parametrize(
    ("result", "state"),
    [("nothing-new", "done"), ("success", "done"), ("partial", "partial"), ("failed", "failed"), ("new", "failed")],
)
def test_how_the_last_run_ended(result: str, state: str) -> None:
    (task,) = tasks(Seen(last={**ENDED, "result": result, "message": "because"}))
    assert (task["state"], task["message"], task["trigger"]) == (state, "because", "nightly")


def test_a_run_whom_nobody_answers_waits_for_all() -> None:
    other = {**AWAY, "name": "PC 4", "next_attempt": SOON}
    seen = Seen(peers=[AWAY, other], run={**NIGHTLY, "started": SOON})
    assert said(seen)[0] == ("run", "waiting", ["PC 3", "PC 4"], SOON)


@pytest.mark.parametrize(
    ("peers", "facts", "expected"),
    [
        ([HERE, AWAY], {}, ("running", [], None)),
        ([AWAY], {}, ("waiting", ["PC 3"], LATER)),
        ([{**AWAY, "next_attempt": None}], {}, ("waiting", ["PC 3"], None)),
        ([HERE, AWAY], {"receive_at": SOON}, ("waiting", ["PC 3"], SOON)),
        ([HERE], {"receive_at": SOON}, ("queued", [], SOON)),
        ([HERE], {"rests": {"why": "hours", "until": LATER}}, ("queued", [], LATER)),
    ],
)
def test_what_is_to_come(peers: list[Any], facts: dict[str, Any], expected: tuple[Any, ...]) -> None:
    task = next(task for task in tasks(Seen(peers=peers, to_receive=2, **facts)) if task["task"] == "receive")
    assert (task["state"], task["waiting_for"], task["next_attempt"], task["files"]) == (*expected, 2)


@pytest.mark.parametrize(
    ("peer", "rests", "expected"),
    [
        ({**HERE, "behind_files": 2}, None, ("send", "running", [], None)),
        ({**AWAY, "behind_files": 2}, None, ("send", "waiting", ["PC 3"], LATER)),
        (AWAY, None, ("connect", "waiting", ["PC 3"], LATER)),
        ({**AWAY, "behind_files": 2}, {"until": None}, ("send", "queued", [], None)),
    ],
)
def test_what_the_others_lack(peer: Any, rests: Any, expected: tuple[Any, ...]) -> None:
    assert said(Seen(peers=[peer], rests=rests)) == [expected]
    assert tasks(Seen(peers=[peer], rests=rests))[0]["device"] == peer["name"]


def test_nobody_is_called_while_it_rests() -> None:
    assert tasks(Seen(peers=[AWAY], rests={"until": LATER})) == []


def test_what_the_disk_refused_has_failed_and_is_tried_again() -> None:
    (task,) = tasks(Seen(stuck=2, stuck_until=SOON))
    assert (task["task"], task["state"], task["files"], task["next_attempt"]) == ("place", "failed", 2, SOON)

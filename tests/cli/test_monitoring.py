"""`status --tasks`: what goes on in words, and when what failed is tried again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from p2psync.cli import monitoring

NOW = "2030-01-01T10:00:00Z"
NOW_S = datetime.fromisoformat(NOW).timestamp()
TASK: dict[str, Any] = {
    **{"task": "run", "state": "queued", "waiting_for": [], "device": None, "files": None, "trigger": "nightly"},
    **{"full": False, "time": None, "next_attempt": None, "message": ""},
}
HOST = {"url": "wss://host:1", "connected": False, "problem": None, "next_attempt": "2030-01-01T10:00:30Z"}


def shown(*tasks: dict[str, Any], hosts: tuple[dict[str, Any], ...] = ()) -> str:
    mandates = [{"name": "Cargo", "tasks": [{**TASK, **task} for task in tasks]}]
    return monitoring.tasks({"rendezvous": hosts, "mandates": mandates}, NOW_S)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"full": True, "next_attempt": "2030-01-03T10:00:00Z"}, ["Run (nightly, full)", "queued", "2030-01-03"]),
        ({"state": "running", "trigger": "manual", "time": "2030-01-01"}, ["Run (asked for)", "under way, 2030-01-01"]),
        ({"state": "failed", "message": "no folder"}, ["failed: no folder"]),
        ({"state": "partial"}, ["partly done"]),
        ({"state": "done"}, ["done"]),
        ({"task": "receive", "state": "running", "files": 2}, ["Receive 2 files", "under way"]),
        (
            {"task": "send", "state": "waiting", "files": 1, "device": "PC 2", "waiting_for": ["PC 2"]},
            ["Send 1 file to PC 2", "waiting for PC 2", "as soon as it is there"],
        ),
        (
            {"task": "connect", "state": "waiting", "device": "PC 2", "waiting_for": ["PC 2"], "next_attempt": NOW},
            ["Reach PC 2", "waiting for PC 2", "within a minute"],
        ),
        ({"task": "place", "state": "failed", "files": 3, "next_attempt": NOW}, ["Place 3 files here", "within a"]),
        ({"task": "brand-new", "state": "odd"}, ["brand-new", "odd"]),
    ],
)
def test_each_task_in_words(changes: dict[str, Any], expected: list[str]) -> None:
    title, head, line = shown(changes).splitlines()
    assert (title, head.split()[:2]) == ("Cargo", ["TASK", "STATE"])
    assert all(part in line for part in expected), line


def test_meeting_hosts_that_are_not_reached_come_first() -> None:
    wrong = {**HOST, "problem": "it is silent", "next_attempt": None}
    text = shown(hosts=(HOST, wrong, {**HOST, "url": "wss://good:1", "connected": True}))
    first, second, third = text.splitlines()[1:4]
    assert first.startswith("Visit the meeting host wss://host:1")
    assert ("not connected yet" in first, "within a minute" in first) == (True, True)
    assert "failed" in second
    assert third == "! it is silent"
    assert "good" not in text
    assert text.endswith("Nothing goes on, and nothing is planned.")


def test_without_a_mandate_the_way_on_is_told() -> None:
    assert "p2psync mandate create" in monitoring.tasks({"rendezvous": [], "mandates": []})

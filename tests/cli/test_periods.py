"""Accounting periods as people read them."""

from __future__ import annotations

from typing import Any

from p2psync.cli import periods

WHO = {"device": "ABC-DEF", "name": "PC-Fidu", "time": "2020-06-30T14:03:00Z"}
LATE = {"period": "2025", "path": "a.ecf", "kind": "file", "content": "00", **WHO}


def test_periods_are_listed_with_what_came_too_late_for_them() -> None:
    closed: dict[str, Any] = {"period": "2025", "files": ["a.ecf"], "frozen": {**WHO, "files": ["a.ecf"]}}
    answer = {
        "periods": [closed, {"period": "2026", "files": [], "frozen": None}],
        "current_until": {"until": "2025-06-30", **WHO},
        "late": [LATE, {**LATE, "kind": "absent", "content": None}],
    }
    said = periods.periods(answer).splitlines()
    assert "frozen by PC-Fidu, 2020-06-30" in said[1]
    assert said[2].split()[:2] == ["2026", "open"]
    assert said[3].startswith("The books are complete until 2025-06-30, says PC-Fidu")
    assert "too late for 2025; kept on that PC as a version" in said[4]
    assert "removed by PC-Fidu" in said[5]
    nothing = periods.periods({"periods": [], "current_until": None, "late": []})
    assert nothing == "No chart of accounts in the folder states a period."


def test_what_is_to_be_frozen_is_shown_with_what_stays_open() -> None:
    left_out = [{"path": "b.ecf", "reason": "across"}, {"path": "c.ecs", "reason": "restricted"}]
    plan: dict[str, Any] = {
        "mandate": "Cargo",
        "period": "2025",
        "files": [{"path": "a.ecf", "content": "00"}],
        "left_out": left_out,
    }
    said = periods.planned(plan).splitlines()
    assert said[:2] == ["Freezing 2025 closes 1 file:", "  a.ecf"]
    assert said[2].startswith("! b.ecf has bookings of other periods")
    assert said[3].startswith("! c.ecs stays open")
    none = periods.planned({**plan, "period": "1800", "files": [], "left_out": []}).splitlines()
    assert none[1].endswith("p2psync period Cargo --unfreeze 1800")
    assert periods.frozen(plan).startswith("2025 is frozen with 1 file;")
    assert periods.activated([plan, plan]).count("is frozen with") == 2
    assert periods.activated([]) == "No period before it is open."
    assert periods.unfrozen(plan).startswith("2025 is open again.")
    assert periods.current({"until": "2025-06-30", **WHO}).startswith("The books are complete until 2025-06-30")
    assert periods.current({"until": "2020-06-30", "note": None, **WHO}).count("\n") == 0
    assert "is still to come" in periods.current({"until": "2020-07-01", **WHO}), "by the clock of who said it"
    assert periods.current({"until": "2020-06-30", "note": "VAT sent", **WHO}).endswith("\nAccounting says: VAT sent")

"""`status --what`: kinds in the order in which they need each other, with this PC's part in each."""

from __future__ import annotations

from p2psync.cli import exchanged
from p2psync.i18n import set_language

CHART = {"pattern": "*.crp", "class": "master data", "mode": "prefer", "master": "accounting"}
PAY = {"pattern": "*.ecs", "class": "entries", "mode": "enforce", "master": "owner"}


def test_kinds_are_listed_in_their_order_with_what_this_pc_does() -> None:
    rules = [
        {**PAY, "parts": {"accounting": "receives", "payroll": "own", "banking": "nothing"}},
        {**CHART, "parts": {"accounting": "changes", "payroll": "changes"}},
        {"pattern": "*.ecs", "readers": ["payroll"]},
        {**PAY, "pattern": "x", "class": "of a later version", "parts": {"payroll": "of a later version"}},
    ]
    text = exchanged.kinds([{"name": "Cargo", "role": "payroll", "rules": rules}])
    said = text.splitlines()
    assert said[0] == "Cargo (payroll)"
    assert "*.crp" in said[2]
    assert said[2].startswith("chart of accounts, master data")
    assert "↑↓ sends and receives" in said[2]
    assert said[2].endswith("accounting, payroll; in a conflict accounting wins")
    assert said[3].startswith("bookings")
    assert "↑ sends its own, ↓ receives others" in said[3]
    assert said[3].endswith("payroll")
    assert said[4].split()[:4] == ["of", "a", "later", "version"]
    once = {"pattern": "iso20022/*", "class": "other", "mode": "once", "master": None}
    added = [{**once, "parts": {"banking": "adds", "reader": "receives"}}]
    [line] = exchanged.kinds([{"name": "Cargo", "role": "banking", "rules": added}]).splitlines()[2:]
    assert "↑↓ sends new ones and receives" in line
    assert line.endswith("banking")
    for role, words in (("accounting", "↓ receives"), ("banking", "not exchanged")):
        told = exchanged.kinds([{"name": "Cargo", "role": role, "rules": rules[:1]}])
        assert words in told.splitlines()[2]


def test_who_wins_is_said_in_words_too() -> None:
    owned = {**PAY, "mode": "prefer", "parts": {"payroll": "changes"}}
    set_language("de")
    try:
        [line] = exchanged.kinds([{"name": "Cargo", "role": "payroll", "rules": [owned]}]).splitlines()[2:]
    finally:
        set_language("en")
    assert line.startswith("Buchungen")
    assert "owner" not in line
    assert "entries" not in line

"""Imports of master data as people read them."""

from __future__ import annotations

from typing import Any

from p2psync.cli import masters

DONE: dict[str, Any] = {
    **{"file": "a.xml", "records": 3, "taken": True, "new": 1, "changed": 1, "deleted": 1},
    "changes": [
        {"sign": "+", "record": "account", "number": "1", "fields": {"type": {"before": "", "after": "A"}}},
        {"sign": "~", "record": "account", "number": "2", "fields": {"cash": {"before": "true", "after": ""}}},
        {"sign": "-", "record": "account", "number": "3", "fields": {}},
    ],
    **{"missing": [{"record": "payment-term", "number": "30N"}], "count": 0, "findings": []},
}


def test_an_import_tells_what_is_new_changed_and_deleted() -> None:
    assert masters.imported(DONE).splitlines() == [
        "Taken over: a.xml",
        "3 records: +1 ~1 -1",
        "+ account 1: type=A",
        "~ account 2: cash=- (true)",
        "- account 3",
        "kept, though left out: payment-term 30N",
    ]
    dry = masters.imported({**DONE, "taken": False, "changes": DONE["changes"] * 20})
    assert dry.startswith("Nothing was taken over; this is what would change: a.xml")
    assert "and 10 more" in dry


def test_mistakes_are_told_with_their_lines() -> None:
    finding = {"line": 7, "code": "number-missing", "facts": {}}
    said = masters.imported({**DONE, "taken": False, "count": 31, "findings": [finding] * 31}).splitlines()
    assert said[0] == "a.xml has 31 mistakes: nothing was taken over."
    assert said[1] == "  Line 7: a record has no number or code."
    assert said[-1] == "  and 1 more"


def test_single_changes_are_told() -> None:
    one = {"record": "account", "number": "1000", "fields": {"cash": "true"}}
    assert masters.changed(one) == "Changed: account 1000 (cash=true)"
    assert masters.removed(one) == "Removed: account 1000"


def test_an_export_that_is_followed_no_longer_is_named() -> None:
    assert masters.unfollowed({"file": "/a.xml"}) == "Not taken over by itself any more: /a.xml"
    assert masters.unfollowed({"file": None}) == "No export was taken over by itself."

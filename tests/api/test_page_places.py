"""The page's views of all mandates together and of this PC: what they show, and what their buttons ask for."""

from __future__ import annotations

import pytest

from tests.api.browsing import SHARED, TIME, browse, needs_node

pytestmark = needs_node

OTHER = {**SHARED, "id": "cd", "name": "Bakery", "pending": 4, "actions": [{"what": "post", "count": 4}]}


def test_the_overview_is_a_table_of_all_mandates_with_what_to_do_first() -> None:
    page = browse(SHARED, OTHER, at="#overview", steps=[], events=())
    text = page["shown"]["mandates"]
    assert "Bakery all the same everywhere 4 – – – post bookings (4)" in text
    assert {"#m/ab", "#m/cd"} <= set(page["links"])
    assert page["mute"] == 0
    assert page["title"] == "Overview – p2psync"


@pytest.mark.parametrize(
    ("step", "call", "given"),
    [
        ({"press": "Mark as posted"}, "posted", {}),
        ({"fill": "period/current", "with": {"until": "2025-06-30"}}, "period/current", {"until": "2025-06-30"}),
    ],
)
def test_the_same_is_done_in_all_chosen_mandates(step: dict[str, object], call: str, given: dict[str, str]) -> None:
    third = {**OTHER, "id": "ef", "name": "Third"}
    chosen: list[dict[str, object]] = [{"tick": "Cargo"}, {"tick": "Bakery"}, step]
    page = browse(SHARED, OTHER, third, at="#overview", answers={f"/api/{call}": []}, steps=chosen, events=())
    asked = [body for _, path, body in page["asked"] if path == f"/api/{call}"]
    assert asked == [{**given, "mandate": "ab"}, {**given, "mandate": "cd"}]
    assert page["shown"]["notice"] == "Done in all chosen mandates."
    failing = {f"/api/{call}": ValueError("not allowed")}
    page = browse(SHARED, OTHER, at="#overview", answers=failing, steps=chosen, events=())
    assert page["shown"]["notice"] == "Cargo: not allowed Bakery: not allowed"
    page = browse(SHARED, at="#overview", steps=[step], events=())
    assert page["shown"]["notice"] == "Choose at least one mandate first."


PC: dict[str, object] = {
    "/api/limit": {"up": 500_000, "down": None, "cpu": None},
    "/api/schedule": {"incremental": "02:00", "full": "mon,thu 02:00", "active": "6:00-22:00", "mandates": []},
    "/api/limit/set": {},
    "/api/schedule/set": {},
}


def test_the_bandwidth_is_limited_and_the_limit_taken_away() -> None:
    page = browse(at="#pc", answers=PC, steps=[{"fill": "limit/set", "with": {"down": "2000"}}], events=())
    assert "up 500 kB per second, down no limit" in page["shown"]["mandates"]
    assert ["POST", "/api/limit/set", {"up": "500K", "down": "2000K", "cpu": "off"}] in page["asked"]
    page = browse(at="#pc", answers=PC, steps=[{"press": "Take the limits away"}], events=())
    assert ["POST", "/api/limit/set", {"up": "off", "down": "off", "cpu": "off"}] in page["asked"]
    none = {**PC, "/api/limit": {"up": None, "down": None, "cpu": None}}
    assert "Take the limits away" not in browse(at="#pc", answers=none, steps=[], events=())["shown"]["mandates"]
    capped = {**none, "/api/limit": {"up": None, "down": None, "cpu": 25}}
    page = browse(at="#pc", answers=capped, steps=[{"fill": "limit/set", "with": {"cpu": "10"}}], events=())
    assert "Reading everything: at most 25% of one processor" in page["shown"]["mandates"]
    assert "Take the limits away" in page["shown"]["mandates"]
    assert ["POST", "/api/limit/set", {"up": "off", "down": "off", "cpu": "10%"}] in page["asked"]


def test_a_plan_that_is_not_changed_stays_as_it_was_written() -> None:
    page = browse(at="#pc", answers=PC, steps=[{"fill": "schedule/set", "with": {"incremental": ""}}], events=())
    wanted = {"incremental": "off", "full": "mon,thu 02:00", "active": "06:00-22:00"}
    assert ["POST", "/api/schedule/set", wanted] in page["asked"]
    monthly = {"incremental": "off", "full": "monthly 03:00", "active": "always"}
    coming = [{"mandate": "Cargo", "full": "monthly 21 03:00", "next": {"at": TIME, "kind": "full"}}]
    answers = {**PC, "/api/schedule": {**monthly, "mandates": coming}}
    page = browse(at="#pc", answers=answers, steps=[{"fill": "schedule/set", "with": {}}], events=())
    assert ["POST", "/api/schedule/set", monthly] in page["asked"]
    assert "Cargo on each change day 21 of each month, 03:00 2 Jan 2020" in page["shown"]["mandates"]


def test_an_interval_is_shown_and_set_for_one_mandate_or_all() -> None:
    rows = [
        {"mandate": "Cargo", "full": "off", "next": None, "interval": "15m", "exchange": TIME},
        {"mandate": "Bakery", "full": "off", "next": None, "interval": "2h", "exchange": None},
    ]
    plans = {"incremental": "off", "full": "off", "active": "always", "mandates": rows}
    answers = {**PC, "/api/schedule": plans}
    steps: list[dict[str, object]] = [
        {"fill": "schedule/set", "last": True, "with": {"mandate": "Cargo", "interval": "30m"}}
    ]
    page = browse(at="#pc", answers=answers, steps=steps, events=())
    assert "Cargo every 15m, next at 2 Jan 2020" in page["shown"]["mandates"]
    assert "Bakery every 2h –" in page["shown"]["mandates"]
    assert ["POST", "/api/schedule/set", {"mandate": "Cargo", "interval": "30m"}] in page["asked"]
    steps = [{"fill": "schedule/set", "last": True, "with": {"interval": ""}}]
    page = browse(at="#pc", answers=answers, steps=steps, events=())
    assert ["POST", "/api/schedule/set", {"interval": "off"}] in page["asked"]


def test_this_pc_is_examined_by_a_button() -> None:
    found = [
        {"state": "ok", "code": "daemon-runs", "facts": {"version": "1.2"}},
        {"state": "warning", "code": "mdns-off", "facts": {}},
        {
            "state": "error",
            "code": "folder-problem",
            "facts": {"mandate": "Cargo", "code": "folder-gone", "detail": "/f", "device": None},
        },
        {"state": "ok", "code": "disk-room", "facts": {"folder": "/f", "free_bytes": 5000}},
        {
            "state": "ok",
            "code": "member-connected",
            "facts": {"mandate": "Cargo", "member": "PC 2", "path": "lan", "last_seen": None},
        },
    ]
    text = browse(at="#pc", answers={**PC, "/api/doctor": found}, steps=[{"press": "Look now"}], events=())["shown"][
        "mandates"
    ]
    assert "OK:  p2psync 1.2 is running." in text
    assert "note:  " in text
    assert "wrong:  Cargo: " in text
    assert "The disk of /f has 5.0 kB free." in text
    assert "Cargo: PC 2 is connected (local network)." in text
    assert "{" not in text


def test_a_mandate_is_made() -> None:
    made = {"id": "ab", "name": "Cargo", "folder": "/f"}
    step = {"fill": "mandate/create", "with": {"name": "Cargo", "accounting": "C:\\a.cre", "person": "Anna"}}
    page = browse(at="#new", answers={"/api/mandate/create": made}, steps=[step], events=())
    wanted = {"name": "Cargo", "accounting": "C:\\a.cre", "person": "Anna"}
    assert ["POST", "/api/mandate/create", wanted] in page["asked"]


def test_all_mandates_are_synchronised_by_one_button() -> None:
    page = browse(
        SHARED, answers={"/api/sync": {"result": "nothing-new"}}, steps=[{"press": "Synchronise all mandates"}]
    )
    assert ["POST", "/api/sync", {}] in page["asked"]
    assert page["shown"]["notice"] == "Nothing new: all is in sync."

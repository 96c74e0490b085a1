"""The page's way into a mandate: what a ticket says is shown first, and a button joins, however it was given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from p2psync.api.server import BODY_BYTES_MAX
from p2psync.i18n import set_language
from tests.api.browsing import SHARED, browse, needs_node

pytestmark = needs_node

FOUND: dict[str, Any] = {
    **{"kind": "ticket", "mandate": "Cargo <b>", "id": "ab", "inviter": "Office", "fingerprint": "5FAM-6DBW"},
    **{"role": "payroll", "admin": False, "expires": "2999-01-02T03:04:05Z", "folder": "/d/Cargo", "already": False},
}
JOINED = {"id": "ab", "mandate": "Cargo", "role": "payroll", "fingerprint": "5FAM"}
GIVE: dict[str, object] = {"fill": "join/show", "with": {"ticket": " P2P1SECRET "}}
JOIN: dict[str, object] = {"fill": "join", "with": {}}


def seen(*steps: dict[str, object], found: object = FOUND, joined: object = JOINED, at: str = "#new") -> Any:
    answers = {"/api/join/show": found, "/api/join": joined}
    return browse(at=at, answers=answers, steps=steps, events=())


def asked(page: Any, path: str) -> list[object]:
    return [body for _, called, body in page["asked"] if called == path]


def test_what_a_ticket_says_is_shown_before_anything_is_joined() -> None:
    page = seen(GIVE)
    text = " ".join(page["shown"]["mandates"].split())
    for fact in (
        *("mandate: Cargo <b>", "invited by: Office", "fingerprint: 5FAM-6DBW", "role: payroll", "valid until: 2 Jan"),
        "Compare the fingerprint by telephone before you join",
    ):
        assert fact in text
    assert "Make a mandate" not in text, "whoever looks at a ticket has begun already"
    assert asked(page, "/api/join/show") == [{"ticket": "P2P1SECRET"}]
    assert asked(page, "/api/join") == []
    assert "P2P1SECRET" not in text
    assert page["mute"] == 0
    assert "role:  payroll, admin" in seen(GIVE, found={**FOUND, "admin": True})["shown"]["mandates"]


def test_the_button_joins_in_the_folder_that_was_proposed_or_another() -> None:
    page = seen(GIVE, JOIN)
    assert asked(page, "/api/join") == [{"ticket": "P2P1SECRET", "folder": "/d/Cargo"}]
    assert page["shown"]["notice"].endswith("5FAM"), "also in the view to which that leads"
    page = seen(GIVE, {"fill": "join", "with": {"folder": "/e"}}, {"turn": "#pc"})
    assert asked(page, "/api/join") == [{"ticket": "P2P1SECRET", "folder": "/e"}]
    assert page["shown"]["notice"] == "", "but no further"
    page = seen(GIVE, {"fill": "join", "with": {"person": "Anna <M\u00fcller>"}})
    assert asked(page, "/api/join") == [{"ticket": "P2P1SECRET", "folder": "/d/Cargo", "person": "Anna <M\u00fcller>"}]
    page = seen(GIVE, JOIN, {"turn": "#new"})
    assert "ticket or code" in page["shown"]["mandates"], "the ticket is forgotten"


def test_whoever_waits_for_an_approval_is_told_and_goes_on_with_the_same_button() -> None:
    page = seen(GIVE, JOIN, JOIN, joined={"waiting_for": "approval", "message": "Still waiting"})
    assert page["shown"]["notice"] == "Still waiting"
    assert len(asked(page, "/api/join")) == 2


def test_what_is_wrong_is_told_and_the_form_stays() -> None:
    page = seen(GIVE, found=ValueError("This ticket expired on 2020-01-01."))
    assert page["shown"]["notice"] == "This ticket expired on 2020-01-01."
    assert "ticket or code" in page["shown"]["mandates"]
    page = seen(GIVE, JOIN, joined=ValueError("This ticket has been used already."))
    assert page["shown"]["notice"] == "This ticket has been used already."
    assert "invited by" in page["shown"]["mandates"]
    page = seen(GIVE, {"press": "Another ticket"})
    assert "ticket or code" in page["shown"]["mandates"]


@pytest.mark.parametrize("how", ["choose", "drop"])
def test_a_file_is_read_by_the_page(how: str) -> None:
    page = seen({how: "# a comment\nP2P1\0\n"})
    assert asked(page, "/api/join/show") == [{"ticket": "# a comment\nP2P1\ufffd\n"}]
    assert "invited by" in page["shown"]["mandates"]
    recovery = "x" * 110_000
    assert asked(seen({how: recovery}), "/api/join/show") == [{"ticket": recovery}], "it names two hundred members"
    for endless in ("x" * 1_000_000, "\ufffd" * 1_000_000):
        (huge,) = asked(seen({how: endless}), "/api/join/show")
        assert len(json.dumps(huge, ensure_ascii=False).encode()) <= BODY_BYTES_MAX, "a daemon takes it"


def test_a_file_may_be_dropped_anywhere() -> None:
    page = seen({"drop": "P2P1"}, at="#pc")
    assert "invited by" in page["shown"]["mandates"]
    assert page["kept"] == 2, "the browser does not show it in the place of the page"
    page = seen({"drop": "hello"}, at="#pc", found=ValueError("This is no ticket."))
    assert page["shown"]["notice"] == "This is no ticket.", "also where that leads to another view"


def test_a_ticket_that_was_double_clicked_is_asked_for_once() -> None:
    answers: dict[str, object] = {"/api/web/ticket": {"ticket": "P2P1SECRET"}, "/api/join/show": FOUND}
    page = browse(at="#join", answers=answers, steps=[], events=())
    assert asked(page, "/api/web/ticket") == [{}]
    assert asked(page, "/api/join/show") == [{"ticket": "P2P1SECRET"}]
    assert "invited by" in page["shown"]["mandates"]
    refused = browse(at="#join", answers={**answers, "/api/join/show": ValueError("No ticket.")}, steps=[], events=())
    assert refused["shown"]["notice"] == "No ticket."
    again = browse(at="#join", answers={**answers, "/api/web/ticket": {"ticket": None}}, steps=[], events=())
    assert asked(again, "/api/join/show") == []
    assert "ticket or code" in again["shown"]["mandates"]
    assert asked(browse(at="#new", answers=answers, steps=[], events=()), "/api/web/ticket") == []


def test_what_is_not_known_before_is_said_to_be_unknown() -> None:
    nothing = {**FOUND, "mandate": None, "inviter": None, "role": None, "admin": None, "folder": None}
    text = seen(GIVE, found=nothing)["shown"]["mandates"]
    assert text.count("not said in the ticket") == 3
    assert "5FAM-6DBW" in text
    code = {**nothing, "kind": "code", "number": 4217, "fingerprint": None, "expires": None, "id": None}
    text = seen(GIVE, found=code)["shown"]["mandates"]
    assert "4217" in text
    assert "A code says nothing by itself" in text
    recovery = {**FOUND, "kind": "recovery", "inviter": None, "fingerprint": None, "expires": None, "admin": True}
    text = seen(GIVE, found=recovery)["shown"]["mandates"]
    assert "becomes an admin" in text
    assert "invited by" not in text


def test_a_member_is_led_to_the_mandate() -> None:
    answers = {"/api/join/show": {**FOUND, "mandate": "Cargo", "already": True}}
    page = browse(SHARED, at="#new", answers=answers, steps=[GIVE], events=())
    assert "member of it already" in page["shown"]["mandates"]
    assert "#m/ab" in page["links"]
    assert "Join" not in page["shown"]["mandates"].replace("Join a mandate", "")


def test_it_speaks_the_language_of_the_daemon() -> None:
    set_language("de")
    try:
        text = seen(GIVE)["shown"]["mandates"]
    finally:
        set_language("en")
    assert "eingeladen von" in text
    assert "Compare" not in text

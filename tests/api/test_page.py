"""The page: three files from this PC alone, let in once by a path, then by a cookie that goes nowhere else."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from p2psync.api.page import FILES, SCRIPTS, content, filled_in
from p2psync.api.texts import frame
from p2psync.core.problem import Code
from p2psync.i18n import set_language
from tests.api.browsing import MANDATE, PEER, browse, needs_node, script
from tests.api.serving import served


@pytest.mark.parametrize("path", FILES)
def test_nothing_foreign_is_loaded(path: str) -> None:
    text = content(FILES[path].name).decode()
    addresses = set(re.findall(r"https?://[^\s\"']+", text)) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()
    assert "innerHTML" not in text
    assert "style=" not in text
    assert not re.search(r"\son[a-z]+=", text)


def test_every_file_is_served() -> None:
    present = {file.name for file in files("p2psync.api").joinpath("static").iterdir()}
    assert present == {file.name for file in FILES.values()}


def test_the_page_runs_its_scripts_in_their_order() -> None:
    assert re.findall(r'src="/([\w.]+)" defer', content("index.html").decode()) == list(SCRIPTS)


def test_no_script_takes_the_name_of_something_in_another() -> None:
    names = re.findall(r"^(?:async )?(?:function|const|let) (\w+)", script(), re.MULTILINE)
    assert [name for name, times in Counter(names).items() if times > 1] == []


VERSION = {"name": "PC 2", "device": "JK4-X", "time": "2020-01-01T00:00:00Z", "size": 5, "content": "ab"}
CONFLICT = {"path": "a.crp", "winner": {**VERSION, "id": "w"}, "losers": [{**VERSION, "id": "x"}]}


@needs_node
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"peers": [PEER]}, "all the same everywhere"),
        ({"state": "local"}, "only on this PC until it is shared"),
        ({"health": "action"}, "needs you"),
        ({"to_receive": {"files": 2, "bytes": 5_000_000}}, "receiving, 2 files to come (5.0 MB)"),
        ({"peers": [{**PEER, "behind_files": 2}]}, "sending, 2 files left"),
        ({"checks": ["accounts", "later"]}, "Bookings are checked for: accounts, later"),
        ({"checks": []}, "Bookings are not checked: there is no chart of accounts"),
        ({"rests": {"why": "person", "until": None}}, "paused"),
        ({"rests": {"why": "person", "until": "2020-01-01T00:00:00Z"}}, "paused until "),
        ({"rests": {"why": "hours", "until": "2020-01-01T00:00:00Z"}}, "rests outside of its hours until "),
        ({"peers": [{**PEER, "connected": False, "last_seen": None}]}, "waiting for PC 2"),
        ({"peers": [{**PEER, "connected": False, "resting": True}]}, "exchanges nothing just now: PC 2"),
        ({"peers": [{**PEER, "connected": False, "last_seen": None, "behind_files": 1}]}, "1 file behind"),
        ({"actions": [{"what": "newcomers", "count": 1}]}, "1 device asks to be let in:  Devices"),
        ({"actions": [{"what": "chart", "count": 1}]}, "There is no chart of accounts (.crp) yet.  Attach one"),
        ({"actions": [{"what": "post", "count": 9}, {"what": "inbox", "count": 1}]}, "2 things to do"),
        ({"problem_list": [{"path": "a.crp", "code": "locked", "detail": ""}]}, "a.crp is open in another program"),
        ({"problem_list": [{"path": "", "code": "brand-new", "detail": "x"}]}, "the whole folder: brand-new"),
    ],
)
def test_the_page_says_how_things_are(changes: dict[str, Any], expected: str) -> None:
    seen = browse({**MANDATE, **changes})
    assert expected in seen["shown"]["mandates"]
    assert "Office" in seen["shown"]["device"]


@needs_node
def test_local_and_shared_mandates_have_signs_of_their_own() -> None:
    local, shared = (browse({**MANDATE, **one})["shown"]["mandates"] for one in ({"state": "local"}, {"peers": [PEER]}))
    assert ("○" in local, "⇄" in local) == (True, False)
    assert ("○" in shared, "⇄" in shared) == (False, True)


@needs_node
def test_what_comes_from_outside_is_text() -> None:
    seen = browse(MANDATE)
    assert "Cargo <b>" in seen["shown"]["mandates"]
    assert seen["tags"] == []
    assert "<b>a</b> could not be stored here." in seen["shown"]["happened"]


@needs_node
def test_events_name_mandates_and_devices_as_people_do() -> None:
    peer = {**PEER, "name": "Salaries", "device": "PUNYSWN-WHMLTMR"}
    seen = browse(
        {**MANDATE, "peers": [peer]}, events=[{"event": "peer.left", "mandate": "ab", "device": "7d1b8959b63b"}]
    )
    assert "Cargo <b>: Salaries is not connected any more." in seen["shown"]["happened"]


@needs_node
def test_who_came_with_an_event_has_a_name_already() -> None:
    peer = {**PEER, "name": "Salaries", "device": "PUNYSWN-WHMLTMR"}
    event = {"event": "newcomer.approved", "mandate": "ab", "device": "7d1b8959b63b"}
    seen = browse(MANDATE, events=[event], then=[{**MANDATE, "peers": [peer]}])
    assert "Cargo <b>: Salaries was let in." in seen["shown"]["happened"]


@needs_node
def test_an_event_that_means_nothing_to_people_is_not_shown() -> None:
    seen = browse(MANDATE, events=[{"event": "dial.failed", "address": "192.0.2.1:5"}, {"event": "lost"}])
    assert seen["shown"].get("happened", "") == ""


@needs_node
@pytest.mark.parametrize(("lang", "expected"), [("de", "1 Datei"), ("fr", "0 fichier"), ("it", "2 file")])
def test_the_page_speaks_the_language_of_the_daemon(lang: str, expected: str) -> None:
    set_language(lang)
    try:
        seen = browse({**MANDATE, "files": int(expected[0]), "health": "action"})
    finally:
        set_language("en")
    assert expected in seen["shown"]["mandates"]
    assert "needs you" not in seen["shown"]["mandates"]


def test_the_frame_of_the_page_is_filled_in() -> None:
    page = filled_in(content("index.html")).decode()
    assert "$" not in page
    assert '<html lang="en">' in page
    assert frame()["lately"] in page


@needs_node
def test_a_conflict_is_decided_by_a_button() -> None:
    seen = browse({**MANDATE, "conflicts": 1}, answers={"/api/conflicts": [CONFLICT]})
    assert "which version shall stand?" in seen["shown"]["mandates"]
    assert ["POST", "/api/conflicts/keep", {"mandate": "ab", "path": "a.crp", "keep": "x"}] in seen["asked"]


BOOKINGS = {
    **{"file": "<i>.ecf", "period": "2025", "new": 3, "changed": 2, "removed": 1, "content": "c0"},
    **{"message": "", "state": "pending"},
}


@needs_node
def test_how_far_the_books_are_and_which_periods_are_frozen() -> None:
    shown = browse({**MANDATE, "current_until": "2025-06-30", "frozen": ["2023", "2024"]})["shown"]["mandates"]
    assert "Books complete until 30 Jun 2025" in shown
    assert "Frozen periods: 2023, 2024" in shown
    assert "Frozen" not in browse({**MANDATE, "current_until": None, "frozen": []})["shown"]["mandates"]
    noted = browse({**MANDATE, "current_until": "2025-06-30", "current_note": "<b>VAT sent"})["shown"]["mandates"]
    assert "Accounting says: <b>VAT sent" in noted


@needs_node
def test_what_waits_to_be_posted_is_a_banner_and_accounting_marks_it_by_a_button() -> None:
    torn = {**BOOKINGS, "file": "b.ecf", "new": None, "message": "it is torn"}
    gone = {**BOOKINGS, "file": "c.ecf", "content": None}
    answers: dict[str, object] = {"/api/pending": [torn, BOOKINGS, gone], "/api/posted": []}
    step = {"press": "Mark as posted"}
    seen = browse({**MANDATE, "pending": 6, "pending_files": 3}, answers=answers, steps=[step])
    shown = seen["shown"]["mandates"]
    assert "6 bookings to post" in shown
    assert "<i>.ecf  2025: 3 new, 2 changed, 1 removed" in shown
    assert "b.ecf  changed, and cannot be counted: it is torn" in shown
    assert ["POST", "/api/posted", {"mandate": "ab", "file": "<i>.ecf", "content": "c0"}] in seen["asked"]
    assert shown.count("Mark as posted") == 2
    removed = browse({**MANDATE, "pending": 6}, answers={**answers, "/api/pending": [gone]}, steps=[step])
    assert ["POST", "/api/posted", {"mandate": "ab", "file": "c.ecf"}] in removed["asked"]
    payroll = browse({**MANDATE, "role": "payroll", "pending": 0, "pending_files": 1}, answers=answers)
    assert "Files of bookings to look at" in payroll["shown"]["mandates"]
    assert "Mark as posted" not in payroll["shown"]["mandates"]


@needs_node
def test_the_folder_is_opened_from_the_banner_or_beside_its_path() -> None:
    step = {"press": "Open folder"}
    for changes in ({}, {"pending": 6}):
        answers: dict[str, object] = {"/api/pending": [BOOKINGS], "/api/mandate/open": {"folder": "/f"}}
        seen = browse({**MANDATE, **changes}, answers=answers, steps=[step])
        assert ["POST", "/api/mandate/open", {"mandate": "ab"}] in seen["asked"]
        assert seen["shown"]["notice"] == "The folder is open in the file manager of Office."
        assert seen["shown"]["mandates"].count("Open folder") == 1
    refused: dict[str, object] = {"/api/mandate/open": ValueError("p2psync runs here without a screen.")}
    assert "without a screen" in browse(MANDATE, answers=refused, steps=[step])["shown"]["notice"]
    assert "Open folder" not in browse({**MANDATE, "folder": None})["shown"]["mandates"]


NEWS = {"path": "a.crp", "code": "edit-refused", "detail": ""}
LOCKED = {"path": "b.crp", "code": "locked", "detail": ""}


@needs_node
def test_what_has_happened_is_ticked_off_by_a_button() -> None:
    before = {**MANDATE, "problem_list": [NEWS, LOCKED]}
    seen = browse(before)
    shown = seen["shown"]["mandates"]
    assert shown.index("What is wrong") < shown.index("b.crp") < shown.index("What has happened") < shown.index("a.crp")
    assert [asked for asked in seen["asked"] if asked[0] == "POST"] == [["POST", "/api/seen", {"mandate": "ab"}]], (
        "pressed twice, asked once"
    )
    over = browse(before, then=[{**MANDATE, "problem_list": [LOCKED]}])["shown"]["mandates"]
    assert "What has happened" not in over
    assert "b.crp" in over


@needs_node
def test_what_goes_on_cannot_be_ticked_off() -> None:
    seen = browse({**MANDATE, "problem_list": [LOCKED]})
    assert "I have seen this" not in seen["shown"]["mandates"]
    assert [path for _, path, _ in seen["asked"] if path == "/api/seen"] == []


@needs_node
def test_who_works_by_keyboard_stays_where_he_is() -> None:
    before = {**MANDATE, "problem_list": [NEWS]}
    assert browse(before)["focus"] == {"tag": "button", "text": "I have seen this", "stays": True}
    grown = [{**before, "files": 4}]
    assert browse(before, then=grown)["focus"] == {"tag": "button", "text": "I have seen this", "stays": True}
    focus = browse(before, then=[MANDATE])["focus"]
    assert (focus["tag"], focus["stays"]) == ("mandates", True), "not at the top of the page"


@needs_node
def test_without_a_login_the_page_says_what_to_do() -> None:
    seen = browse(status=401)
    assert seen["shown"]["connection"] == "log in"
    assert ["GET", "/api/events", None] not in seen["asked"]


@needs_node
def test_without_a_mandate_the_page_says_how_to_begin() -> None:
    seen = browse(steps=[])
    assert "No mandate yet." in seen["shown"]["mandates"]
    assert "Make a mandate" in seen["shown"]["mandates"]
    assert "Join a mandate" in seen["shown"]["mandates"]
    assert "Synchronise all" not in seen["shown"]["mandates"]


@pytest.mark.asyncio
async def test_files_come_with_their_type_and_policy() -> None:
    async with served() as client:
        for path, file in FILES.items():
            status, body, headers = await client.get(path)
            assert status == 200
            assert headers["Content-Type"].startswith(file.content_type)
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert body


@pytest.mark.asyncio
async def test_a_login_lets_one_browser_in_once() -> None:
    async with served() as client:
        address = client.server.login_url()
        async with client.session.get(address, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.cookies[client.server.guard.cookie]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        sent = {"Cookie": f"{cookie.key}={cookie.value}"}
        async with client.session.get(client.url("/api/status"), headers=sent) as response:
            assert response.status == 200
        async with client.session.get(address, allow_redirects=False) as response:
            assert response.status == 403
            assert "p2psync web" in await response.text()


@pytest.mark.asyncio
async def test_looking_at_a_login_does_not_use_it_up() -> None:
    async with served() as client:
        address = client.server.login_url()
        async with client.session.head(address, allow_redirects=False) as response:
            assert response.status == 405
        async with client.session.get(address, allow_redirects=False) as response:
            assert response.status == 303


@pytest.mark.asyncio
async def test_all_problems_have_their_words() -> None:
    async with served() as client:
        _, body, _ = await client.get("/api/words")
        assert set(body["problems"]) == {code.value for code in Code}
        assert all(set(words) == {"sentence", "remedy"} for words in body["problems"].values())


@pytest.mark.asyncio
async def test_without_a_page_programs_are_served_all_the_same() -> None:
    async with served(page=False) as client:
        assert (await client.get("/"))[0] == 404
        assert (await client.post("/api/web"))[0] == 404
        assert (await client.get("/api/status"))[0] == 200


@needs_node
def test_what_is_not_delivered_is_listed_with_its_reason_and_delivered_by_a_button() -> None:
    row = {"path": "a<b>.ecf", "file": "/books/a.ecf", "state": "held", "reason": "held: Line 17: account 5999"}
    rows = [
        {**row, "path": "b.crp", "file": "/books/b.crp", "state": "open", "reason": "a program has it open"},
        {**row, "path": "c.crp", "file": "/books/c.crp", "state": "gone", "reason": "p2psync deliver"},
        row,
    ]
    answers: dict[str, object] = {"/api/inbox": rows, "/api/deliver": []}
    seen = browse({**MANDATE, "inbox": 3}, answers=answers)
    shown = seen["shown"]["mandates"]
    assert "a<b>.ecf  held: Line 17: account 5999" in shown
    assert "c.crp  its program's file was removed; it can be put back" in shown
    assert "p2psync deliver" not in shown, "the page has a button"
    assert shown.count("Deliver") == 2
    given = {"mandate": "ab", "file": "/books/a.ecf", "anyway": True}
    assert ["POST", "/api/deliver", given] in seen["asked"]
    quiet = browse({**MANDATE, "inbox": 0}, answers=answers)
    assert not any(path == "/api/inbox" for _, path, _ in quiet["asked"])
    assert "Arrived" not in browse({**MANDATE, "inbox": 1}, answers={"/api/inbox": []})["shown"]["mandates"]


def booking(line: int, text: str) -> dict[str, object]:
    names = {"date": "2025-01-05", "debit": "1100", "credit": "3000", "voucher": "V7", "vat_code": "TVA"}
    return {**names, "line": line, "text": text, "amount": "108.10"}


@needs_node
def test_the_bookings_that_wait_to_be_posted_are_shown_on_demand_once_for_all_periods() -> None:
    row = {**BOOKINGS, "rewritten": False, "since": None, "new": 1, "changed": 0, "removed": 0}
    lines = [{"change": "new", "before": None, "after": booking(3, "<i>first</i>")}]
    rows = [{**one, "lines": lines, "left_out": 300} for one in (row, {**row, "period": None, "new": 4})]
    torn = {**row, "file": "b.ecf", "new": None, "lines": None, "left_out": 0, "message": "it is torn"}
    mandate = {**MANDATE, "role": "payroll", "pending": 5, "pending_files": 1}
    answers: dict[str, object] = {"/api/pending": [*rows, torn]}
    text = browse(mandate, answers=answers, steps=[])["shown"]["mandates"]
    assert "<i>.ecf  2025: 1 new, 0 changed, 0 removed; 4 new, 0 changed, 0 removed" in text
    assert text.count("Show the bookings") == 1, "none of what cannot be read"
    seen = browse(mandate, answers=answers, steps=[{"press": "Show the bookings"}])
    assert ["POST", "/api/pending", {"mandate": "ab", "lines": True}] in seen["asked"]
    shown = " ".join(seen["shown"]["mandates"].split())
    assert "new line 3 5 Jan 2025 1100 3000 V7 <i>first</i> 108.10 TVA and 300 more lines" in shown
    assert shown.count("<i>first</i>") == 1
    gone: dict[str, object] = {"/api/pending": [{**row, "lines": None}]}
    seen = browse(mandate, answers=gone, steps=[{"press": "Show the bookings"}])
    assert seen["shown"]["notice"] == "Its bookings cannot be listed on this PC now."
    anew = {**row, "new": 0, "rewritten": True}
    text = browse(mandate, answers={"/api/pending": [anew]}, steps=[])["shown"]["mandates"]
    assert "its program wrote them anew" in text
    assert "Show the bookings" not in text


@needs_node
def test_the_bookings_of_what_is_not_delivered_are_shown_on_demand() -> None:
    facts = {"path": "a.ecf", "file": "/books/a.ecf", "state": "waiting", "reason": "p2psync deliver", "content": "c0"}
    row = {**facts, "new": 1, "changed": 1, "removed": 5}
    lines = [
        {"change": "new", "before": None, "after": booking(3, "<i>first</i>")},
        {"change": "changed", "before": booking(4, "second"), "after": booking(5, "third")},
        {"change": "removed", "before": booking(9, "fourth"), "after": None},
    ]
    full = {**row, "lines": lines, "left_out": 4}
    mandate, show = {**MANDATE, "inbox": 1}, {"press": "Show the bookings"}
    seen = browse(mandate, answers={"/api/inbox": [full]}, steps=[show])
    shown = " ".join(seen["shown"]["mandates"].split())
    assert ["POST", "/api/inbox", {"mandate": "ab", "lines": True}] in seen["asked"]
    assert "a.ecf waits for your word (1 new, 1 changed, 5 removed)" in shown
    assert "Deliver Hide the bookings" in shown
    for text in (
        "new line 3 5 Jan 2025 1100 3000 V7 <i>first</i> 108.10 TVA before 4",
        "second 108.10 TVA changed line 5 5 Jan 2025 1100 3000 V7 third 108.10 TVA removed line 9",
        "fourth 108.10 TVA and 4 more lines",
    ):
        assert text in shown
    assert seen["focus"]["stays"]
    hidden = browse(mandate, answers={"/api/inbox": [full]}, steps=[show, {"press": "Hide the bookings"}])
    assert "fourth" not in hidden["shown"]["mandates"]
    none = browse(mandate, answers={"/api/inbox": [{**full, "new": None, "changed": None, "removed": None}]})
    assert "Show the bookings" not in none["shown"]["mandates"]


@needs_node
def test_a_mandate_is_paused_and_goes_on_by_a_button() -> None:
    given = {"mandate": "ab"}
    assert ["POST", "/api/pause", given] in browse(MANDATE, steps=[{"press": "Pause"}])["asked"]
    paused = {**MANDATE, "rests": {"why": "person", "until": None}}
    assert ["POST", "/api/resume", given] in browse(paused, steps=[{"press": "Go on"}])["asked"]
    outside = {**MANDATE, "rests": {"why": "hours", "until": "2020-01-01T00:00:00Z"}}
    shown = browse(outside)["shown"]["mandates"]
    assert not any(text in shown for text in ("Pause", "Go on")), "hours are no matter of a button"


TASK: dict[str, Any] = {
    **{"task": "run", "state": "queued", "waiting_for": [], "device": None, "files": None, "trigger": "nightly"},
    **{"full": False, "time": None, "next_attempt": None, "message": ""},
}
AWAY = {"state": "waiting", "device": "PC 2", "waiting_for": ["PC 2"]}


@needs_node
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"full": True, "next_attempt": "2999-01-01T00:00:00Z"}, ["Run (nightly, full) queued", "2999"]),
        ({"state": "running", "trigger": "manual", "time": "2020-01-01T12:00:00Z"}, ["Run (asked for) under way, "]),
        ({"state": "failed", "message": "<b>no folder</b>"}, ["failed: <b>no folder</b>"]),
        ({"state": "partial"}, ["partly done"]),
        ({"task": "receive", "state": "running", "files": 2}, ["Receive 2 files under way"]),
        ({"task": "send", "files": 1, **AWAY}, ["Send 1 file to PC 2 waiting for PC 2 as soon as it is there"]),
        (
            {"task": "connect", "next_attempt": "2020-01-01T00:00:00Z", **AWAY},
            ["Reach PC 2 waiting for PC 2 within a minute"],
        ),
        ({"task": "place", "state": "failed", "files": 3}, ["Place 3 files here failed"]),
    ],
)
def test_tasks_are_shown_with_their_states_and_next_attempts(changes: dict[str, Any], expected: list[str]) -> None:
    shown = browse({**MANDATE, "tasks": [{**TASK, **changes}]})["shown"]["mandates"]
    assert "Monitoring task state next attempt" in shown
    assert all(part in shown for part in expected), shown
    assert "Monitoring" not in browse({**MANDATE, "tasks": []})["shown"]["mandates"]


@needs_node
def test_meeting_hosts_that_are_not_reached_are_shown_with_the_next_visit() -> None:
    host = {"url": "wss://host:1", "connected": False, "problem": None, "next_attempt": "2020-01-01T00:00:00Z"}
    several = [host, {**host, "problem": "it is silent", "next_attempt": None}, {**host, "url": "!", "connected": True}]
    shown = browse(MANDATE, hosts=several)["shown"]["mandates"]
    assert "Visit the meeting host wss://host:1 not connected yet within a minute" in shown
    assert "it is silent" in shown
    assert "!" not in shown

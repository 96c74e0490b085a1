"""The page's views of what p2psync does in a mandate: runs, the check of every file, and the log."""

from __future__ import annotations

import re
from typing import Any

import pytest

from p2psync.i18n import set_language
from tests.api.browsing import SHARED, TIME, browse, needs_node, seen, shown

pytestmark = needs_node

RUN = {
    **{"id": "7", "mandate": "Cargo", "started": TIME, "result": "partial", "trigger": "nightly", "full": True},
    **{"message": "", "absent": ["PC 9"], "missing": [{"what": "share", "mandate": "Cargo"}]},
    "problems": [{"path": "b.crp", "code": "locked", "detail": ""}],
    "items": [{"path": "<b>", "direction": "sent", "kind": "absent", "state": "waiting"}],
}


def test_a_mandate_is_synchronised_as_far_as_is_wanted() -> None:
    answers: dict[str, object] = {"/api/history": [], "/api/sync": {**RUN, "result": "success", "missing": []}}
    page = seen("#m/ab/exchange", answers, {"fill": "sync", "with": {"only": "entries", "full": True}})
    assert ["POST", "/api/sync", {"mandate": "ab", "only": "entries", "full": True}] in page["asked"]
    assert page["shown"]["notice"].startswith("Done: all connected devices have the same files.")
    assert "Not connected, gets it later: PC 9" in page["shown"]["notice"]
    page = seen("#m/ab/exchange", answers, {"fill": "sync", "with": {}})
    assert ["POST", "/api/sync", {"mandate": "ab", "full": False}] in page["asked"]
    nothing = {**RUN, "result": "nothing-new", "ended": TIME, "confirmed": ["PC 8", "PC 9"], "items": []}
    page = seen("#m/ab/exchange", {**answers, "/api/sync": nothing}, {"fill": "sync", "with": {}})
    assert re.search(r"Nothing new: all is in sync. Checked .+ with PC 8, PC 9\.", page["shown"]["notice"])


def test_what_a_run_would_do_is_told_without_one() -> None:
    plan = {"items": RUN["items"], "reads": {"files": 3, "bytes": 1200}}
    page = seen("#m/ab/exchange", {"/api/history": [], "/api/sync": plan}, {"press": "What would be exchanged?"})
    assert ["POST", "/api/sync", {"mandate": "ab", "full": True, "dry_run": True}] in page["asked"]
    assert "A run would move: ↑ sent <b>" in re.sub(r"way file size PC state  ?|  ", "", page["shown"]["mandates"])
    assert "A full run would read 3 files (1.2 kB) of this PC again. It is needed" in page["shown"]["mandates"]
    nothing: dict[str, object] = {"/api/history": [], "/api/sync": {**plan, "items": []}}
    assert "There is nothing to exchange." in shown("#m/ab/exchange", nothing, {"press": "What would be exchanged?"})


def test_a_run_under_way_shows_how_far_it_is_and_is_stopped() -> None:
    running = {**SHARED, "run": {"full": True, "read": {"files": 1, "bytes": 300}}}
    page = seen("#m/ab/exchange", {"/api/history": []}, {"press": "Stop"}, mandate=running)
    assert page["bars"] == [["300", "1200"]]
    assert "1 file of 3 files, 300 bytes of 1.2 kB" in page["shown"]["mandates"]
    assert ["POST", "/api/sync/cancel", {"mandate": "ab"}] in page["asked"]


def test_a_pause_ends_when_it_is_said() -> None:
    step = {"fill": "pause", "with": {"until": "2030-01-02T03:04"}}
    page = seen("#m/ab/exchange", {"/api/history": [], "/api/pause": []}, step)
    given = next(given for _, path, given in page["asked"] if path == "/api/pause")
    assert given["until"].startswith("2030-01-0")
    assert given["until"].endswith("Z")


def test_past_runs_are_shown_with_their_files_and_problems() -> None:
    page = browse(SHARED, at="#history", answers={"/api/history": [RUN]}, steps=[{"press": "Show"}], events=())
    text = page["shown"]["mandates"]
    assert "nightly, full partly done 1 file" in text
    assert "Partly done: some files could not be placed." in text
    assert "b.crp is open in another program" in text
    assert "Cargo is only on this PC: share it first." in text
    assert "↑ sent <b>   removed, still to be moved" in text
    failed = browse(SHARED, at="#history", answers={"/api/history": []}, steps=[{"press": "Show only what failed"}])
    assert ["POST", "/api/history", {"failed": True}] in failed["asked"]


REPLICA = {"device": "OWN-X", "name": "Office", "state": "this", "identical": False, "problems": [], "last_seen": TIME}
FOUND: dict[str, Any] = {
    **{"mandate": "Cargo", "time": TIME, "left_out": 0, "files": 3, "bytes": 1200, "versions": 2, "identical": 1},
    **{"damaged": [{"path": "a<b>", "repaired": False}], "damaged_versions": ["0123456789abcdef"], "changing": ["c"]},
    "unreadable": [{"path": "b.crp", "code": "locked", "detail": ""}],
    "replicas": [
        REPLICA,
        {**REPLICA, "name": "PC 2", "state": "connected", "identical": True},
        {**REPLICA, "name": "PC 3", "state": "off", "identical": None},
        {**REPLICA, "name": "PC 4", "state": "connected"},
    ],
    "log": {
        "ok": False,
        "blocks": 9,
        "verified": 3,
        "first_bad": {"seq": 4, "device": "X", "name": "PC 2", "reason": "?"},
    },
}
SOUND = {**FOUND, "damaged": [], "damaged_versions": [], "unreadable": [], "changing": [], "identical": 4}
SOUND["log"] = {"ok": True, "blocks": 9, "devices": 2, "first_bad": None}


def test_what_a_check_found_last_is_told_with_its_time_also_after_the_page_was_loaded_anew() -> None:
    page = seen("#m/ab/verify", {"/api/verify/last": FOUND})
    text = page["shown"]["mandates"]
    assert not any(path == "/api/verify" for _, path, _ in page["asked"]), "nothing is read again for that"
    assert "What was found, 2 Jan 2020" in text
    assert "Read 3 files (1.2 kB) and 2 kept versions." in text
    assert text.index("Damaged on this disk") < text.index("a<b>") < text.index("Repair what is damaged")
    assert "Kept versions that are damaged: 0123456789ab " in text
    assert "Saved just now, and published as ever: c" in text
    assert "b.crp is open in another program" in text
    assert "First bad entry: no. 4 by PC 2: ?" in text
    assert "Identical on 1/4 devices:" in text
    assert "Office not as the log says (this PC)" in text
    assert "PC 2 identical, as it confirmed" in text
    assert "PC 3 not connected, last seen" in text
    assert "PC 4 has not everything yet" in text
    assert "more" not in text, "all is listed"
    assert "and 7 more" in shown("#m/ab/verify", {"/api/verify/last": {**FOUND, "left_out": 7}})


def test_where_nothing_was_checked_yet_that_is_said() -> None:
    answers: dict[str, object] = {"/api/verify/last": None, "/api/verify": FOUND}
    text = shown("#m/ab/verify", answers)
    assert "Nobody has asked for this check on this PC yet." in text
    assert "What was found" not in text
    page = seen("#m/ab/verify", answers, {"press": "Check every file"})
    asked = [path for _, path, _ in page["asked"] if path.startswith("/api/verify")]
    assert asked == ["/api/verify/last", "/api/verify", "/api/verify/last"]


def test_what_is_damaged_is_repaired_by_a_button() -> None:
    answers: dict[str, object] = {"/api/verify/last": FOUND, "/api/verify": FOUND}
    page = seen("#m/ab/verify", answers, {"press": "Repair what is damaged"})
    assert ["POST", "/api/verify", {"mandate": "ab", "repair": True}] in page["asked"]
    repaired = {**SOUND, "damaged": [{"path": "a", "repaired": True}]}
    text = shown("#m/ab/verify", {"/api/verify/last": repaired})
    assert "Was damaged, and is right again; what stood there is kept as a version: a" in text
    assert "Repair what is damaged" not in text


def test_where_all_is_sound_that_is_said_and_nothing_is_to_be_repaired() -> None:
    text = shown("#m/ab/verify", {"/api/verify/last": SOUND})
    assert "Every byte is as it was saved." in text
    assert "The log is whole: 9 signed entries by 2 devices" in text
    assert "Repair" not in text


def test_verifying_shows_how_much_was_read() -> None:
    never: dict[str, object] = {"/api/verify/last": None}
    page = seen("#m/ab/verify", never, mandate={**SHARED, "verifying": {"files": 2, "bytes": 600}})
    assert page["bars"] == [["600", "1200"]]
    assert "2 files of 3 files, 600 bytes of 1.2 kB" in page["shown"]["mandates"]
    assert "Check every file" not in page["shown"]["mandates"], "once at a time"
    assert seen("#m/ab/verify", never)["bars"] == []


def test_a_check_that_fails_says_why() -> None:
    answers: dict[str, object] = {"/api/verify/last": None, "/api/verify": ValueError("The folder is not there.")}
    page = seen("#m/ab/verify", answers, {"press": "Check every file"})
    assert page["shown"]["notice"] == "The folder is not there."


def test_the_log_tells_who_changed_what() -> None:
    line = {"time": TIME, "name": "PC 2", "kind": "file", "path": "a<b>", "accepted": True}
    lines = [line, {**line, "kind": "admit", "path": "", "about": "PC 3 NEW-X payroll", "accepted": False}]
    page = seen("#m/ab/log", {"/api/log": lines})
    text = page["shown"]["mandates"]
    assert text.index("admitted (refused) PC 3 NEW-X payroll") < text.index("saved a<b>"), "the newest first"
    assert "/api/log/export?mandate=ab" in page["links"]


@pytest.mark.parametrize(
    ("lang", "begin", "read"),
    [
        ("de", "Jede Datei prüfen", "3 Dateien (1.2"),
        ("fr", "Vérifier chaque fichier", "3 fichiers (1,2"),
        ("it", "Verificare ogni file", "3 file (1.2"),
    ],
)
def test_views_speak_the_language_of_the_daemon(lang: str, begin: str, read: str) -> None:
    set_language(lang)
    try:
        text = shown("#m/ab/verify", {"/api/verify/last": FOUND})
    finally:
        set_language("en")
    assert begin in text
    assert read in text
    assert "identical" not in text

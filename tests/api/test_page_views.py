"""The page's views: each shows what the daemon knows, and its buttons and forms ask for what their words say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.browsing import SHARED, TIME, browse, needs_node, seen, shown

pytestmark = needs_node

FILE = {"path": "a #1.crp", "role": "accounting", "period": "2025", "saved": TIME, "size": 5000, "missing": ["PC 2"]}
HOLDINGS = [
    {"device": "OWN-X", "name": "Office", "this": True, "role": "accounting", "files": [FILE]},
    {"device": "JK4-X", "name": "PC 2", "this": False, "role": "payroll", "files": []},
]
RULES = [
    {"pattern": "*.ecf", "class": "entries", "mode": "prefer", "master": "owner", "parts": {"accounting": "changes"}},
    {
        "pattern": "*.crp",
        "class": "master data",
        "mode": "enforce",
        "master": "accounting",
        "parts": {"payroll": "own"},
    },
    {"pattern": "*.ecs", "readers": ["accounting"]},
]
FILES: dict[str, object] = {
    "/api/mandate/files": HOLDINGS,
    "/api/attached": [],
    "/api/mandate/show": {"rules": RULES, "follows": True},
}


# -- files ---------------------------------------------------------------------------------------------


def test_files_are_listed_by_the_pc_that_they_come_from() -> None:
    page = seen("#m/ab/files", FILES)
    text = page["shown"]["mandates"]
    assert text.index("Office (accounting)") < text.index("a #1.crp") < text.index("not yet at PC 2")
    assert text.index("PC 2 (payroll)") < text.index("connected (local network)") < text.index("no bookkeeping files")
    assert "#m/ab/files/a%20%231.crp" in page["links"]
    assert page["mute"] == 0, "every input has a label"


def test_what_is_exchanged_is_told_in_the_order_in_which_it_is_needed() -> None:
    text = shown("#m/ab/files", FILES)
    assert text.index("chart of accounts, master data *.crp not exchanged") < text.index("bookings *.ecf ↑↓ sends")
    assert "in a conflict its owner wins" in text


def test_a_programs_file_is_attached_and_detached() -> None:
    row = {"file": "/b/a.crp", "path": "a.crp", "state": "held", "reason": "held: Line 17", "delivered": None}
    ended = {"attached": [{"file": "/b/b.crp"}], "refused": [{"reason": "no"}], "proposed": ["/b/c.ecf"], "twins": []}
    steps = {"fill": "attach", "with": {"file": " /b/b.crp ", "mode": "ask", "siblings": True}}
    page = seen("#m/ab/files", {**FILES, "/api/attached": [row], "/api/attach": ended}, steps)
    wanted = {"mandate": "ab", "files": ["/b/b.crp"], "siblings": True, "ask": True, "checked": False}
    assert ["POST", "/api/attach", wanted] in page["asked"]
    assert page["shown"]["notice"] == (
        "Attached: /b/b.crp. Not attached: no The index beside it names these, too: /b/c.ecf"
    )
    assert not any(path == "/api/attach/follow" for _, path, _ in page["asked"]), "it is as it was"
    assert "/b/a.crp a.crp held: Line 17 – Detach" in page["shown"]["mandates"]
    waiting = {**row, "state": "waiting", "reason": "it waits for your word: p2psync deliver MANDATE"}
    assert "a.crp waits for your word –" in shown("#m/ab/files", {**FILES, "/api/attached": [waiting]})
    page = seen("#m/ab/files", {**FILES, "/api/attached": [row], "/api/detach": {}}, {"press": "Detach"})
    assert page["confirmed"] == ["Detach /b/a.crp? The file itself stays as it is."]
    assert ["POST", "/api/detach", {"mandate": "ab", "file": "/b/a.crp"}] in page["asked"]


def test_whether_files_of_a_new_period_follow_is_told_and_set_with_a_file_or_without() -> None:
    answers: dict[str, object] = {
        **FILES,
        "/api/attach/follow": {"follows": False},
        "/api/attach": {"attached": [{"file": "/b/b.crp"}], "refused": [], "proposed": [], "twins": []},
    }
    assert "Files of a new period that your program makes beside these join by themselves." in shown(
        "#m/ab/files", answers
    )
    for file, expected in (("", "It is set."), ("/b/b.crp", "Attached: /b/b.crp.")):
        page = seen("#m/ab/files", answers, {"fill": "attach", "with": {"file": file, "follow": False}})
        assert ["POST", "/api/attach/follow", {"mandate": "ab", "off": True}] in page["asked"]
        assert any(path == "/api/attach" for _, path, _ in page["asked"]) == bool(file)
        assert page["shown"]["notice"] == expected
    answers["/api/mandate/show"] = {"rules": RULES, "follows": False}
    page = seen("#m/ab/files", answers, {"fill": "attach", "with": {"follow": True}})
    assert ["POST", "/api/attach/follow", {"mandate": "ab", "off": False}] in page["asked"]
    assert "do not join by themselves" in page["shown"]["mandates"]


def test_a_version_of_a_file_is_brought_back_and_the_file_given_to_another_pc() -> None:
    row = {"id": "v1", "time": TIME, "name": "PC 2", "size": 7, "reason": "replaced"}
    answers: dict[str, object] = {
        "/api/versions": [{**row, "id": "v2", "reason": "current"}, row],
        "/api/restore": {"path": "a #1.crp"},
        "/api/migrate": {"path": "a #1.crp", "name": "PC 2"},
    }
    page = seen("#m/ab/files/a%20%231.crp", answers, {"press": "Bring back"})
    assert page["shown"]["mandates"].count("Bring back") == 1, "not the one that stands already"
    assert ["POST", "/api/restore", {"mandate": "ab", "path": "a #1.crp", "version": "v1"}] in page["asked"]
    page = seen("#m/ab/files/a%20%231.crp", answers, {"fill": "migrate", "with": {"to": "JK4-X"}})
    assert ["POST", "/api/migrate", {"mandate": "ab", "file": "a #1.crp", "to": "JK4-X"}] in page["asked"]
    assert page["shown"]["notice"] == "a #1.crp belongs to PC 2 now."


# -- devices -------------------------------------------------------------------------------------------

OWN = {
    **{"device": "OWN-X", "name": "Office", "role": "accounting", "admin": True, "state": "member"},
    **{"fingerprint": "5FAM", "admitted": None, "this_device": True, "primary": True},
}
MEMBER = {**OWN, "device": "JK4-X", "name": "PC 2", "admin": False, "this_device": False, "primary": False}
WAITING = {**MEMBER, "device": "NEW-X", "name": "PC 3", "state": "waiting", "role": None}


INVITING: dict[str, object] = {"/api/devices": [OWN, MEMBER], "/api/invites": [], "/api/peer/list": []}


def test_devices_are_let_in_refused_and_revoked() -> None:
    answers: dict[str, object] = {**INVITING, "/api/devices": [OWN, MEMBER, WAITING], "/api/devices/approve": []}
    page = seen("#m/ab/devices", answers, {"press": "Let in"})
    assert "PC 3" in page["confirmed"][0]
    assert "5FAM" in page["confirmed"][0]
    assert ["POST", "/api/devices/approve", {"mandate": "ab", "device": "NEW-X"}] in page["asked"]
    page = seen("#m/ab/devices", {**answers, "/api/devices/revoke": []}, {"press": "Revoke"})
    assert "cannot be called back" in page["confirmed"][0]
    assert ["POST", "/api/devices/revoke", {"mandate": "ab", "device": "JK4-X"}] in page["asked"]
    assert page["mute"] == 0


def test_a_pc_is_invited_with_a_ticket_that_is_shown_until_it_is_put_away() -> None:
    ticket = {"id": "t", "ticket": "P2PTICKET", "code": None, "expires": TIME}
    answers: dict[str, object] = {**INVITING, "/api/invite": ticket}
    filled = {"fill": "invite", "with": {"role": "payroll", "hours": "1", "confirm": True}}
    page = seen("#m/ab/devices", answers, filled)
    wanted = {"mandate": "ab", "role": "payroll", "confirm": True, "code": False, "expires_s": 3600}
    assert [one for one in page["asked"] if one[1] == "/api/invite"] == [["POST", "/api/invite", wanted]], (
        "sent twice, asked once"
    )
    assert "P2PTICKET" in page["shown"]["mandates"]
    assert "never by plain e-mail" in page["shown"]["mandates"]
    assert "P2PTICKET" not in shown("#m/ab/devices", answers, filled, {"press": "Put away"})
    page = seen("#m/ab/devices", answers, filled, {"press": "Save as a file"})
    assert page["files"] == [["Cargo.p2pticket", "P2PTICKET\n"]]


def test_who_is_no_admin_is_told_so_and_a_local_mandate_is_shared_first() -> None:
    answers: dict[str, object] = {**INVITING, "/api/devices": [{**OWN, "admin": False}, MEMBER], "/api/share": {}}
    text = shown("#m/ab/devices", answers)
    assert "Only an admin can invite" in text
    assert "Revoke" not in text
    page = seen("#m/ab/devices", answers, {"press": "Share this mandate"}, mandate={**SHARED, "state": "local"})
    assert ["POST", "/api/share", {"mandate": "ab"}] in page["asked"]


def test_an_invitation_is_cancelled_and_a_role_given() -> None:
    invite = {"id": "t", "role": "reader", "expires": TIME, "uses_left": 1}
    answers: dict[str, object] = {**INVITING, "/api/invites": [invite], "/api/devices/role": []}
    page = seen("#m/ab/devices", answers, {"press": "Cancel"})
    assert ["POST", "/api/invites/cancel", {"mandate": "ab", "id": "t"}] in page["asked"]
    page = seen("#m/ab/devices", answers, {"fill": "devices/role", "with": {"device": "JK4-X", "role": "reader"}})
    assert ["POST", "/api/devices/role", {"mandate": "ab", "device": "JK4-X", "role": "reader"}] in page["asked"]


def test_who_works_where_is_shown_and_said_of_ones_own_pc_by_everybody() -> None:
    rows = [{**OWN, "admin": False}, {**MEMBER, "person": "Anna <Müller>"}]
    answers: dict[str, object] = {**INVITING, "/api/devices": rows, "/api/devices/person": []}
    page = seen("#m/ab/devices", answers, {"fill": "devices/person", "with": {"device": "OWN-X", "person": "Bert"}})
    assert ["POST", "/api/devices/person", {"mandate": "ab", "device": "OWN-X", "person": "Bert"}] in page["asked"]
    assert "PC 2 (Anna <Müller>)" in page["shown"]["mandates"]
    assert page["mute"] == 0


def test_where_only_admins_attach_it_is_told() -> None:
    assert "admins alone" not in shown("#m/ab/files", FILES)
    assert "admins alone" in shown(
        "#m/ab/files", {**FILES, "/api/mandate/show": {"follows": True, "rules": [*RULES, {"attach": "admins"}]}}
    )


def test_addresses_of_other_pcs_are_added_and_removed_also_by_who_is_no_admin() -> None:
    answers = {**INVITING, "/api/devices": [{**OWN, "admin": False}], "/api/peer/list": [{"address": "192.0.2.7:4710"}]}
    answers |= {"/api/peer/add": [], "/api/peer/remove": []}
    step = {"fill": "peer/add", "with": {"address": "192.0.2.8:4710"}}
    page = seen("#m/ab/devices", answers, step)
    assert ["POST", "/api/peer/add", {"mandate": "ab", "address": "192.0.2.8:4710"}] in page["asked"]
    assert "No address is named." not in page["shown"]["mandates"]
    page = seen("#m/ab/devices", answers, {"press": "Remove"})
    assert ["POST", "/api/peer/remove", {"mandate": "ab", "address": "192.0.2.7:4710"}] in page["asked"]
    assert "No address is named." in shown("#m/ab/devices", INVITING)
    page = seen("#m/ab/devices", {**answers, "/api/peer/add": ValueError("no port in nowhere")}, step)
    assert page["shown"]["notice"] == "no port in nowhere"


# -- rules ---------------------------------------------------------------------------------------------

TABLE: list[Any] = [*RULES, {"open_fields": ["account.cash"]}]
OTHERS: dict[str, object] = {"/api/rules": TABLE, "/api/devices": [{**OWN, "admin": False}, {**MEMBER, "admin": True}]}


def test_rules_tell_of_which_kind_files_are_whose_version_counts_and_who_alone_gets_them() -> None:
    page = seen("#m/ab/rules", OTHERS)
    text = page["shown"]["mandates"]
    assert text.index("*.ecf bookings its owner's version counts") < text.index("*.crp chart of accounts, master data")
    assert "only accounting may change it" in text
    assert "Only accounting (and admins and keepers) get: *.ecs" in text
    assert "Others may change: account.cash" in text
    assert page["mute"] == 0
    assert "Nothing: only accounting changes master data." in shown("#m/ab/rules", {**OTHERS, "/api/rules": RULES})


def test_an_admin_changes_rules_and_others_are_told_why_not() -> None:
    page = seen("#m/ab/rules", OTHERS)
    assert page["off"] == ["Only an admin can change this: PC 2."] * 3
    answers = {**OTHERS, "/api/devices": [OWN], **{f"/api/rules/{act}": RULES for act in ("set", "open", "attach")}}
    filled = {"fill": "rules/set", "with": {"pattern": "a/*.crp", "ruling": "enforce:accounting"}}
    page = seen("#m/ab/rules", answers, filled)
    assert page["off"] == []
    assert ["POST", "/api/rules/set", {"mandate": "ab", "setting": "a/*.crp=enforce:accounting"}] in page["asked"]
    filled = {"fill": "rules/open", "with": {"fields": "account.cash, account.type"}}
    page = seen("#m/ab/rules", answers, filled)
    assert ["POST", "/api/rules/open", {"mandate": "ab", "fields": "account.cash, account.type"}] in page["asked"]


@pytest.mark.parametrize(("rules", "stands"), [(TABLE, "all"), ([*TABLE, {"attach": "admins"}], "admins")])
def test_an_admin_says_who_attaches_files_and_sees_who_does(rules: list[Any], stands: str) -> None:
    answers = {**OTHERS, "/api/rules": rules, "/api/devices": [OWN], "/api/rules/attach": RULES}
    as_it_is: dict[str, object] = {"fill": "rules/attach", "with": {}}
    other = {"all": "admins", "admins": "all"}[stands]
    changed: dict[str, object] = {"fill": "rules/attach", "with": {"who": other}}
    page = seen("#m/ab/rules", answers, as_it_is, changed)
    asked = [body for _, path, body in page["asked"] if path == "/api/rules/attach"]
    assert asked == [{"mandate": "ab", "who": stands}, {"mandate": "ab", "who": other}]
    assert page["shown"]["notice"] == "It is set."


# -- the mandate itself --------------------------------------------------------------------------------


def test_a_mandate_is_renamed_and_left() -> None:
    answers: dict[str, object] = {"/api/mandate/rename": {}, "/api/mandate/leave": {"wiped": False, "folder": "/f"}}
    page = seen("#m/ab/settings", answers, {"fill": "mandate/rename", "with": {"name": "Bakery"}})
    assert ["POST", "/api/mandate/rename", {"mandate": "ab", "name": "Bakery"}] in page["asked"]
    page = seen("#m/ab/settings", answers, {"fill": "mandate/leave", "with": {}})
    assert "Leave Cargo" in page["confirmed"][0]
    assert ["POST", "/api/mandate/leave", {"mandate": "ab", "wipe": False}] in page["asked"]
    assert page["shown"]["notice"] == "Left. The files stay in /f"


def test_the_recovery_file_is_saved_before_its_key_is_forgotten() -> None:
    answers: dict[str, object] = {"/api/mandate/recovery": {"text": "KEY"}, "/api/mandate/recovery/saved": {}}
    save, forget = {"press": "Save the recovery file"}, {"press": "It is in a safe place: forget the key on this PC"}
    assert forget["press"] not in shown("#m/ab/settings", answers)
    page = seen("#m/ab/settings", answers, save)
    assert page["files"] == [["Cargo.p2precovery", "KEY"]]
    assert "KEY" not in page["shown"]["mandates"]
    page = seen("#m/ab/settings", answers, save, forget)
    assert ["POST", "/api/mandate/recovery/saved", {"mandate": "ab"}] in page["asked"]
    assert forget["press"] not in page["shown"]["mandates"]


# -- books ---------------------------------------------------------------------------------------------

WHO = {"device": "OWN-X", "name": "Office", "time": TIME}
PERIODS = {
    "current_until": {**WHO, "until": "2025-06-30"},
    "periods": [
        {"period": "2024", "begin": "2024-01-01", "end": "2024-12-31", "files": ["a"], "frozen": WHO},
        {"period": "2025", "begin": "2025-01-01", "end": "2025-12-31", "files": ["b", "c"], "frozen": None},
    ],
    "late": [
        {**WHO, "period": "2024", "path": "a", "kind": "file"},
        {**WHO, "period": "2024", "path": "b", "kind": "absent"},
    ],
}
POSTED = {
    "file": "a.ecf",
    "saved": WHO,
    "posted": WHO,
    "deliveries": [],
    "content": "c0",
    "rewritten": True,
    "state": "posted",
}
BOOKS: dict[str, object] = {
    "/api/period": PERIODS,
    "/api/pending": [
        POSTED,
        {**POSTED, "file": "b.ecf", "posted": None, "state": "pending"},
        {**POSTED, "file": "c.ecf", "state": "uncounted", "message": "it is torn"},
    ],
}


def test_books_tell_what_is_posted_and_which_periods_are_frozen() -> None:
    text = shown("#m/ab/books", BOOKS)
    assert "a.ecf Office, 2 Jan 2020, " in text
    assert "posted by Office, 2 Jan 2020" in text
    assert "waits to be posted" in text
    assert "changed, and cannot be counted: it is torn" in text
    assert "wrote them anew: were they taken back?" in text
    assert "frozen by Office" in text
    assert "complete until 30 Jun 2025, says Office" in text
    assert "too late for 2024; kept on that PC" in text
    assert "too late for 2024; it stays" in text
    reader = shown("#m/ab/books", BOOKS, mandate={**SHARED, "role": "reader"})
    assert "Freeze …" not in reader
    assert "Not posted after all" not in reader


def test_a_period_is_frozen_after_its_files_were_shown() -> None:
    left = [{"path": "d", "reason": "across"}]
    plan = {"period": "2025", "files": [{"path": "b"}], "left_out": left, "seen": "s"}
    answers = {**BOOKS, "/api/period/preview": plan, "/api/period/freeze": plan}
    first = seen("#m/ab/books", answers, {"press": "Freeze …"})
    assert "Freeze 2025, with 1 file? " in first["shown"]["mandates"]
    assert "! d has bookings of other periods too: it stays open." in first["shown"]["mandates"]
    assert not any(path == "/api/period/freeze" for _, path, _ in first["asked"])
    second = seen("#m/ab/books", answers, {"press": "Freeze …"}, {"press": "Freeze"})
    assert ["POST", "/api/period/freeze", {"mandate": "ab", "period": "2025", "seen": "s"}] in second["asked"]
    assert "Freeze 2025" not in second["shown"]["mandates"]
    assert "Freeze 2025" not in shown("#m/ab/books", answers, {"press": "Freeze …"}, {"press": "Not now"})


def test_bookings_are_checked() -> None:
    wrong = {"line": 17, "code": "debit-unknown", "facts": {"account": "5999"}}
    row = {"file": "a.ecf", "message": "", "count": 1, "findings": [wrong]}
    rows = [row, {**row, "file": "b.ecf", "count": 0}, {**row, "file": "c.ecf", "message": "torn"}]
    text = shown("#m/ab/books", {**BOOKS, "/api/check": rows}, {"press": "Check now"})
    assert "Line 17: the debit account 5999 is not in the chart of accounts." in text
    assert "a.ecf: 1 finding" in text
    assert "b.ecf: nothing wrong" in text
    assert "c.ecf cannot be read: torn" in text


RECORD = {"number": "1020", "name": "Bank", "names": {"de": "Bank (D)"}}
CHART: dict[str, Any] = {
    **{
        "file": "a.crp",
        "title": "Cargo SA",
        "period": "2025",
        "begin": "2025-01-01",
        "end": "2025-12-31",
        "saved": WHO,
    },
    **{
        "others": ["b.crp"],
        "count": 2,
        "followed": "/x.xml",
        "deletions": [{"number": "99", "time": TIME, "confirmed": 1}],
    },
    "devices": [
        {"name": "PC 2", "content": "c0", "current": False, "saved": TIME},
        {"name": "PC 3", "content": "c1", "current": True, "saved": TIME},
    ],
    "accounts": [{**RECORD, "kind": "account", "category": "assets", "vat_code": "TVA", "blocked": True}],
    "vat_codes": [{"code": "TVA", "rate_percent": "8.1", "account": "2200", "description": "normal"}],
    "cost_centres": [{**RECORD, "quantity": "3", "unit": "h", "postable_to": "2026"}],
    "cost_objects": [],
    "payment_terms": [{**RECORD, "net_days": "30", "discount_1_days": "10", "discount_1_percent": "2"}],
}


def test_the_chart_of_accounts_is_shown_with_who_still_uses_an_older_one() -> None:
    page = seen("#m/ab/accounts", {"/api/chart": CHART})
    text = page["shown"]["mandates"]
    assert "a.crp, from 1 Jan 2025 to 31 Dec 2025" in text
    assert "! PC 2 still uses the version of 2 Jan 2020" in text
    assert "PC 3 still" not in text
    assert "! 2 lines were not understood." in text
    assert "Deleted by accounting: 99 (2 Jan 2020" in text
    assert "1020 Bank assets TVA blocked" in text
    assert "TVA 8.1 % 2200 normal" in text
    assert "3 h until 2026" in text
    assert "30 2 % in 10 days" in text
    assert "Cost objects" not in text
    assert "#m/ab/accounts/b.crp" in page["links"]
    other = seen("#m/ab/accounts/b.crp", {"/api/chart": CHART})
    assert ["POST", "/api/chart", {"mandate": "ab", "file": "b.crp"}] in other["asked"]


def test_where_no_chart_is_there_the_page_says_how_to_attach_one() -> None:
    missing = {**SHARED, "actions": [{"what": "chart", "count": 1}]}
    page = seen("#m/ab/accounts", {}, mandate=missing)
    assert "There is no chart of accounts (.crp) yet." in page["shown"]["mandates"]
    assert page["links"][-1] == "#m/ab/files"
    assert not any(path == "/api/chart" for _, path, _ in page["asked"])


def test_master_data_are_taken_over_after_a_look_at_what_would_change() -> None:
    told = {"file": "/x.xml", "count": 0, "taken": False, "records": 9, "new": 1, "changed": 2, "deleted": 3}
    answers: dict[str, object] = {"/api/chart": CHART, "/api/chart/import": {**told, "missing": [{"number": "77"}]}}
    page = seen("#m/ab/accounts", answers, {"fill": "chart/import", "with": {"file": "/x.xml", "keep_missing": True}})
    wanted = {"mandate": "ab", "file": "/x.xml", "dry_run": True, "keep_missing": True, "follow": False}
    assert ["POST", "/api/chart/import", wanted] in page["asked"]
    text = page["shown"]["mandates"]
    assert "Nothing was taken over; this is what would change: /x.xml" in text
    assert "9 records: +1 ~2 -3" in text
    assert "kept, though left out: 77" in text
    answers["/api/chart/import"] = {**told, "count": 1, "findings": [{"line": 3, "code": "debit-missing", "facts": {}}]}
    text = shown("#m/ab/accounts", answers, {"fill": "chart/import", "with": {"file": "/x.xml"}})
    assert "/x.xml has mistakes: nothing was taken over. Line 3 has no debit account." in text
    reader = shown("#m/ab/accounts", answers, mandate={**SHARED, "role": "reader"})
    assert "Take over" not in reader
    assert "no longer" not in reader


def test_a_record_that_the_master_deleted_is_removed_and_an_export_followed_no_longer() -> None:
    deleted = {**CHART["accounts"][0], "deleted_by_master": True}
    answers: dict[str, object] = {"/api/chart": {**CHART, "accounts": [deleted]}, "/api/chart/remove": {}}
    page = seen("#m/ab/accounts", answers, {"press": "Remove"})
    assert ["POST", "/api/chart/remove", {"mandate": "ab", "record": "account", "number": "1020"}] in page["asked"]
    assert "Remove" not in shown("#m/ab/accounts", {"/api/chart": CHART})
    page = seen("#m/ab/accounts", answers, {"press": "Take it over by itself no longer"})
    assert ["POST", "/api/chart/unfollow", {"mandate": "ab"}] in page["asked"]


# -- moving about --------------------------------------------------------------------------------------


def test_another_view_is_shown_when_the_address_changes() -> None:
    answers: dict[str, object] = {"/api/verify/last": None}
    page = browse(SHARED, at="#overview", answers=answers, steps=[{"turn": "#m/ab/verify"}], events=())
    assert "Check every file" in page["shown"]["mandates"]
    assert "your action" not in page["shown"]["mandates"]


def test_who_hears_a_button_alone_is_told_what_it_is_about() -> None:
    rows = [{"address": "192.0.2.7:1"}, {"address": "192.0.2.8:1"}]
    called = seen("#m/ab/devices", {**INVITING, "/api/peer/list": rows})["called"]
    assert {"Revoke: PC 2", "Remove: 192.0.2.7:1", "Remove: 192.0.2.8:1", "Pause: Cargo"} <= set(called)


def test_headings_skip_no_level_below_a_mandate_or_without_one() -> None:
    assert seen("#m/ab/files", FILES)["headings"] == ["h2", "h3"]
    assert browse(SHARED, at="#new", steps=[], events=())["headings"] == ["h2", "h2"]


def test_what_cannot_be_shown_says_why() -> None:
    text = shown("#m/ab/accounts", {"/api/chart": ValueError("a.crp cannot be read")})
    assert "This cannot be shown now a.crp cannot be read" in text
    assert "There is no such mandate on this PC." in shown("#m/xx/files", {})


def test_a_view_that_is_only_looked_at_is_read_once() -> None:
    page = seen("#m/ab/accounts", {"/api/chart": CHART})
    assert [path for _, path, _ in page["asked"]].count("/api/status") == 2
    assert [path for _, path, _ in page["asked"]].count("/api/chart") == 1

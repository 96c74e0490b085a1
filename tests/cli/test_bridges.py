"""Attached files as people read of them."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.cli import bridges
from p2psync.daemon.operations.attachments import STATES

TWIN = {"file": "Copy.crp", "mandate": "Old"}
LINKED = {"file": "/books/Cargo.crp", "path": "Cargo.crp", "mode": "auto", "role": "accounting"}
ROW: dict[str, Any] = {
    **{"mandate": "Cargo Ltd", "path": "Cargo.crp", "file": "/books/Cargo.crp", "mode": "ask", "role": "accounting"},
    **{"state": "waiting", "reason": "it waits for your word", "received": "2020-01-01T10:00:00Z", "from": "Office"},
    **{"size": 12, "content": "c", "published": None, "delivered": "2020-01-01T10:00:00Z"},
    **{"new": None, "changed": None, "removed": None, "follows": True},
}


def test_what_was_attached_and_what_else_could_be() -> None:
    text = bridges.linked({"attached": [LINKED], "refused": [], "proposed": [], "missing": [], "twins": []})
    assert text == "Attached: /books/Cargo.crp, what arrives is delivered"
    asked = {**LINKED, "mode": "ask"}
    refused = [{"file": "/books/Cargo.cre", "reason": "It is a database."}]
    rest = {"refused": refused, "missing": [], "twins": [TWIN]}
    text = bridges.linked({"attached": [asked], "proposed": ["/books/Cargo.ecf"], **rest})
    assert "waits for your word" in text
    assert "Not attached: It is a database." in text
    assert text.endswith("add --siblings:\n  /books/Cargo.ecf")


def test_what_an_index_names_and_nobody_has_yet() -> None:
    rest: dict[str, Any] = {"refused": [], "proposed": [], "twins": []}
    lines = bridges.linked({"attached": [LINKED], "missing": ["/books/Pay.ecs"], **rest}).splitlines()
    assert "neither here nor in the mandate" in lines[2]
    assert lines[3:] == ["  /books/Pay.ecs", "Attach them on the PCs whose programs write them."]


def test_all_that_is_attached() -> None:
    text = bridges.attached([ROW])
    assert "/books/Cargo.crp" in text
    assert "waits for you" in text
    assert text.endswith("  Cargo.crp: it waits for your word")
    assert "p2psync attach --help" in bridges.attached([])


def test_where_no_new_periods_file_joins_that_is_told_once_with_the_way_back() -> None:
    text = bridges.attached([{**ROW, "follows": False}, {**ROW, "follows": False}, {**ROW, "mandate": "Other"}])
    assert text.splitlines()[-1].endswith(
        'Cargo Ltd by themselves here. To let them: p2psync attach --mandate "Cargo Ltd" --follow'
    )
    assert text.count("--follow") == 1
    assert bridges.follows({"mandate": "Other", "follows": True}) == "Files of a new period join Other by themselves."


def test_the_inbox_tells_how_to_have_it_delivered() -> None:
    text = bridges.inbox([ROW, {**ROW, "from": None, "size": None, "reason": ""}])
    assert "Office" in text
    assert "+3 ~1 -0" in bridges.inbox([{**ROW, "new": 3, "changed": 1, "removed": 0}])
    assert text.endswith('To deliver: p2psync deliver "Cargo Ltd"')
    assert bridges.inbox([]).startswith("Nothing waits")


def booking(line: int, text: str) -> dict[str, object]:
    names = {"date": "2025-01-05", "debit": "1100", "credit": "3000", "voucher": "", "vat_code": "TVA"}
    return {**names, "line": line, "text": text, "amount": "108.10"}


def test_the_inbox_lists_the_lines_that_a_delivery_would_change() -> None:
    lines = [
        {"change": "new", "before": None, "after": booking(3, "first")},
        {"change": "changed", "before": booking(4, "second"), "after": booking(5, "third")},
        {"change": "removed", "before": booking(9, "f" * 41), "after": None},
    ]
    row = {**ROW, "new": 1, "changed": 1, "removed": 5, "lines": lines, "left_out": 4}
    text = bridges.inbox([row, {**ROW, "lines": None, "left_out": 0}])
    assert [" ".join(line.split()) for line in text.splitlines()[-9:]] == [
        "Cargo.crp:",
        "LINE DATE DEBIT CREDIT VOUCHER TEXT AMOUNT VAT",
        "+ 3 2025-01-05 1100 3000 - first 108.10 TVA",
        "4 2025-01-05 1100 3000 - second 108.10 TVA",
        "~ 5 2025-01-05 1100 3000 - third 108.10 TVA",
        "- 9 2025-01-05 1100 3000 - " + "f" * 39 + "… 108.10 TVA",
        "and 4 more lines",
        "",
        'To deliver: p2psync deliver "Cargo Ltd"',
    ]


def test_what_was_delivered_and_what_was_not() -> None:
    rows = [
        {"file": "a", "result": "delivered", "reason": ""},
        {"file": "b", "result": "current", "reason": ""},
        {"file": "c", "result": "held", "reason": "it is open"},
    ]
    assert bridges.delivered(rows) == (
        "delivered: a\nhas it already: b\nnot delivered: c: it is open\n1 file delivered."
    )
    assert "No file is attached" in bridges.delivered([])


def test_the_end_of_it() -> None:
    assert bridges.detached(LINKED) == "Detached: /books/Cargo.crp. It stays as it is."
    assert bridges.migrated({"path": "a.ecs", "name": "Pay"}) == "a.ecs belongs to Pay now."


@pytest.mark.parametrize("word", sorted(set(STATES.values())))
def test_every_state_has_words(word: str) -> None:
    assert bridges.state(word) != word

"""What is given to join with is a ticket, a file or standard input; what it says is told, or that it says nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from p2psync.cli.exits import CommandFailed
from p2psync.cli.tickets import (
    REQUEST_BYTES_MAX,
    TICKET_CHARACTERS_MAX,
    file_named,
    file_text,
    joined,
    looks_right,
    ticket_text,
    told,
)
from p2psync.errors import TicketMalformed
from p2psync.pair.ticket import parse

ANSWER: dict[str, Any] = {
    **{"kind": "ticket", "mandate": "Cargo", "id": "ab", "inviter": "Office", "fingerprint": "5FAM-6DBW"},
    **{"role": "payroll", "admin": False, "expires": "2020-01-02T03:04:05Z", "folder": "/f", "already": False},
}


def test_a_ticket_that_looks_like_a_file_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ticket_text("P2P1ABC") == "P2P1ABC"
    (tmp_path / "t.txt").write_text("P2P1ABC\n")
    assert ticket_text("t.txt") == "P2P1ABC\n"
    for missing in ("t.p2pticket", str(tmp_path / "none" / "t.txt")):
        with pytest.raises(CommandFailed, match=r"There is no file"):
            ticket_text(missing)
    assert ticket_text("x" * 5000) == "x" * 5000


def test_a_tickets_file_may_be_named_without_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [file_named(Path(name)).name for name in ("Cargo AG", "t.txt", "t.p2pticket")] == [
        *("Cargo AG.p2pticket", "t.txt", "t.p2pticket")
    ]
    assert file_named(Path("~/t")) == Path.home() / "t.p2pticket"
    assert file_named(Path("/")) == Path("/")
    (tmp_path / "t.p2pticket").write_text("P2P1ABC\n")
    assert ticket_text("t") == file_text(Path("t")) == "P2P1ABC\n"
    (tmp_path / "t").write_text("P2P1DEF\n")
    assert ticket_text("t") == "P2P1DEF\n", "what is named so exactly comes first"


def test_a_folder_is_no_ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.p2pticket").mkdir()
    monkeypatch.chdir(tmp_path)
    for folder in (str(tmp_path), "in.p2pticket"):
        with pytest.raises(CommandFailed, match="is no file"):
            ticket_text(folder)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.p2pticket"
    file.touch()
    monkeypatch.setattr(Path, "open", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(CommandFailed, match="cannot be read: Permission denied"):
        ticket_text(str(file))


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "huge.p2pticket"
    with file.open("wb") as sparse:
        sparse.truncate(100_000_000)
    text = ticket_text(str(file))
    assert len(json.dumps(text)) <= REQUEST_BYTES_MAX, "it fits into what a daemon takes"
    with pytest.raises(TicketMalformed, match="far too long"):
        parse(text)


def test_standard_input_without_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("P2P1\n"))
    assert ticket_text("-") == "P2P1\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("x" * (TICKET_CHARACTERS_MAX + 1)))
    assert len(ticket_text("-")) == TICKET_CHARACTERS_MAX


def test_bytes_that_are_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "binary.p2pticket"
    file.write_bytes(bytes(range(256)))
    text = ticket_text(str(file))
    assert "\0" not in text, "a daemon takes no such text"
    assert not looks_right(text)


def test_what_a_ticket_says_stands_in_a_line_each() -> None:
    text = told({**ANSWER, "admin": True})
    for title, fact in (("mandate", "Cargo"), ("invited by", "Office"), ("role", "payroll, admin"), ("folder", "/f")):
        assert [title, fact] in [[part.strip() for part in line.split("  ", 1)] for line in text.splitlines()]
    assert "Compare the fingerprint by telephone" in text


def test_what_is_not_said_is_told_as_that() -> None:
    text = told({**ANSWER, "mandate": None, "inviter": None, "role": None, "admin": None, "folder": None})
    assert text.count("not said in the ticket") == 3
    assert "/f" not in text
    assert "\nfolder" not in text
    assert "5FAM-6DBW" in text


def test_members_and_admins_to_be_are_told_so() -> None:
    assert "member of it already" in told({**ANSWER, "already": True})
    recovery = told({**ANSWER, "kind": "recovery", "inviter": None, "fingerprint": None, "expires": None})
    assert "becomes an admin" in recovery
    assert "invited by" not in recovery
    assert "says nothing" in told({"kind": "code"})


@pytest.mark.parametrize(("text", "right"), [("4217 tamiro marilu", True), ("4217 hello", False), ("P2P1X", False)])
def test_a_typing_error_is_seen_before_anybody_is_looked_for(text: str, right: bool) -> None:
    assert looks_right(text) == right


def test_who_joined_and_who_waits() -> None:
    answer = {"mandate": "Cargo", "role": "payroll", "folder": "/f", "fingerprint": "AAAA-BBBB"}
    assert "member of Cargo now, as payroll" in joined(answer)
    assert "AAAA-BBBB" in joined(answer)
    waiting = {"waiting_for": "inviter", "fingerprint": "AAAA-BBBB", "message": "in the daemon's language"}
    assert joined(waiting).startswith("Still waiting for the inviting device (AAAA-BBBB)")
    held = {"waiting_for": "approval", "fingerprint": "AAAA-BBBB", "own_fingerprint": "CCCC-DDDD", "message": ""}
    assert "this PC has the fingerprint CCCC-DDDD, the inviting one AAAA-BBBB" in joined(held)
    by_code = {"waiting_for": "inviter", "fingerprint": None, "number": 4217, "message": "in the daemon's language"}
    assert "the number 4217" in joined(by_code)
    assert joined({"waiting_for": "member", "message": "nobody is there"}) == "nobody is there"

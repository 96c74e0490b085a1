"""Files by the command line: runs, conflicts, versions and the log; what cannot be is told in a sentence."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.cli.machine import Machine, company, until


def test_a_run_tells_what_was_exchanged_since_the_one_before(office: Machine, home: Machine) -> None:
    office.ask("sync", "Cargo")
    office.save("run.txt", "x")
    result = office.run("sync", "Cargo", "--timeout", "30s", "--json")
    assert (result.code, result.data["result"]) == (0, "success")
    assert [(item["path"], item["direction"], item["state"]) for item in result.data["items"]] == [
        ("run.txt", "sent", "done")
    ]
    assert home.read("run.txt") == "x"
    assert office.ask("sync")["result"] == "nothing-new"
    (past,) = office.ask("history", "Cargo", "--run", result.data["id"])
    assert {k: past[k] for k in ("id", "result", "items")} == {k: result.data[k] for k in ("id", "result", "items")}
    assert "run.txt" in office.run("history", "--run", result.data["id"]).out
    assert result.data["id"] not in [run["id"] for run in office.ask("history", "--failed")]


def test_a_run_may_look_at_some_files_only_or_only_tell(office: Machine) -> None:
    office.save("only.txt", "x")
    assert office.ask("sync", "Cargo", "--only", "master")["items"] == []
    assert office.ask("sync", "--dry-run")["result"] == "dry-run"
    assert office.ask("sync", "Cargo", "--full")["result"] in ("success", "nothing-new")
    assert office.ask("wait", "Cargo", "--timeout", "30s")["result"] == "success"


def test_a_full_run_says_before_it_begins_what_it_reads_and_what_it_is_for(office: Machine) -> None:
    result = office.run("sync", "Cargo", "--full")
    assert result.code == 0
    assert "This reads " in result.err
    assert "after a backup was restored" in result.err
    assert "of this PC again" not in result.out, "that is the answer"
    assert "again" not in office.run("sync", "Cargo", "--full", "--json").err
    assert "again" not in office.run("sync", "Cargo").err


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with company(tmp_path) as (office, home):
        home.end()
        until(lambda: not office.ask("status")["mandates"][0]["peers"][0]["connected"], "the link is gone")
        first = threading.Thread(target=office.shell, args=("sync", "Cargo", "--timeout", "8s"))
        first.start()
        until(lambda: office.ask("history")[:1] and office.ask("history")[0]["result"] == "running", "a run began")
        second = office.run("sync", "Cargo", "--timeout", "1s")
        assert second.code == 1
        assert "since" in second.err
        first.join()


def test_a_problem_at_the_other_device_makes_a_run_partial(tmp_path: Path) -> None:
    """There a link to somewhere else stands where a folder should come."""
    with company(tmp_path) as (office, home):
        (tmp_path / "elsewhere").mkdir()
        (home.folder / "papers").symlink_to(tmp_path / "elsewhere")
        office.save("papers/a.txt", "x")
        office.save("b.txt", "x")
        result = office.run("sync", "Cargo", "--timeout", "20s", "--json")
        assert (result.code, result.data["result"]) == (3, "partial")
        assert {(problem["device"], problem["path"]) for problem in result.data["problems"]} == {
            ("home", "papers/a.txt")
        }
        assert "On home:" in office.run("sync", "Cargo", "--timeout", "20s").out
        assert home.read("b.txt") == "x"
        assert not list((tmp_path / "elsewhere").iterdir())
        assert [run["result"] for run in office.ask("history", "--failed")] == ["partial", "partial"]


def test_without_its_own_folder_a_run_fails_at_once(tmp_path: Path) -> None:
    """The drive is unplugged: that is told, nothing counts as deleted, and all goes on when it is back."""
    with company(tmp_path) as (office, home):
        office.save("before.txt", "x")
        home.has("before.txt", "x")
        home.folder.rename(tmp_path / "unplugged")
        until(lambda: home.ask("status")["mandates"][0]["problem_list"], "it is noticed")
        result = home.run("sync")
        assert result.code == 1
        assert "Connect the drive" in result.out
        assert office.read("before.txt") == "x"
        (tmp_path / "unplugged").rename(home.folder)
        office.save("after.txt", "x")
        home.has("after.txt", "x")
        assert home.run("sync", "--timeout", "30s").code == 0


def test_versions_come_back(office: Machine, home: Machine) -> None:
    for text in ("one\r\nENDOFFILE\r\n", "two\r\nENDOFFILE\r\n", "three\r\nENDOFFILE\r\n"):
        office.save("versions.crp", text)
        home.has("versions.crp", text)
        until(lambda: office.ask("wait", "Cargo")["result"] == "success", "it is there")
    until(lambda: len(office.ask("versions", "Cargo", "versions.crp")) == 3, "all are kept")
    newest, middle, oldest = office.ask("versions", "Cargo", "versions.crp")
    assert newest["reason"] == "current"
    assert {"id", "path", "time", "device", "size", "content", "reason"} <= set(oldest)
    assert "it stands in the folder now" in office.run("versions", "Cargo", "versions.crp").out
    office.ask("restore", "Cargo", "versions.crp", "--version", oldest["id"][:16])
    home.has("versions.crp", "one\r\nENDOFFILE\r\n")
    until(lambda: office.ask("versions", "Cargo", "versions.crp")[0]["content"] == oldest["content"], "it is an edit")
    assert "already" in office.run("restore", "Cargo", "versions.crp", "--version", oldest["content"][:10]).out
    target = office.home / "elsewhere.crp"
    told = office.ask("restore", "Cargo", "versions.crp", "--version", middle["id"], "--to", str(target))
    assert (told["changed"], target.read_bytes()) == (True, b"two\r\nENDOFFILE\r\n")


def test_a_deleted_file_comes_back_by_the_time(office: Machine, home: Machine) -> None:
    office.save("sub/gone.crp", "x\r\nENDOFFILE\r\n")
    home.has("sub/gone.crp", "x\r\nENDOFFILE\r\n")
    (saved,) = office.ask("versions", "Cargo", "sub/gone.crp")
    (office.folder / "sub" / "gone.crp").unlink()
    home.has("sub/gone.crp", None)
    before = office.run("restore", "Cargo", "sub/gone.crp", "--at", "2001-01-01")
    assert before.code == 1
    assert "did not stand" in before.err
    home.ask("restore", "Cargo", "sub/gone.crp", "--at", saved["time"])
    office.has("sub/gone.crp", "x\r\nENDOFFILE\r\n")
    assert office.run("versions", "Cargo", str(office.folder / "sub" / "gone.crp")).code == 0


def test_the_log_is_listed_verified_and_exported(office: Machine, tmp_path: Path) -> None:
    office.save("logged.txt", "x")
    until(lambda: "logged.txt" in [r["path"] for r in office.ask("log", "Cargo")], "it is in the log")
    row = next(r for r in office.ask("log", "Cargo") if r["path"] == "logged.txt")
    assert {"device", "seq", "time", "path", "kind", "content"} <= set(row)
    assert (row["kind"], row["accepted"]) == ("file", True)
    assert office.ask("log", "Cargo", "--verify")["ok"]
    assert "every signature" in office.run("log", "Cargo", "--verify").out
    target = tmp_path / "log.jsonl"
    told = office.ask("log", "Cargo", "--export", str(target))
    lines = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert len(lines) == told["entries"]
    assert {"block", "device", "seq", "signature", "payload", "entries"} <= set(lines[0])


def test_every_byte_is_verified_here_and_with_the_others(office: Machine, home: Machine) -> None:
    office.save("sound.txt", "x")
    until(lambda: home.read("sound.txt") == "x", "it arrived")
    answer = office.run("verify", "Cargo", "--json")
    assert (answer.code, answer.data["identical"], answer.data["damaged"]) == (0, 2, [])
    said = office.run("verify", "Cargo", "--repair", "--timeout", "30s").out
    assert "Every byte is as it was saved." in said
    assert "Identical on 2/2 devices:" in said
    assert office.run("verify", "Cargo", "--last").out.splitlines()[1:] == said.splitlines()


def test_a_forged_entry_is_named(tmp_path: Path) -> None:
    with company(tmp_path) as (office, _home):
        office.save("a.txt", "x")
        until(lambda: office.ask("sync", "Cargo")["result"], "it is known")
        office.end()
        with sqlite3.connect(office.home / "p2psync.db") as database:
            number, raw = database.execute("SELECT number, raw FROM block ORDER BY number DESC LIMIT 1").fetchone()
            forged = raw[:-1] + bytes([raw[-1] ^ 1])
            database.execute("UPDATE block SET raw = ? WHERE number = ?", (forged, number))
        database.close()
        office.up()
        result = office.run("log", "Cargo", "--verify", "--json")
        assert result.code == 1
        assert not result.data["ok"]
        assert result.data["first_bad"]["reason"]
        assert "First bad entry" in office.run("log", "Cargo", "--verify").out


@pytest.mark.parametrize(
    ("words", "code", "fragment"),
    [
        (["sync", "Nope"], 2, "Nope"),
        (["sync", "--only", "some"], 2, "some"),
        (["sync", "--timeout", "later"], 2, "later"),
        (["wait", "Nope"], 2, "Nope"),
        (["wait", "--timeout", "-1"], 2, "-1"),
        (["conflicts", "Nope"], 2, "Nope"),
        (["conflicts", "Cargo", "a.crp"], 2, "--keep"),
        (["conflicts", "Cargo", "--keep", "mine"], 2, "PATH"),
        (["conflicts", "Cargo", "a.crp", "--keep", "mine"], 2, "a.crp"),
        (["history", "--run", "999999"], 2, "999999"),
        (["history", "--run", "x"], 2, "x"),
        (["versions", "Cargo", "never.crp"], 1, "never.crp"),
        (["versions", "Cargo", "../etc/passwd"], 2, "passwd"),
        (["versions", "Cargo", "/etc/passwd"], 2, "passwd"),
        (["restore", "Cargo", "never.crp"], 1, "never.crp"),
        (["restore", "Cargo", "never.crp", "--version", "abcd"], 2, "abcd"),
        (["restore", "Cargo", "never.crp", "--at", "noon"], 2, "noon"),
        (["restore", "Cargo", "never.crp", "--at", "2020-01-01", "--version", "ab"], 2, "not both"),
        (["log", "Nope"], 2, "Nope"),
        (["log", "Cargo", "--verify", "--export", "/tmp/x"], 2, "not both"),
        (["verify", "Cargo", "--repair", "--last"], 2, "not both"),
        (["log", "Cargo", "--export", "/none/at all"], 1, "/none/at all"),
    ],
)
def test_what_cannot_be_is_told(office: Machine, words: list[str], code: int, fragment: str) -> None:
    result = office.run(*words)
    assert result.code == code
    assert fragment in result.err
    assert "Traceback" not in result.err
    assert result.out == ""

"""Mandates by the command line: made, named, shared, ruled and left; and what cannot be is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.machine import Machine, machines
from tests.daemon.file_managers import fake_file_manager, needs_programs


def test_a_mandate_from_its_making_to_its_end(tmp_path: Path) -> None:
    with machines(tmp_path, "pc") as (pc,):
        pc.home.mkdir(exist_ok=True)
        pc.save("before.txt", "kept")
        made = pc.ask("mandate", "create", "Cargo", "--folder", str(pc.folder), "--role", "accounting")
        assert {"id", "name", "state", "role", "folder"} <= set(made)
        assert (made["state"], made["folder"]) == ("local", str(pc.folder))
        assert pc.ask("mandate", "list") == [made]
        assert pc.ask("mandate", "show", made["id"][:6])["name"] == "Cargo"
        assert pc.run("invite", "Cargo", "--role", "reader").code == 1
        assert pc.ask("share", "Cargo")["state"] == "shared"
        assert "p2psync invite Cargo" in pc.run("share", "Cargo").out
        assert pc.ask("mandate", "rename", "Cargo", "Cargo Ltd")["name"] == "Cargo Ltd"
        assert pc.ask("overview")["mandates"][0]["name"] == "Cargo Ltd"
        assert "Left." in pc.run("mandate", "leave", "Cargo Ltd").out
        assert pc.ask("mandate", "list") == []
        assert pc.read("before.txt") == "kept"


@needs_programs
def test_its_folder_is_opened_where_p2psync_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    with machines(tmp_path, "pc") as (pc,):
        pc.ask("mandate", "create", "Cargo", "--folder", str(pc.folder))
        result = pc.run("mandate", "open", "Cargo")
        assert (result.code, result.out) == (0, f"Opened {pc.folder} in the file manager.\n"), result.err
        assert opened() == [str(pc.folder)]


def test_leaving_with_wipe_deletes_the_folder(tmp_path: Path) -> None:
    with machines(tmp_path, "pc") as (pc,):
        pc.ask("mandate", "create", "Cargo", "--folder", str(pc.folder))
        result = pc.run("mandate", "leave", "Cargo", "--wipe")
        assert str(pc.folder) in result.out
        assert not pc.folder.exists()


def test_a_recovery_file_is_handed_out_once_and_renewed_from_itself(tmp_path: Path) -> None:
    first, second = (str(tmp_path / name) for name in ("first.recovery", "second.recovery"))
    with machines(tmp_path, "office") as (office,):
        office.ask("mandate", "create", "Cargo", "--folder", str(office.folder))
        assert "keep it offline" in office.run("mandate", "recovery", "Cargo", "--save", first).out
        assert "handed out once" in office.run("mandate", "recovery", "Cargo", "--save", second).err
        none = office.run("mandate", "recovery", "Cargo", "--renew", second, "--save", second)
        assert (none.code, second in none.err) == (1, True)
        renewed = office.run("mandate", "recovery", "Cargo", "--renew", first, "--save", second)
        assert (renewed.code, "Destroy the older file" in renewed.out) == (0, True)
        assert "P2PSYNC-RECOVERY" not in renewed.out
        assert Path(second).read_text() != ""


def test_a_relative_folder_is_where_the_person_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with machines(tmp_path, "pc") as (pc,):
        monkeypatch.chdir(tmp_path)
        made = pc.ask("mandate", "create", "Cargo", "--folder", "here.crsync", "--restrict", "*.ecs=accounting,payroll")
        assert made["folder"] == str(tmp_path / "here.crsync")
        assert {"pattern": "*.ecs", "readers": ["accounting", "payroll"]} in pc.ask("rules", "Cargo")


def test_rules_are_shown_and_set(office: Machine) -> None:
    before = {rule["pattern"]: rule["mode"] for rule in office.ask("rules", "Cargo") if "mode" in rule}
    assert before["*.crp"] == "prefer"
    after = office.ask("rules", "Cargo", "--set", "*.pdf=manual")
    assert {"pattern": "*.pdf", "mode": "manual"}.items() <= after[0].items()
    assert "a person decides" in office.run("rules", "Cargo").out
    assert {"attach": "admins"} in office.ask("rules", "Cargo", "--attach", "admins")
    assert "attached and detached by admins alone" in office.run("rules", "Cargo").out
    assert "attached" not in office.run("rules", "Cargo", "--attach", "all").out


@pytest.mark.parametrize(
    ("words", "code", "fragment"),
    [
        (["mandate", "create", "Other", "--role", "pope", "--folder", "/tmp/x"], 2, "pope"),
        (["mandate", "create", "Cargo", "--folder", "/tmp/x"], 2, "Cargo"),
        (["mandate", "create", "", "--folder", "/tmp/x"], 2, "name"),
        (["mandate", "create", "Other", "--folder", "/tmp/x", "--restrict", "*.ecs"], 2, "*.ecs"),
        (["mandate", "create", "Other", "--folder", "/proc/x"], 1, "/proc/x"),
        (["mandate", "show", "Nope"], 2, "Nope"),
        (["mandate", "rename", "Cargo", "a\nb"], 2, "name"),
        (["mandate", "rename", "Nope", "x"], 2, "Nope"),
        (["mandate", "leave", "Nope"], 2, "Nope"),
        (["mandate", "leave", "Cargo"], 2, "last admin"),
        (["mandate", "list", "more"], 2, "more"),
        (["mandate", "recovery", "Nope", "--save", "/tmp/none/key"], 2, "Nope"),
        (["share", "Nope"], 2, "Nope"),
        (["rules", "Cargo", "--set", "*.crp"], 2, "*.crp"),
        (["rules", "Cargo", "--set", "*.crp=sometimes"], 2, "sometimes"),
        (["rules", "Nope"], 2, "Nope"),
        (["rules", "Cargo", "--attach", "some"], 2, "neither admins nor all"),
        (["rules", "Cargo", "--set", "*.pdf=manual", "--attach", "all"], 2, "one of them at a time"),
        (["rules", "Cargo", "--open", "account.cash", "--attach", "all"], 2, "one of them at a time"),
        (["overview", "more"], 2, "more"),
    ],
)
def test_what_cannot_be_is_told(office: Machine, words: list[str], code: int, fragment: str) -> None:
    office.refuses(*words, code=code, saying=fragment)


def test_who_is_no_admin_is_told_whom_to_ask(home: Machine) -> None:
    for words in (["mandate", "rename", "Cargo", "X"], ["rules", "Cargo", "--attach", "admins"]):
        result = home.run(*words)
        assert result.code == 1
        assert "admin" in result.err

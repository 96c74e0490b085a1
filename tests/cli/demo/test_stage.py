"""The PCs of the demo are real processes in a directory of their own, and nothing of them stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.cli import background
from p2psync.cli.demo.stage import stage, waited_s
from p2psync.cli.exits import CommandFailed
from tests.cli.machine import OFFLINE

CAST = [("PC 1", "accounting")]


def test_a_pc_starts_saves_and_ends_and_nothing_stays() -> None:
    with stage(CAST, keep=False, options=OFFLINE) as (root, (pc,)):
        pc.begin()
        assert 0 < pc.await_ready() < 30
        assert pc.process is not None
        pid = pc.process.pid
        assert pc.page.startswith("http://127.0.0.1:")
        assert pc.call("status")["device"]["name"] == "PC 1"
        pc.folder.mkdir()
        pc.save("a.txt", b"x")
        (pc.folder / ".p2psync").mkdir()
        (pc.folder / ".p2psync" / "marker").write_bytes(b"ours")
        assert pc.holds("a.txt", b"x")
        assert not pc.holds("b.txt", b"x")
        assert pc.files() == {"a.txt": b"x"}
    assert not root.exists()
    assert not background.is_alive(pid)


def test_an_error_ends_all_processes_too() -> None:
    pids: list[int] = []
    roots: list[Path] = []

    def fail_on_stage() -> None:
        with stage([*CAST, ("PC 2", "payroll")], keep=False, options=OFFLINE) as (root, pcs):
            roots.append(root)
            for pc in pcs:
                pc.begin()
                pc.await_ready()
                assert pc.process is not None
                pids.append(pc.process.pid)
            raise KeyError

    with pytest.raises(KeyError):
        fail_on_stage()
    assert len(pids) == 2
    assert not any(background.is_alive(pid) for pid in pids)
    assert not roots[0].exists()


def test_folders_are_kept_if_wanted() -> None:
    with stage(CAST, keep=True) as (root, (pc,)):
        (pc.folder.parent / "here").touch()
    assert (root / "pc1" / "here").exists()
    (root / "pc1" / "here").unlink()
    (root / "pc1").rmdir()
    root.rmdir()


def test_a_pc_that_does_not_start_says_why() -> None:
    with stage(CAST, keep=False, options=("--listen", "nowhere")) as (_root, (pc,)):
        pc.begin()
        with pytest.raises(CommandFailed, match="PC 1"):
            pc.await_ready()


def test_waiting_is_measured_and_ends() -> None:
    answers = iter([False, True])
    assert waited_s(lambda: next(answers), 30) is not None
    assert waited_s(lambda: False, 0) is None

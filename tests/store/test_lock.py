"""One daemon per home directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from p2psync.errors import HomeInUse
from p2psync.store.lock import HomeLock

HOLDER = """
import sys
from pathlib import Path
from p2psync.store.lock import HomeLock
lock = HomeLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_ends_however_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HomeInUse, match="--home"):
            HomeLock(tmp_path)
        holder.kill()
        holder.wait()
    HomeLock(tmp_path).release()


def test_one_process_holds_it_once(tmp_path: Path) -> None:
    with HomeLock(tmp_path):
        with pytest.raises(HomeInUse):
            HomeLock(tmp_path)
        with pytest.raises(HomeInUse):
            HomeLock(tmp_path)
    with HomeLock(tmp_path):
        pass


def test_releasing_twice_does_no_harm(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    lock.release()
    lock.release()
    HomeLock(tmp_path).release()


def test_homes_do_not_disturb_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with HomeLock(tmp_path / "a"), HomeLock(tmp_path / "b"):
        pass


def test_a_home_that_is_not_there_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HomeLock(tmp_path / "missing")

"""One daemon per home directory, and one per folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from p2psync.errors import FolderError, HomeInUse
from p2psync.store import lock
from p2psync.store.lock import FolderLock, HomeLock

HOLDER = """
import sys
import tempfile
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
    held = HomeLock(tmp_path)
    held.release()
    held.release()
    HomeLock(tmp_path).release()


def test_homes_do_not_disturb_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with HomeLock(tmp_path / "a"), HomeLock(tmp_path / "b"):
        pass


def test_a_home_that_is_not_there_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HomeLock(tmp_path / "missing")


# -- folders -----------------------------------------------------------------------------------------


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "locks"
    directory.mkdir()
    monkeypatch.setattr(lock, "_running", lambda: directory)
    return directory


def test_a_folder_is_held_once_under_all_of_its_names(tmp_path: Path, locks: Path) -> None:
    folder, name = tmp_path / "Cargo", tmp_path / "name"
    folder.mkdir()
    name.symlink_to(folder)
    with FolderLock(folder), pytest.raises(FolderError, match="in use by another p2psync"):
        FolderLock(name)
    assert list(folder.iterdir()) == list(locks.iterdir()) == [], "nothing stays"
    FolderLock(name).release()


def test_folders_do_not_disturb_each_other(tmp_path: Path, locks: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with FolderLock(tmp_path / "a"), FolderLock(tmp_path / "b"):
        assert len(list(locks.iterdir())) == 2


def test_a_lock_whose_file_was_removed_meanwhile_counts_for_nothing(
    tmp_path: Path, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before lets go after the next one has opened its file."""
    first, real = FolderLock(tmp_path), lock._lock

    def lets_go_first(handle: int) -> None:
        monkeypatch.setattr(lock, "_lock", real)
        first.release()
        real(handle)

    monkeypatch.setattr(lock, "_lock", lets_go_first)
    with FolderLock(tmp_path), pytest.raises(FolderError):
        FolderLock(tmp_path)


def test_a_folder_that_is_not_there_is_another_error(tmp_path: Path, locks: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "missing")


def test_a_users_locks_lie_where_all_of_its_programs_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RUNTIME_DIRECTORY", tmp_path)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    user = str(os.getuid())
    assert lock._running() == tmp_path / "tmp"
    (tmp_path / user).mkdir()
    assert lock._running() == tmp_path / user


@pytest.mark.skipif(not lock.NOT_A_LINK, reason="this system cannot open a file without following links")
def test_a_link_in_the_locks_place_is_not_followed(tmp_path: Path, locks: Path) -> None:
    folder = tmp_path / "Cargo"
    folder.mkdir()
    with FolderLock(folder):
        (name,) = (file.name for file in locks.iterdir())
    (locks / name).symlink_to(tmp_path / "somebody's")
    with pytest.raises(OSError, match="symbolic links"):
        FolderLock(folder)
    assert not (tmp_path / "somebody's").exists()


def test_a_deleted_folder_is_in_no_new_folders_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks give the numbers of deleted directories away again; some count how often."""
    old = FolderLock(tmp_path)
    generation = lock._generation(tmp_path)
    monkeypatch.setattr(lock, "_generation", lambda folder: generation + 1)
    FolderLock(tmp_path).release()
    monkeypatch.undo()
    with pytest.raises(FolderError):
        FolderLock(tmp_path)
    old.release()


def test_a_renamed_folder_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with FolderLock(tmp_path / "a"):
        (tmp_path / "a").rename(tmp_path / "b")
        with pytest.raises(FolderError):
            FolderLock(tmp_path / "b")

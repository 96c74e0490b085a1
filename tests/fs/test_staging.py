"""A bare content id as a name means verified bytes; every other name says what to do with it after a crash."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from p2psync.core.ids import EMPTY_CONTENT, ContentId, content_of
from p2psync.fs import staging as module
from p2psync.fs.clone import content_of_file
from p2psync.fs.staging import KEEP_FROM_BYTES, KEEP_PART_S, KEEP_WHOLE_S, Staging
from p2psync.fs.versions import Versions

A = content_of(b"a")


@pytest.fixture(name="staging")
def a_staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


@pytest.fixture(name="versions")
def some_versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "versions")


def names(staging: Staging) -> list[str]:
    return sorted(path.name for path in staging.root.iterdir())


def test_only_verified_bytes_get_a_name(staging: Staging) -> None:
    assert staging.stage_whole([(A, b"a"), (content_of(b"b"), b"evil")]) == [content_of(b"b")]
    assert names(staging) == [A.hex()]
    assert staging.path(A).read_bytes() == b"a"
    assert staging.stage_whole([(A, b"a")]) == [], "again is no harm"


def test_a_disk_that_fills_up_leaves_no_part(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> None:
        os.write(fd, data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_all", full)
    with pytest.raises(OSError, match="No space"):
        staging.stage_whole([(content_of(b"abc"), b"abc")])
    assert names(staging) == []


def test_a_copy_of_something_else_is_not_staged(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"b")
    assert not staging.stage_copy(tmp_path / "f", A)
    assert names(staging) == []
    (tmp_path / "f").write_bytes(b"a")
    assert staging.stage_copy(tmp_path / "f", A)
    assert staging.has(A)


def test_the_empty_content_needs_no_source(staging: Staging) -> None:
    staging.stage_empty()
    assert staging.path(EMPTY_CONTENT).read_bytes() == b""


def left_by_a_crash(staging: Staging, name: str, data: bytes) -> None:
    (staging.root / name).write_bytes(data)


def test_what_cannot_be_sorted_out_is_left_for_the_next_time(
    staging: Staging, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_by_a_crash(staging, "out-7-1", b"rotten")
    left_by_a_crash(staging, "out-7-2", b"fine")
    real = content_of_file

    def fail(path: Path) -> object:
        if path.name == "out-7-1":
            raise OSError(5, "Input/output error")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "content_of_file", fail)
        assert staging.recover(versions) == [content_of(b"fine")]
    assert names(staging) == ["out-7-1"]
    assert staging.recover(versions) == [content_of(b"rotten")]


@pytest.mark.parametrize("kind", ["put", "out", "late"])
@pytest.mark.parametrize("suffix", ["", ".out", ".aside"])
def test_a_users_bytes_become_a_version(staging: Staging, versions: Versions, kind: str, suffix: str) -> None:
    left_by_a_crash(staging, f"{kind}-12-3-{A.hex()}{suffix}", b"the user's")
    assert staging.recover(versions) == [content_of(b"the user's")]
    assert versions.has(content_of(b"the user's"))
    assert names(staging) == []


def test_what_is_still_watched_stays(staging: Staging, versions: Versions) -> None:
    left_by_a_crash(staging, "late-12-3", b"the user's")
    left_by_a_crash(staging, "watched", b"a list")
    assert staging.recover(versions, {"late-12-3", "watched"}) == []
    assert names(staging) == ["late-12-3", "watched"]


def test_another_process_gives_other_names(tmp_path: Path) -> None:
    first, second = Staging(tmp_path).fresh("late"), Staging(tmp_path).fresh("late")
    assert first != second


def test_garbage_goes(staging: Staging, versions: Versions) -> None:
    left_by_a_crash(staging, f"put-1-2-{A.hex()}", b"a")  # never exchanged
    left_by_a_crash(staging, "tmp-1-2", b"half a copy")
    left_by_a_crash(staging, A.hex(), b"a")  # small: fetched again
    left_by_a_crash(staging, "put-1-2.journal", b"x")
    assert staging.recover(versions) == []
    assert names(staging) == []


def test_what_was_expensive_to_fetch_stays_if_it_verifies(staging: Staging, versions: Versions) -> None:
    data = bytes(KEEP_FROM_BYTES)
    good, bad = content_of(data), ContentId(b"\1" * 32)
    left_by_a_crash(staging, good.hex(), data)
    left_by_a_crash(staging, bad.hex(), data)
    left_by_a_crash(staging, f"{A.hex()}.part", b"half")
    left_by_a_crash(staging, f"put-1-2-{content_of(data + b'x').hex()}", data + b"x")
    staging.recover(versions)
    assert names(staging) == sorted([good.hex(), f"{A.hex()}.part", content_of(data + b"x").hex()])


@pytest.mark.parametrize(
    ("age_s", "left"), [(0.0, {"whole", "part", "put"}), (KEEP_WHOLE_S, {"part", "put"}), (KEEP_PART_S, {"put"})]
)
def test_what_nobody_came_for_goes(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, age_s: float, left: set[str]
) -> None:
    files = {"whole": A.hex(), "part": f"{A.hex()}.part", "put": "put-1-2"}
    for name in files.values():
        left_by_a_crash(staging, name, b"a")
    (staging.root / "directory").mkdir()
    later = time.time() + age_s + 1
    monkeypatch.setattr(time, "time", lambda: later)
    staging.tidy()
    assert names(staging) == sorted([*(files[kind] for kind in left), "directory"])


def test_names_are_never_given_twice(staging: Staging) -> None:
    assert staging.fresh("out") != staging.fresh("out")
    assert staging.fresh("put", A).name.endswith(A.hex())

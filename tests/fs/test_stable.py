"""Reading files that stand still, and files that do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.core.chunking import MANIFEST_THRESHOLD_BYTES, Span
from p2psync.core.ids import EMPTY_CONTENT, ContentId, content_of
from p2psync.fs import stable
from p2psync.fs.clone import PIECE_BYTES
from p2psync.fs.stable import Stopped, TooLarge, read_stable
from tests.core.cutting import cut


class Writer:
    """Writes to a file whenever the reader asks whether it should go on."""

    def __init__(self, path: Path, times: int):
        self.path = path
        self.times = times
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        if self.asked <= self.times:
            with self.path.open("r+b") as file:
                file.write(b"%d" % self.asked)
            os.utime(self.path, ns=(0, self.asked))
        return False


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4096, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 17])
def test_a_file_is_hashed_with_its_first_and_last_bytes(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    reading = read_stable(tmp_path / "a")
    assert reading is not None
    assert (reading.content, reading.head, reading.tail) == (content_of(data), data[:64], data[-64:])
    assert reading.stat.st_size == size
    assert (size == 0) == (reading.content == EMPTY_CONTENT)


def test_a_file_that_travels_in_chunks_is_cut_in_the_same_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(3 * PIECE_BYTES + 17)
    assert cut_while_read(tmp_path, data) == (content_of(data), cut(data))
    small = data[:MANIFEST_THRESHOLD_BYTES]
    assert cut_while_read(tmp_path, small) == (content_of(small), [])
    monkeypatch.setattr(stable, "CUT_BYTES_MAX", len(data) - 1)
    assert cut_while_read(tmp_path, data) == (content_of(data), []), "a very large one only when it is asked for"


def test_it_is_told_how_a_file_is_cut_while_it_is_read(tmp_path: Path) -> None:
    data = os.urandom(3 * PIECE_BYTES + 17)
    (tmp_path / "a").write_bytes(data)
    told: list[list[Span]] = []
    reading = read_stable(tmp_path / "a", tell=lambda spans: told.append(list(spans)))
    assert reading is not None
    assert len(told) > 3
    assert [span for spans in told for span in spans] == reading.layout.spans == cut(data)


def cut_while_read(tmp_path: Path, data: bytes) -> tuple[ContentId, list[Span]]:
    (tmp_path / "a").write_bytes(data)
    reading = read_stable(tmp_path / "a")
    assert reading is not None
    return reading.content, list(reading.layout.spans)


def test_a_small_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0 and the rest")
    writer = Writer(path, 2)
    reading = read_stable(path, writer)
    assert reading is not None
    assert reading.content == content_of(b"2 and the rest")
    assert reading.stat.st_mtime_ns == 2


def test_a_file_that_keeps_changing_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0 and the rest")
    writer = Writer(path, 99)
    assert read_stable(path, writer) is None
    assert writer.asked == stable.READS_MAX


def test_a_big_file_that_changes_is_not_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(3 * PIECE_BYTES))
    writer = Writer(path, 1)
    assert read_stable(path, writer) is None
    assert writer.asked == 3


def test_a_file_that_grows_while_it_is_read_does_not_count_as_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(2 * PIECE_BYTES))
    mtime = path.stat().st_mtime_ns

    def grow() -> bool:
        with path.open("ab") as file:
            file.write(b"more")
        os.utime(path, ns=(mtime, mtime))
        return False

    assert read_stable(path, grow) is None


def test_reading_ends_when_nobody_wants_to_know(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    with pytest.raises(Stopped):
        read_stable(tmp_path / "a", lambda: True)


def test_no_more_is_read_than_was_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"text")
    assert read_stable(tmp_path / "a", limit=4) is not None
    closed: list[int] = []
    monkeypatch.setattr(os, "close", closed.append)
    with pytest.raises(TooLarge):
        read_stable(tmp_path / "a", limit=3)
    monkeypatch.undo()
    [descriptor] = closed
    os.close(descriptor)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link", "missing"):
        with pytest.raises(OSError, match=name):
            read_stable(tmp_path / name)

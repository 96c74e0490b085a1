"""A copy exists only if it holds what was wanted."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from p2psync.core.ids import EMPTY_CONTENT, content_of
from p2psync.fs import clone
from p2psync.fs.clone import PIECE_BYTES, SHARE_FROM_BYTES, content_of_file, copy_verified, pieces
from p2psync.fs.reading import open_shared


@pytest.mark.parametrize("size", [0, 1, SHARE_FROM_BYTES, PIECE_BYTES + 1])
def test_a_copy_holds_the_content(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "a").write_bytes(data)
    assert content_of_file(tmp_path / "a") == content_of(data)
    assert copy_verified(tmp_path / "a", tmp_path / "b", content_of(data))
    assert (tmp_path / "b").read_bytes() == data


@pytest.mark.parametrize("size", [0, 10, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1])
def test_a_file_that_grows_as_fast_as_it_is_read_is_not_read_for_ever(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(size))
    read = 0
    with open_shared(path) as reader, path.open("ab") as program:
        for piece in pieces(reader, size):
            read += len(piece)
            program.write(bytes(len(piece) + 1))
            program.flush()
            if read > 2 * PIECE_BYTES:
                break
    assert read in (size, size + 1), "what it had, and one byte that tells"
    assert not size or path.stat().st_size > size


@pytest.mark.parametrize("size", [3, SHARE_FROM_BYTES])
def test_other_content_leaves_nothing(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(bytes(size))
    assert not copy_verified(tmp_path / "a", tmp_path / "b", EMPTY_CONTENT)
    assert not (tmp_path / "b").exists()


def test_blocks_that_are_shared_are_verified_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that shares blocks the copy is made in one call, whatever the source holds by then."""
    data = bytes(SHARE_FROM_BYTES)

    def share(source: int, target: int) -> bool:
        (tmp_path / "b").write_bytes(data[:-1] + b"!")
        return True

    (tmp_path / "a").write_bytes(data)
    monkeypatch.setattr(clone, "_share_blocks", share)
    assert not copy_verified(tmp_path / "a", tmp_path / "b", content_of(data))
    assert not (tmp_path / "b").exists()


def test_a_failing_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr(clone, "write_all", full)
    with pytest.raises(OSError, match="No space"):
        copy_verified(tmp_path / "a", tmp_path / "b", content_of(b"x"))
    assert not (tmp_path / "b").exists()


def test_a_taken_name_is_left(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    with pytest.raises(FileExistsError):
        copy_verified(tmp_path / "a", tmp_path / "b", content_of(b"a"))
    assert (tmp_path / "b").read_bytes() == b"b"


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 17])
def test_pieces_are_read_to_where_there_is_room(tmp_path: Path, size: int) -> None:
    data = Random(1).randbytes(size)
    (tmp_path / "a").write_bytes(data)
    place = bytearray(size + 1)
    found = b""

    def room(count: int) -> memoryview:
        return memoryview(place)[len(found) : len(found) + count]

    with open_shared(tmp_path / "a") as reader:
        for piece in pieces(reader, size, room):
            found += piece
    assert found == place[:size] == data

"""A big file grows from verified chunks in any order, survives a restart, and gets its name only when whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from io import FileIO
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2psync.core.chunking import Span
from p2psync.core.difference import Taken
from p2psync.core.ids import ContentId
from p2psync.fs import assembly as module
from p2psync.fs.assembly import Assembly, Source, check_room
from p2psync.fs.staging import Staging
from p2psync.fs.writeback import Writeback
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX
from tests.core.cutting import manifest_of

DATA = Random(1).randbytes(3 << 20)


MANIFEST = manifest_of(DATA)
SPANS = MANIFEST.spans()
COUNT = len(SPANS)


def chunk(index: int) -> bytes:
    return DATA[SPANS[index].offset : SPANS[index].offset + SPANS[index].size]


@pytest.fixture(name="staging")
def a_staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


def test_chunks_in_any_order_make_the_file(staging: Staging) -> None:
    assembly = Assembly(staging, MANIFEST)
    order = Random(2).sample(range(COUNT), COUNT)
    for start in range(0, COUNT, 7):
        indexes = order[start : start + 7]
        assert assembly.write(indexes, [chunk(index) for index in indexes]) == []
    assert assembly.missing == []
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA
    assert not staging.part(MANIFEST.content).exists()


def test_wrong_chunks_are_named_and_not_written(staging: Staging) -> None:
    assembly = Assembly(staging, MANIFEST)
    assert assembly.write([0, 1, COUNT], [chunk(0), b"evil", b"beyond"]) == [1, COUNT]
    assert assembly.missing == list(range(1, COUNT))
    assert assembly.held() == bytes([1]) + bytes((COUNT - 1) // 8)
    assembly.close(keep=False)
    assert list(staging.root.iterdir()) == []


def test_a_file_that_does_not_fit_takes_no_room_from_others(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    def a_disk_with(free: int) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    a_disk_with(MANIFEST.size + module.ROOM_LEFT_BYTES)
    first = Assembly(staging, MANIFEST)
    first.write([0], [chunk(0)])
    first.close(keep=True)
    a_disk_with(MANIFEST.size - SPANS[0].size + module.ROOM_LEFT_BYTES)
    Assembly(staging, MANIFEST).close(keep=True)
    a_disk_with(MANIFEST.size - SPANS[0].size + module.ROOM_LEFT_BYTES - 1)
    with pytest.raises(OSError, match="space"):
        Assembly(staging, MANIFEST)
    assert list(staging.root.iterdir()) == []


def test_room_is_looked_for_before_anything_is_asked(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    room = (1 << 30) - module.ROOM_LEFT_BYTES
    check_room(staging, MANIFEST.content, room)
    with pytest.raises(OSError, match="No space left"):
        check_room(staging, MANIFEST.content, room + 1)
    staging.part(MANIFEST.content).write_bytes(bytes(8192))
    check_room(staging, MANIFEST.content, room + 8192)


def test_a_restart_takes_up_what_still_verifies(staging: Staging) -> None:
    first = Assembly(staging, MANIFEST)
    first.write([0, 5, COUNT - 1], [chunk(0), chunk(5), chunk(COUNT - 1)])
    first.close(keep=True)
    with staging.part(MANIFEST.content).open("r+b") as part:
        part.seek(SPANS[5].offset)
        part.write(b"torn by the power cut")
    second = Assembly(staging, MANIFEST)
    assert set(range(COUNT)) - set(second.missing) == {0, COUNT - 1}
    rest = second.missing
    second.write(rest, [chunk(index) for index in rest])
    assert second.finish()


def test_a_manifest_of_something_else_ends_with_nothing(staging: Staging) -> None:
    lie = replace(MANIFEST, content=ContentId(b"\1" * 32))
    assembly = Assembly(staging, lie)
    assembly.write(range(COUNT), [chunk(index) for index in range(COUNT)])
    assert not assembly.finish()
    assert list(staging.root.iterdir()) == []


def test_what_lies_elsewhere_on_this_disk_is_copied_and_verified(staging: Staging, tmp_path: Path) -> None:
    """Meanwhile the rest can be asked for; what was not there after all is asked for in the end."""
    (tmp_path / "old").write_bytes(b"shifted" + DATA)
    (tmp_path / "changed").write_bytes(bytes(len(DATA)))
    sources = {span.hash: (tmp_path / "old", span.offset + 7) for span in SPANS}
    sources[SPANS[0].hash] = (tmp_path / "changed", 0)
    sources[SPANS[1].hash] = (tmp_path / "gone", 0)
    del sources[SPANS[2].hash]
    assembly = Assembly(staging, MANIFEST)
    assembly.reuse(lambda hashes: sources)
    assert [piece.chunks for piece in assembly.pieces()] == [(2,)]
    assembly.write([2], [chunk(2)])
    assembly.copy()
    assert assembly.missing == [1]
    assert assembly.finish() is None
    assert assembly.missing == [0, 1]
    assert [piece.chunks for piece in assembly.pieces()] == [(0, 1)]
    assembly.write([0, 1], [chunk(0), chunk(1)])
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA


@pytest.mark.parametrize("bytes_max", [1, 1 << 16, 1 << 30])
def test_what_a_version_before_has_is_copied_in_long_stretches(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_max: int
) -> None:
    """The middle of this file was its beginning, and what came after that is new; one chunk is here already."""
    monkeypatch.setattr(module, "STRETCH_BYTES_MAX", bytes_max)
    first, end, present = 3, COUNT - 2, 6
    shift = SPANS[first].offset
    old = tmp_path / "old"
    old.write_bytes(DATA[shift : SPANS[end].offset])
    before = [Span(span.hash, span.offset - shift, span.size) for span in SPANS[first:end]]
    assembly = Assembly(staging, MANIFEST)
    assembly.write([present], [chunk(present)])
    assembly.reuse_version(old, before, [Taken(first, 0, end - first)])
    stretches = [stretch for _, stretch in assembly._elsewhere]
    assert [index for stretch in stretches for index in stretch] == [*range(first, present), *range(present + 1, end)]
    assert all(len(stretch) == 1 or assembly._size(stretch) <= bytes_max for stretch in stretches)
    assert len(stretches) <= 2 or bytes_max < 1 << 30
    rest = [index for piece in assembly.pieces() for index in piece.chunks]
    assert rest == [*range(first), *range(end, COUNT)]
    assembly.copy()
    assert assembly.missing == rest
    assembly.write(rest, [chunk(index) for index in rest])
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA


def test_another_thread_hashes_while_much_is_copied(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was missing in between comes from elsewhere meanwhile, or when all else is there."""
    monkeypatch.setattr(module, "FOLLOW_FROM_BYTES", 1)
    monkeypatch.setattr(module, "STRETCH_BYTES_MAX", 1 << 16)
    hashing: set[str] = set()
    real = module._read_into

    def read_into(file: FileIO, buffer: memoryview) -> bool:
        hashing.add(threading.current_thread().name.partition("_")[0])
        if file.tell() == SPANS[COUNT // 2].offset and threading.current_thread() is threading.main_thread():
            assembly.write([3], [chunk(3)])
        return real(file, buffer)

    monkeypatch.setattr(module, "_read_into", read_into)
    (tmp_path / "old").write_bytes(DATA)
    sources = {span.hash: (tmp_path / "old", span.offset) for span in SPANS if span not in (SPANS[3], SPANS[-5])}
    sources.pop(SPANS[COUNT // 2 - 1].hash)
    assembly = Assembly(staging, MANIFEST)
    assembly.reuse(lambda hashes: sources)
    assembly.copy()
    assert hashing == {"MainThread", "follow"}
    assert assembly.missing == [COUNT // 2 - 1, COUNT - 5]
    assert assembly._hashed_chunks == COUNT // 2 - 1
    assembly.write(assembly.missing, [chunk(index) for index in assembly.missing])
    assert assembly._hashed_chunks == COUNT
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA


def test_what_was_copied_wrong_is_found_by_who_hashes_meanwhile(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLLOW_FROM_BYTES", 1)
    (tmp_path / "old").write_bytes(DATA[:-1] + b"!")
    assembly = Assembly(staging, MANIFEST)
    assembly.reuse(lambda hashes: {span.hash: (tmp_path / "old", span.offset) for span in SPANS})
    assembly.copy()
    assert assembly.missing == []
    assert assembly.finish() is None
    assert assembly.missing == [COUNT - 1]
    assembly.write([COUNT - 1], [chunk(COUNT - 1)])
    assert assembly.finish()


def test_a_disk_that_cannot_be_read_back_is_told_of(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLLOW_FROM_BYTES", 1)
    real = module._read_into

    def read_into(file: FileIO, buffer: memoryview) -> bool:
        return threading.current_thread() is threading.main_thread() and real(file, buffer)

    monkeypatch.setattr(module, "_read_into", read_into)
    (tmp_path / "old").write_bytes(DATA)
    assembly = Assembly(staging, MANIFEST)
    assembly.reuse(lambda hashes: {span.hash: (tmp_path / "old", span.offset) for span in SPANS})
    with pytest.raises(OSError, match="Input/output"):
        assembly.copy()
    monkeypatch.undo()
    assert assembly.finish(), "the next attempt hashes it itself"


def test_what_was_left_meanwhile_is_not_copied_to(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(DATA)
    assembly = Assembly(staging, MANIFEST)
    assembly.reuse(lambda hashes: {span.hash: (tmp_path / "old", span.offset) for span in SPANS})
    assembly.close(keep=True)
    assembly.copy()
    assert staging.part(MANIFEST.content).stat().st_blocks == 0


def test_what_lies_behind_each_other_is_read_together(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One chunk in the middle has changed, and the file ends early."""
    damaged = bytearray(DATA[: SPANS[8].offset + 1])
    damaged[SPANS[3].offset] ^= 1
    old = tmp_path / "old"
    old.write_bytes(b"head" + damaged)
    reads: list[tuple[int, int]] = []
    real = module._Readers.read

    def read(self: object, source: Source, size: int) -> memoryview | None:
        reads.append((source[1], size))
        return real(self, source, size)  # type: ignore[arg-type]

    monkeypatch.setattr(module._Readers, "read", read)
    monkeypatch.setattr(module, "STRETCH_BYTES_MAX", SPANS[6].offset)
    assembly = Assembly(staging, MANIFEST)
    sources = {span.hash: (old, span.offset + 4) for span in SPANS[:9]}
    assembly.reuse(lambda hashes: sources)
    assembly.copy()
    assert assembly.missing[:4] == [6, 7, 8, 9]
    assert reads == [(4, SPANS[6].offset), (SPANS[6].offset + 4, SPANS[9].offset - SPANS[6].offset)]
    assert assembly.finish() is None
    assert assembly.missing[:3] == [3, 6, 7]
    assembly.close(keep=False)


def test_a_part_can_be_given_to_others(staging: Staging) -> None:
    assembly = Assembly(staging, MANIFEST)
    assembly.write([3], [chunk(3)])
    assert [assembly.read(index) for index in (3, 4, -1, COUNT)] == [chunk(3), None, None, None]
    assembly.close(keep=False)
    assert assembly.read(3) is None
    assert assembly.write([4], [chunk(4)]) == [], "it was left meanwhile"


def test_pieces_name_each_missing_chunk_once_and_fit_a_response(staging: Staging) -> None:
    assembly = Assembly(staging, MANIFEST)
    assembly.write([2], [chunk(2)])
    pieces = assembly.pieces()
    assert [index for piece in pieces for index in piece.chunks] == assembly.missing
    assert all(piece.size == sum(SPANS[index].size for index in piece.chunks) for piece in pieces)
    assert all(piece.size <= RESPONSE_DATA_BYTES_MAX for piece in pieces)
    assert len(pieces) <= 2 * MANIFEST.size // RESPONSE_DATA_BYTES_MAX
    assembly.close(keep=False)


def test_bulk_is_written_back_early(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(Writeback, "wrote", lambda self, fd, size: written.append(size))
    assembly = Assembly(staging, MANIFEST)
    for index in range(COUNT):
        assembly.write([index], [chunk(index)])
    assert sum(written) == MANIFEST.size
    assembly.close(keep=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.integers(0, 1 << 32))
def test_any_course_ends_whole(staging: Staging, seed: int) -> None:
    """Chunks come several times, wrong, and across restarts."""
    random = Random(seed)
    assembly = Assembly(staging, MANIFEST)
    for _ in range(random.randrange(20)):
        if random.random() < 0.3:
            assembly.close(keep=True)
            assembly = Assembly(staging, MANIFEST)
        indexes = random.sample(range(COUNT), random.randrange(1, 20))
        wrong = {index for index in indexes if random.random() < 0.2}
        sent = [b"wrong" if index in wrong else chunk(index) for index in indexes]
        assert set(assembly.write(indexes, sent)) == wrong
    rest = assembly.missing
    assembly.write(rest, [chunk(index) for index in rest])
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA
    staging.path(MANIFEST.content).unlink()


def test_what_was_begun_for_files_of_one_class_does_not_help_another(staging: Staging) -> None:
    """A member that may not read the one must not learn from what is asked for that a content is here already."""
    begun = Assembly(staging, MANIFEST, "restricted")
    assert begun.write([0], [DATA[: begun.spans[0].size]]) == []
    begun.close(keep=True)
    for file_class, count in (("", 0), ("another", 0), ("restricted", 1)):
        again = Assembly(staging, MANIFEST, file_class)
        assert len(again.spans) - len(again.missing) == count
        again.close(keep=True)

"""Bytes are found wherever they lie on this disk, and given only when they are what was asked for."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path
from random import Random

import pytest

from p2psync.core.chunking import Layout, Manifest, decode_manifest
from p2psync.core.ids import EMPTY_CONTENT, ContentId, MandateId, content_of
from p2psync.core.relpath import RelPath
from p2psync.fs import contents as module
from p2psync.fs.assembly import Assembly
from p2psync.fs.clone import copy_verified
from p2psync.fs.contents import Contents
from p2psync.fs.cut_memory import Cut
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from p2psync.store.cuts import CutFile, Cuts
from p2psync.wire.messages import HOLDS_ALL
from tests.core.cutting import cut
from tests.fs.disk import Places

A = content_of(b"a")
BIG = Random(1).randbytes(2 << 20)
BIG_ID = content_of(BIG)


class Mandate:
    def __init__(self, root: Path) -> None:
        self.cut_file = CutFile(root / ".p2psync" / "cuts.db")
        self.places = Places(root)
        self.staging = Staging(self.places.staging)
        self.versions = Versions(self.places.versions)
        self.base: dict[ContentId, list[RelPath]] = {}
        self.contents = Contents(
            self.places,
            self.staging,
            self.versions,
            lambda contents: {c: self.base[c] for c in contents if c in self.base},
            Cuts(self.cut_file, MandateId(bytes(16))),
        )

    def save(self, path: str, data: bytes) -> Path:
        """A file that the database knows."""
        self.places.path(RelPath(path)).write_bytes(data)
        self.base.setdefault(content_of(data), []).append(RelPath(path))
        return self.places.path(RelPath(path))

    def find(self, path: str, asked: Set[bytes], apart: Collection[ContentId] = ()) -> Mapping[bytes, tuple[Path, int]]:
        return self.contents.find_chunks(RelPath(path), asked, lambda contents: {*contents} - {*apart})


@pytest.fixture(name="m")
def a_mandate(tmp_path: Path) -> Iterator[Mandate]:
    made = Mandate(tmp_path)
    yield made
    made.cut_file.close()


def test_it_is_known_whether_chunks_are_in_another_file_here(m: Mandate) -> None:
    spans = cut(BIG)
    assert not m.contents.resembles_another(spans)
    m.contents.note_cut(BIG_ID, Layout(spans))
    assert m.contents.resembles_another(spans[:30])
    assert not any(m.contents.resembles_another([span]) for span in spans), "a block of zeros is in very many files"
    assert not m.contents.resembles_another(cut(Random(2).randbytes(2 << 20)))


def in_staging(m: Mandate) -> None:
    m.staging.stage_whole([(A, b"a")])


def in_versions(m: Mandate) -> None:
    in_staging(m)
    m.versions.adopt(m.staging.path(A), A)


def in_base(m: Mandate) -> None:
    m.save("a", b"a")


def placed_lately(m: Mandate) -> None:
    m.places.path(RelPath("a")).write_bytes(b"a")
    m.contents.remember([(A, RelPath("a"))])


@pytest.mark.parametrize("put", [in_staging, in_versions, in_base, placed_lately])
def test_wherever_it_lies_it_is_found(m: Mandate, put: object) -> None:
    assert callable(put)
    put(m)
    assert m.contents.read(A, 10) == b"a"
    target = m.places.root / "copy"
    assert m.contents.copy_to(A, target)
    assert target.read_bytes() == b"a"
    assert m.contents.stage_from_local(A)
    assert m.staging.path(A).read_bytes() == b"a"


def test_a_changed_file_just_is_not_here(m: Mandate) -> None:
    m.save("a", b"a").write_bytes(b"b")
    assert m.contents.read(A, 10) is None
    assert not m.contents.copy_to(A, m.places.root / "copy")
    assert not (m.places.root / "copy").exists()
    assert not m.contents.stage_from_local(A)
    m.save("second", b"a")
    assert m.contents.read(A, 10) == b"a", "another path still holds it"


def test_what_is_too_long_is_not_read(m: Mandate) -> None:
    m.save("f", b"12345")
    assert m.contents.read(content_of(b"12345"), 5) == b"12345"
    assert m.contents.read(content_of(b"12345"), 4) is None


def test_several_are_answered_up_to_a_limit(m: Mandate) -> None:
    data = [b"12345", b"gone", b"678", b"90"]
    for path, one in zip("abcd", data, strict=True):
        m.save(path, one)
    m.places.path(RelPath("b")).unlink()
    ids = [content_of(one) for one in data]
    assert m.contents.read_several(ids, 8) == [b"12345", None, b"678"]
    assert m.contents.read_several(ids[:1], 5) == [b"12345"]
    assert m.contents.read_several(ids, 4) == [None, None, b"678"], "what never fits is not here"


def test_the_empty_content_is_always_here(m: Mandate) -> None:
    assert m.contents.stage_from_local(EMPTY_CONTENT)
    assert m.staging.has(EMPTY_CONTENT)


def test_what_is_held_is_kept_whatever_is_saved_next(m: Mandate, monkeypatch: pytest.MonkeyPatch) -> None:
    path = m.save("a", b"a")
    assert m.contents.hold(A, RelPath("a"))
    path.write_bytes(b"next")
    assert m.contents.hold(A, RelPath("a")), "it was already"
    assert m.contents.keep(A, RelPath("a"))
    assert m.contents.hold(A, RelPath("a")), "it is a version"
    assert not m.staging.has(A)
    assert not m.contents.hold(content_of(b"before"), RelPath("a"))
    path.unlink()
    assert not m.contents.hold(content_of(b"next"), RelPath("a"))

    def full(self: Staging, source: Path, content: ContentId) -> bool:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Staging, "stage_copy", full)
    assert m.contents.hold(content_of(b"next"), RelPath("a")), "whoever keeps it says why that fails"


@pytest.mark.parametrize("put", [in_staging, in_base])
def test_keeping_makes_a_version(m: Mandate, put: object) -> None:
    assert callable(put)
    put(m)
    assert m.contents.keep(A, RelPath("a"))
    assert m.versions.path(A).read_bytes() == b"a"
    assert not m.staging.has(A)
    assert m.contents.keep(A, RelPath("a"))


def test_what_is_gone_cannot_be_kept(m: Mandate) -> None:
    assert not m.contents.keep(A, RelPath("a"))
    m.save("a", b"a").write_bytes(b"edited since")
    assert not m.contents.keep(A, RelPath("a"))


@pytest.mark.parametrize(("number", "raises"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_source_that_cannot_be_read_is_not_here_but_a_full_disk_is_an_error(
    m: Mandate, monkeypatch: pytest.MonkeyPatch, number: int, raises: bool
) -> None:
    def fail(self: Staging, source: Path, content: ContentId) -> bool:
        raise OSError(number, "failed")

    m.save("a", b"a")
    monkeypatch.setattr(Staging, "stage_copy", fail)
    if raises:
        with pytest.raises(OSError, match="failed"):
            m.contents.stage_from_local(A)
    else:
        assert not m.contents.stage_from_local(A)


def test_a_copy_that_fails_says_why_unless_the_bytes_are_elsewhere(m: Mandate, monkeypatch: pytest.MonkeyPatch) -> None:
    m.save("a", b"a")
    with pytest.raises(FileNotFoundError):
        m.contents.copy_to(A, m.places.root / "none" / "copy")
    failures = [OSError(errno.EIO, "rotten")]

    def fail_once(source: Path, target: Path, content: ContentId) -> bool:
        if failures:
            raise failures.pop()
        return copy_verified(source, target, content)

    m.save("second", b"a")
    monkeypatch.setattr(module, "copy_verified", fail_once)
    assert m.contents.copy_to(A, m.places.root / "copy")


# -- chunks ---------------------------------------------------------------------------------------------------------


def test_a_manifest_is_cut_once_and_travels_in_parts(m: Mandate, monkeypatch: pytest.MonkeyPatch) -> None:
    m.save("big", BIG)
    parts = m.contents.manifest_parts(BIG_ID)
    assert parts is not None
    assert decode_manifest(b"".join(parts)) == m.contents.manifest(BIG_ID)
    monkeypatch.setattr(module, "_cut_file", None)
    assert m.contents.manifest_parts(BIG_ID) == parts


def test_no_manifest_of_what_is_not_here(m: Mandate) -> None:
    m.save("big", BIG).write_bytes(BIG[:-1])
    assert m.contents.manifest(BIG_ID) is None
    assert m.contents.manifest_parts(BIG_ID) is None
    assert m.contents.read_chunks(BIG_ID, (0, 1), 100) == [None, None]


def test_a_manifest_that_is_given_saves_reading(m: Mandate, monkeypatch: pytest.MonkeyPatch) -> None:
    m.save("big", BIG)
    manifest = m.contents.manifest(BIG_ID)
    assert manifest is not None
    other = Mandate(m.places.root)
    monkeypatch.setattr(module, "_cut_file", None)
    other.contents.cuts.add(Cut(manifest, manifest.spans()))
    assert other.contents.manifest(BIG_ID) == manifest


def test_old_manifests_are_forgotten_first(m: Mandate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.fs.cut_memory.CHUNKS_CACHED_MAX", 1)
    m.save("big", BIG)
    m.save("other", BIG[1:])
    m.contents.manifest(BIG_ID)
    assert m.contents.manifest(content_of(BIG[1:])) is not None
    m.places.path(RelPath("big")).unlink()
    assert m.contents.manifest(BIG_ID) is None


def test_chunks_are_verified_and_limited(m: Mandate) -> None:
    path = m.save("big", BIG)
    manifest = m.contents.manifest(BIG_ID)
    assert manifest is not None
    spans = manifest.spans()
    chunks = [BIG[span.offset : span.offset + span.size] for span in spans]
    assert m.contents.read_chunks(BIG_ID, (3, 1), 1 << 20) == [chunks[3], chunks[1]]
    assert m.contents.read_chunks(BIG_ID, (3, 1, 2), spans[3].size + spans[1].size) == [chunks[3], chunks[1]]
    assert m.contents.read_chunks(BIG_ID, (3, 1), 1) == [chunks[3]], "at least one"
    assert m.contents.read_chunks(BIG_ID, (len(chunks), 0, -1), 1 << 20) == [None, chunks[0], None]
    with path.open("r+b") as program:
        program.seek(spans[1].offset)
        program.write(b"overwritten in place")
    assert m.contents.read_chunks(BIG_ID, (0, 1, 2), 1 << 20) == [chunks[0], None, chunks[2]]
    m.save("copy", BIG)
    assert m.contents.read_chunks(BIG_ID, (0, 1, 2), 1 << 20) == chunks[:3]


def test_what_is_under_way_can_be_given_already(m: Mandate, tmp_path: Path) -> None:
    other = Mandate(tmp_path / "other")
    other.save("big", BIG)
    manifest = other.contents.manifest(BIG_ID)
    assert manifest is not None
    span = manifest.spans()[2]
    assembly = Assembly(m.staging, manifest)
    assembly.write([2], [BIG[span.offset : span.offset + span.size]])
    m.contents.under_way(assembly)
    assert m.contents.manifest(BIG_ID) == manifest
    assert m.contents.read_chunks(BIG_ID, (1, 2), 1 << 20) == [None, BIG[span.offset : span.offset + span.size]]
    assert (other.contents.holding(BIG_ID), m.contents.holding(BIG_ID)) == (HOLDS_ALL, assembly.held())
    assembly.close(keep=False)
    m.contents.not_under_way(BIG_ID)
    assert m.contents.manifest(BIG_ID) is None
    assert m.contents.holding(BIG_ID) is None


def test_what_an_old_version_at_a_path_is_made_of(m: Mandate) -> None:
    path = m.save("big", BIG)
    assert m.find("big", hashes(BIG)) == {span.hash: (path, span.offset) for span in cut(BIG)}
    assert m.find("gone", hashes(bytes(100_000))) == {}


def test_chunks_are_found_in_files_at_other_paths_once_it_is_known_how_those_were_cut(m: Mandate) -> None:
    path = m.save("big", BIG)
    assert m.find("copy", hashes(BIG)) == {}
    m.contents.manifest(BIG_ID)
    edited = BIG[: 1 << 20] + b"inserted" + BIG[1 << 20 :]
    found = m.find("copy", hashes(edited))
    assert 0 < len(hashes(edited) - found.keys()) <= 3
    assert found == {span.hash: (path, span.offset) for span in cut(BIG) if span.hash in hashes(edited)}


def test_chunks_of_what_was_put_together_are_found_too(m: Mandate) -> None:
    assembly = Assembly(m.staging, Manifest.of(BIG_ID, cut(BIG)))
    m.contents.under_way(assembly)
    assembly.write(assembly.missing, [BIG[span.offset : span.offset + span.size] for span in assembly.spans])
    assert assembly.finish()
    m.contents.not_under_way(BIG_ID)
    assert m.find("copy", hashes(BIG)).keys() == hashes(BIG)


def test_chunks_are_found_in_a_file_that_is_read_anew_while_they_are_looked_for(m: Mandate) -> None:
    path = m.save("big", BIG)
    m.contents.manifest(BIG_ID)
    changed = Random(2).randbytes(1 << 20) + BIG[1 << 20 :]

    class JustScanned(dict[ContentId, list[RelPath]]):
        def __contains__(self, content: object) -> bool:
            if m.base is self:
                m.base = {}
                m.save("big", changed)
                m.contents.note_cut(content_of(changed), Layout(cut(changed)))
            return content in m.base

    m.base = JustScanned()
    found = m.find("copy", hashes(BIG))
    assert found == {span.hash: (path, span.offset) for span in cut(changed) if span.hash in hashes(BIG)}
    assert found


def test_what_was_cut_while_it_was_read_is_not_cut_again_soon(m: Mandate, monkeypatch: pytest.MonkeyPatch) -> None:
    m.save("big", BIG)
    m.contents.note_cut(BIG_ID, Layout(cut(BIG)))
    assert m.find("copy", hashes(BIG)).keys() == hashes(BIG)
    with monkeypatch.context() as patched:
        patched.setattr(module, "_cut_file", None)
        assert m.contents.manifest(BIG_ID) == Manifest.of(BIG_ID, cut(BIG))
        m.contents.let_go()
        assert m.contents.manifest(BIG_ID) is not None, "what was asked for is kept"
    other = m.save("other", BIG[::-1])
    m.contents.note_cut(content_of(BIG[::-1]), Layout(cut(BIG[::-1])))
    m.contents.let_go()
    other.unlink()
    assert m.contents.manifest(content_of(BIG[::-1])) is None


def test_a_version_before_lies_where_it_stands(m: Mandate) -> None:
    assert m.contents.file_of(BIG_ID) is None
    path = m.save("big", BIG)
    assert m.contents.file_of(BIG_ID) == Path(path)
    path.unlink()
    assert m.contents.file_of(BIG_ID) is None


def test_nothing_is_looked_up_for_what_was_placed_there_just_now(m: Mandate, monkeypatch: pytest.MonkeyPatch) -> None:
    m.save("big", BIG)
    m.contents.manifest(BIG_ID)
    m.contents.remember([(BIG_ID, RelPath("big"))])
    monkeypatch.setattr(m.contents.cuts, "save", None)
    assert m.find("big", hashes(BIG)).keys() == hashes(BIG)


def test_what_is_handed_over_is_given_once_if_it_is_what_it_should_be(m: Mandate) -> None:
    m.contents.hand_over({A: b"a", content_of(b"b"): b"other"})
    wanted = [A, content_of(b"b"), content_of(b"c")]
    assert m.contents.take_given(wanted) == {A: b"a"}
    assert m.contents.take_given(wanted) == {}


def test_what_was_read_just_now_is_at_hand_for_a_moment(m: Mandate) -> None:
    m.contents.note_bytes(A, b"a")
    assert m.contents.read_lately([A, content_of(b"b")]) is None
    assert m.contents.read_lately([A]) == [b"a"]
    m.contents.note_bytes(A, b"a")
    m.contents.hand_over({A: b"a"})
    m.contents.let_go()
    assert m.contents.read_lately([A]) is None
    assert m.contents.take_given([A]) == {}


def test_what_is_not_wanted_after_all_does_not_stay(m: Mandate) -> None:
    m.staging.stage_whole([(A, b"a")])
    m.contents.unstage(A)
    m.contents.unstage(A)
    assert not m.staging.has(A)


def test_chunks_are_found_in_what_was_placed_lately_and_in_versions(m: Mandate) -> None:
    path = m.save("big", BIG)
    m.contents.manifest(BIG_ID)
    m.base.clear()
    m.contents.remember([(BIG_ID, RelPath("big"))])
    assert {file for file, _offset in m.find("copy", hashes(BIG)).values()} == {path}
    kept = m.versions.adopt(path, BIG_ID)
    assert {file for file, _offset in m.find("copy", hashes(BIG)).values()} == {kept}
    assert m.find("copy", hashes(BIG), apart=[BIG_ID]) == {}


def test_what_is_nowhere_is_forgotten(m: Mandate) -> None:
    m.save("big", BIG)
    m.contents.manifest(BIG_ID)
    m.places.path(RelPath("big")).unlink()
    assert m.find("copy", hashes(BIG)) == {}
    m.save("big", BIG)
    assert m.find("copy", hashes(BIG)) == {}


def test_the_file_at_the_path_is_not_read_where_it_is_known_how_it_was_cut(
    m: Mandate, monkeypatch: pytest.MonkeyPatch
) -> None:
    m.save("big", BIG)
    assert m.find("big", hashes(BIG)).keys() == hashes(BIG)
    monkeypatch.setattr(module, "_cut_file", None)
    assert m.find("big", hashes(BIG)).keys() == hashes(BIG)


def hashes(data: bytes) -> set[bytes]:
    return {span.hash for span in cut(data)}

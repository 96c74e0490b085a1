"""Chunks are found in few files, only where they may be taken from, and a lie never gives wrong bytes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.chunking import ChunkRef, Manifest, Span
from p2psync.core.ids import ContentId, content_of
from p2psync.fs import reuse as module
from p2psync.fs.assembly import Assembly
from p2psync.fs.reuse import NoCuts, Reuse
from p2psync.fs.staging import Staging

A, B, C = (content_of(name) for name in (b"a", b"b", b"c"))
HERE = Path("here")


class Told:
    """`Cuts` that say what they were told to say: hashes by content, each at an offset."""

    def __init__(self, cuts: Mapping[ContentId, Mapping[bytes, int]], hooks: int = 2) -> None:
        self.cuts = dict(cuts)
        self.hooks = hooks
        self.dropped: list[ContentId] = []
        self.looked_at: list[ContentId] = []

    def put(self, content: ContentId, spans: Sequence[Span]) -> None:
        raise AssertionError("nothing was cut")

    def alike(self, hashes: Collection[bytes]) -> Mapping[ContentId, set[bytes]]:
        shared = {content: sorted(set(cut) & set(hashes)) for content, cut in self.cuts.items()}
        return {content: set(some[:: self.hooks]) for content, some in shared.items() if some}

    def offsets(self, content: ContentId, hashes: Collection[bytes]) -> Mapping[bytes, int]:
        self.looked_at.append(content)
        return {digest: offset for digest, offset in self.cuts[content].items() if digest in hashes}

    def drop(self, contents: Collection[ContentId]) -> None:
        self.dropped += contents


def all_of_them(contents: Sequence[ContentId]) -> Set[ContentId]:
    return set(contents)


def digests(first: int, end: int) -> list[bytes]:
    return [bytes([n]) * 32 for n in range(first, end)]


def cut(first: int, end: int) -> dict[bytes, int]:
    return {digest: index * 10 for index, digest in enumerate(digests(first, end))}


def reuse(told: Told, **files: ContentId) -> Reuse:
    """Files named so hold these contents."""

    def files_with(contents: Sequence[ContentId]) -> Mapping[ContentId, Sequence[Path]]:
        found: dict[ContentId, list[Path]] = {}
        for name, content in files.items():
            if content in contents:
                found.setdefault(content, []).append(Path(name))
        return found

    return Reuse(told, files_with)


def test_the_files_that_share_most_are_taken_and_no_more_than_needed() -> None:
    told = Told({A: cut(0, 10), B: cut(0, 40), C: cut(38, 50)})
    found = reuse(told, a=A, b=B, c=C).find(digests(0, 60), HERE, all_of_them)
    assert found == {
        **{digest: (Path("b"), offset) for digest, offset in cut(0, 40).items()},
        **{digest: (Path("c"), 20 + offset) for digest, offset in cut(40, 50).items()},
    }
    assert told.looked_at == [B, C]


def test_what_stands_at_the_path_comes_first() -> None:
    told = Told({A: cut(0, 40), B: cut(0, 30)})
    found = reuse(told, a=A, other=B, here=B).find(digests(0, 40), HERE, all_of_them)
    assert told.looked_at == [B, A]
    assert found[digests(0, 1)[0]] == (HERE, 0)


def test_only_contents_that_may_be_reused() -> None:
    told = Told({A: cut(0, 40), B: cut(0, 10)})
    found = reuse(told, a=A, b=B).find(digests(0, 40), HERE, lambda contents: {*contents} - {A})
    assert found == {digest: (Path("b"), offset) for digest, offset in cut(0, 10).items()}
    assert told.looked_at == [B]
    assert told.dropped == [], "the other is here all the same"


def test_what_is_nowhere_is_forgotten() -> None:
    told = Told({A: cut(0, 40), B: cut(0, 10)})
    reuse(told, b=B).find(digests(0, 40), HERE, all_of_them)
    assert told.dropped == [A]


def test_the_number_of_files_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    several = {content_of(bytes([n])): cut(n, n + 1) for n in range(20)}
    told = Told(several)
    one = reuse(told, **{f"f{n}": content for n, content in enumerate(several)})
    monkeypatch.setattr(module, "SOURCES_MAX", 7)
    assert len(one.find(digests(0, 20), HERE, all_of_them)) == 7
    monkeypatch.setattr(module, "CANDIDATES_MAX", 3)
    assert len(one.find(digests(0, 20), HERE, all_of_them)) == 3


def test_nothing_is_remembered_without_a_memory() -> None:
    nothing = NoCuts()
    nothing.put(A, [])
    nothing.drop([A])
    assert Reuse(nothing, lambda contents: {}).find(digests(0, 9), HERE, all_of_them) == {}
    assert nothing.offsets(A, digests(0, 9)) == {}


CHUNKS = [bytes([n]) * 4096 for n in range(6)]
HASHES = [content_of(chunk) for chunk in CHUNKS]


@settings(deadline=None)
@given(
    files=st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=1, max_size=4),
    lies=st.lists(st.dictionaries(st.sampled_from(HASHES), st.integers(-5000, 50_000), max_size=6), max_size=4),
    wanted=st.lists(st.integers(0, 5), min_size=1, max_size=8),
)
def test_rows_that_lie_never_give_wrong_bytes(
    files: list[list[int]], lies: list[dict[bytes, int]], wanted: list[int]
) -> None:
    """Each file is said to have chunks that it does not have, where it does not have them, or beyond its end."""
    data = b"".join(CHUNKS[n] for n in wanted)
    with TemporaryDirectory() as directory:
        root = Path(directory)
        cuts = {}
        for number, (parts, lie) in enumerate(zip(files, lies, strict=False)):
            (root / str(number)).write_bytes(b"".join(CHUNKS[n] for n in parts))
            cuts[content_of(bytes([number]))] = lie
        places = {content: [root / str(number)] for number, content in enumerate(cuts)}
        one = Reuse(Told(cuts, hooks=1), lambda contents: {c: places[c] for c in contents})
        manifest = Manifest(content_of(data), len(data), tuple(ChunkRef(HASHES[n], 4096) for n in wanted))
        assembly = Assembly(Staging(root / "staging"), manifest)
        assembly.reuse(lambda hashes: one.find(hashes, root / "0", all_of_them))
        assembly.copy()
        assert all(assembly.read(index) in (None, CHUNKS[wanted[index]]) for index in range(len(wanted)))
        for _ in range(2):
            assembly.write(assembly.missing, [CHUNKS[wanted[index]] for index in assembly.missing])
            if assembly.finish():
                break
        assert Staging(root / "staging").path(manifest.content).read_bytes() == data

"""How files were cut is remembered sparsely and in bounds, found by any stretch of them, thrown away when damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from p2psync.core.chunking import MANIFEST_THRESHOLD_BYTES, Span
from p2psync.core.ids import MandateId, content_of
from p2psync.store import cuts as module
from p2psync.store.cuts import CUTS_FILE, RUN_CHUNKS, CutFile, Cuts

MANDATE, OTHER = MandateId(b"m" * 16), MandateId(b"o" * 16)
A, B, C = (content_of(name) for name in (b"a", b"b", b"c"))
SIZE = 20_000
LONG = MANIFEST_THRESHOLD_BYTES // SIZE + 1
"""Chunks of a file that is just large enough."""


def hashes(count: int, seed: int = 1) -> list[bytes]:
    rng = Random(seed)
    return [rng.randbytes(32) for _ in range(count)]


def spans(chunks: list[bytes]) -> list[Span]:
    return [Span(digest, index * SIZE, SIZE) for index, digest in enumerate(chunks)]


@pytest.fixture(name="file")
def a_file(tmp_path: Path) -> Iterator[CutFile]:
    made = CutFile(tmp_path / CUTS_FILE)
    yield made
    made.close()


@pytest.fixture(name="cuts")
def the_cuts(file: CutFile) -> Cuts:
    return Cuts(file, MANDATE)


def test_any_stretch_of_two_runs_is_found_and_then_all_that_is_shared(cuts: Cuts) -> None:
    chunks = hashes(200)
    cuts.put(A, spans(chunks))
    stretch = 2 * RUN_CHUNKS - 1
    for first in range(len(chunks) - stretch):
        wanted = [*hashes(50, seed=2), *chunks[first : first + stretch]]
        alike = cuts.alike(wanted)
        assert set(alike) == {A}
        assert alike[A] <= set(wanted)
    asked = {*chunks[10:20], *hashes(5, seed=2)}
    assert cuts.offsets(A, asked) == {digest: (10 + index) * SIZE for index, digest in enumerate(chunks[10:20])}


def test_the_newest_comes_first_and_strangers_not_at_all(cuts: Cuts) -> None:
    shared = hashes(LONG)
    cuts.put(A, spans(shared))
    cuts.put(B, spans([*shared, *hashes(10, seed=2)]))
    cuts.put(C, spans(hashes(LONG, seed=3)))
    assert list(cuts.alike(shared)) == [B, A]
    assert cuts.alike(hashes(LONG, seed=4)) == {}
    assert cuts.offsets(content_of(b"unknown"), shared) == {}


def test_many_chunks_are_asked_for_in_parts(cuts: Cuts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASKED_MAX", 7)
    chunks = hashes(100)
    cuts.put(A, spans(chunks))
    assert len(cuts.alike(chunks)[A]) >= 100 // RUN_CHUNKS


def test_mandates_have_nothing_in_common(file: CutFile, cuts: Cuts) -> None:
    chunks = hashes(LONG)
    other = Cuts(file, OTHER)
    cuts.put(A, spans(chunks))
    assert other.alike(chunks) == {}
    assert other.offsets(A, chunks) == {}
    other.put(A, spans(chunks))
    other.drop([A])
    assert set(cuts.alike(chunks)) == {A}
    other.put(B, spans(chunks))
    file.retain({OTHER})
    assert cuts.alike(chunks) == {}
    assert set(other.alike(chunks)) == {B}


def test_what_is_not_worth_it_is_not_remembered(cuts: Cuts, monkeypatch: pytest.MonkeyPatch) -> None:
    small, long = hashes(LONG - 1), hashes(LONG + 1, seed=2)
    cuts.put(A, spans(small))
    cuts.put(A, [])
    monkeypatch.setattr(module, "FILE_CHUNKS_MAX", LONG)
    cuts.put(B, spans(long))
    assert cuts.alike([*small, *long]) == {}


def test_the_oldest_are_forgotten_with_all_their_rows(
    file: CutFile, cuts: Cuts, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = {content_of(bytes([n])): hashes(LONG, seed=n) for n in range(6)}
    monkeypatch.setattr(module, "CHUNKS_MAX", 3 * LONG)
    for content, chunks in several.items():
        cuts.put(content, spans(chunks))
        cuts.put(content, spans(chunks))
    kept = [content for content, chunks in several.items() if cuts.alike(chunks)]
    assert kept == list(several)[3:]
    cuts.drop([*kept, A])
    assert (rows(file, "cut"), rows(file, "hook")) == (0, 0)


def test_it_is_there_after_a_restart(file: CutFile, cuts: Cuts) -> None:
    chunks = hashes(LONG)
    cuts.put(A, spans(chunks))
    file.close()
    file.close()
    assert set(cuts.alike(chunks)) == {A}


@pytest.mark.parametrize("damage", [b"no database at all", b"", bytes(8192)])
def test_a_damaged_one_is_thrown_away_and_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / CUTS_FILE
    path.write_bytes(damage)
    file = CutFile(path)
    cuts = Cuts(file, MANDATE)
    chunks = hashes(LONG)
    assert cuts.alike(chunks) == {}
    cuts.put(A, spans(chunks))
    assert set(cuts.alike(chunks)) == {A}
    file.close()


def test_one_of_another_version_is_thrown_away(tmp_path: Path) -> None:
    with_newer = sqlite3.connect(tmp_path / CUTS_FILE)
    with_newer.execute("PRAGMA user_version = 99")
    with_newer.close()
    file = CutFile(tmp_path / CUTS_FILE)
    assert Cuts(file, MANDATE).alike(hashes(1)) == {}
    Cuts(file, MANDATE).put(A, spans(hashes(LONG)))
    assert set(Cuts(file, MANDATE).alike(hashes(LONG))) == {A}
    file.close()


def test_rows_that_are_no_layout_are_thrown_away(file: CutFile, cuts: Cuts) -> None:
    chunks = hashes(LONG)
    cuts.put(A, spans(chunks))
    file.run(lambda connection: connection.execute("UPDATE cut SET layout = x'00'"), None)
    assert cuts.offsets(A, chunks) == {}
    assert cuts.alike(chunks) == {}


def test_a_home_that_cannot_be_written_just_has_none(tmp_path: Path) -> None:
    cuts = Cuts(CutFile(tmp_path / "nowhere" / CUTS_FILE), MANDATE)
    cuts.put(A, spans(hashes(LONG)))
    cuts.drop([A])
    assert cuts.alike(hashes(LONG)) == {}
    assert cuts.offsets(A, hashes(1)) == {}


def test_others_on_this_computer_cannot_read_it(cuts: Cuts, tmp_path: Path) -> None:
    cuts.put(A, spans(hashes(LONG)))
    assert {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {
        CUTS_FILE: 0,
        CUTS_FILE + "-wal": 0,
    }


def rows(file: CutFile, table: str) -> int:
    return file.run(lambda connection: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]), -1)

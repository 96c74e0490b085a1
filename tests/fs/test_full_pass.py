"""A full scan that was cut short goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.relpath import RelPath as R
from p2psync.fs.full_pass import FullPass
from p2psync.fs.scanner import Scanner
from tests.fs.scanning import reads, scan, taken
from tests.fs.watched import Place


def test_a_full_scan_goes_on_where_one_before_was_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, read = Place(tmp_path / "Cargo"), reads(monkeypatch)
    scanner = Scanner(place.folder, place.base)
    for name in ("a", "b/x", "b.txt", "c"):
        place.save(name)
    taken(place, scanner)
    read.clear()
    scanner.full = FullPass(after=R("b.txt"))
    scan(scanner, full=True)
    assert (sorted(read), scanner.full.files, scanner.full.reached) == (["c", "x"], 2, "c")
    read.clear()
    scanner.full = FullPass(wanted=False)
    scan(scanner, full=True)
    assert (read, scanner.full.reached) == ([], None)

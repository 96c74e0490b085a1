"""What is gone by the time that a scan comes to it."""

from __future__ import annotations

import os

import pytest

from p2psync.fs import stable
from p2psync.fs.scanner import Scanner
from tests.fs.scanning import scan, taken
from tests.fs.watched import Place


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(2, "gone"), ["?a"]),
        (NotADirectoryError(20, "gone with its directory"), ["?a"]),
        (PermissionError(13, "no"), ["!a unreadable"]),
    ],
)
def test_what_is_listed_and_gone_a_moment_later_is_missing(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch, error: OSError, expected: list[str]
) -> None:
    place.save("a")
    taken(place, scanner)
    place.save("large", bytes(stable.SMALL_BYTES + 1))
    real = os.lstat

    def lstat(path: str) -> os.stat_result:
        if path.endswith("/a"):
            raise error
        if path.endswith("/large"):
            raise FileNotFoundError(2, "gone", path)
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)
    assert scan(scanner) == expected

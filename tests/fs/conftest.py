"""A folder, who scans it, and what is read of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.fs.scanner import Scanner
from tests.fs.scanning import reads
from tests.fs.watched import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "Cargo")


@pytest.fixture
def scanner(place: Place) -> Scanner:
    return Scanner(place.folder, place.base)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return reads(monkeypatch)

"""Scans and looks in short words, and disks that refuse to be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest

from p2psync.core.entry import Kind
from p2psync.core.relpath import RelPath
from p2psync.fs import inspector, stable
from p2psync.fs.scanner import Scanner
from p2psync.fs.sight import Sight
from tests.fs.watched import Place


def told(sights: Iterable[Sight]) -> list[str]:
    """ "+" a file, "/" an empty directory, "-" no path of its own any more, "?" missing, "!" a problem, sorted."""
    marks = {Kind.FILE: "+", Kind.DIRECTORY: "/", Kind.ABSENT: "-"}
    lines = []
    for s in sights:
        lines += [marks[f.seen.entry.kind] + f.seen.path for f in s.found]
        lines += [f"?{m.path}" for m in s.missing]
        lines += [f"!{p.path} {p.code}" for p in s.problems]
        lines += [f"~{p}" for p in s.unstable]
        lines += [f"L{large.path}" for large in s.large]
    return sorted(lines)


def scan(scanner: Scanner, full: bool = False) -> list[str]:
    return told(scanner.scan(full=full))


def look(scanner: Scanner, *paths: str) -> list[str]:
    return told(scanner.look([RelPath(p) for p in paths]))


def taken(place: Place, scanner: Scanner) -> None:
    """All that stands there is in the base."""
    place.base.take_all(list(scanner.scan()))
    assert scan(scanner) == []


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from now on."""
    names: list[str] = []
    real = stable.read_stable

    def spy(path: str, *args: object, **named: object) -> object:
        names.append(os.path.basename(path))
        return real(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(inspector, "read_stable", spy)
    return names


def denied(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Nobody may read these; root may read everything, so the refusal is played."""
    real_scandir, real_read = os.scandir, stable.read_stable

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if os.path.basename(path) in names:
            raise PermissionError(13, "Permission denied", path)
        return real_scandir(path)

    def read(path: str, *args: object, **named: object) -> object:
        if os.path.basename(path) in names:
            raise PermissionError(13, "Permission denied", path)
        return real_read(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(inspector, "read_stable", read)

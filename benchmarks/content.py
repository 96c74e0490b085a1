"""Files for the workloads: making them, seeing them arrive, and comparing folders afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

MIB = 1 << 20
FILES_PER_DIRECTORY = 100


class Mismatch(RuntimeError):
    """A folder does not hold what the first host's does."""


def make_tree(directory: Path, count: int, size: int, rng: Random) -> list[str]:
    """Write so many files of random bytes, a hundred to a directory; returns their paths below `directory`."""
    names = [f"d{n // FILES_PER_DIRECTORY:05}/f{n:07}.txt" for n in range(count)]
    for number, name in enumerate(names):
        if number % FILES_PER_DIRECTORY == 0:
            (directory / name).parent.mkdir(parents=True)
        (directory / name).write_bytes(rng.randbytes(size))
    return names


def make_blob(path: Path, size: int, rng: Random) -> None:
    """Write a file of random bytes."""
    with path.open("wb") as file:
        for offset in range(0, size, MIB):
            file.write(rng.randbytes(min(MIB, size - offset)))


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes that a file has at a place."""

    offset: int
    data: bytes

    def is_in(self, descriptor: int) -> bool:
        return os.pread(descriptor, len(self.data), self.offset) == self.data


def rewrite(path: Path, patches: Iterable[Patch]) -> None:
    """Change a file in place."""
    with path.open("r+b") as file:
        for patch in patches:
            os.pwrite(file.fileno(), patch.data, patch.offset)


def insert(source: Path, target: Path, patch: Patch) -> None:
    """Write a copy of a file into which the patch's bytes were inserted."""
    with source.open("rb") as old, target.open("wb") as new:
        new.write(old.read(patch.offset))
        new.write(patch.data)
        while piece := old.read(MIB):
            new.write(piece)


# -- seeing


class Arrival:
    """Files that are awaited. Those that were seen are not looked at again: that would take time from the tools."""

    def __init__(self, paths: Iterable[str], size: int) -> None:
        """All of them have this size in the end."""
        self._size = size
        self._awaited = list(paths)

    def is_complete(self) -> bool:
        while self._awaited and _size(self._awaited[-1]) == self._size:
            self._awaited.pop()
        return not self._awaited


def shows(path: Path, size: int, patches: Iterable[Patch]) -> bool:
    """Whether the file has this size and these bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.fstat(descriptor).st_size == size and all(patch.is_in(descriptor) for patch in patches)
    finally:
        os.close(descriptor)


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


# -- comparing


def compare(one: Path, other: Path, leaving_out: frozenset[str]) -> None:
    """Raises Mismatch unless both hold the same directories, files and bytes, but for these names at the top."""
    left, right = _entries(one, leaving_out), _entries(other, leaving_out)
    if differing := sorted(left ^ right):
        raise Mismatch(f"{differing[0]} and {len(differing) - 1} others are in one of {one} and {other} only")
    for name in sorted(left):
        if not name.endswith("/") and not _same_bytes(one / name, other / name):
            raise Mismatch(f"{other / name} is not what {one / name} is")


def _entries(root: Path, leaving_out: frozenset[str]) -> set[str]:
    """Paths below `root`; those of directories end with a slash."""
    found: set[str] = set()
    for directory, directories, files in os.walk(root):
        below = os.path.relpath(directory, root)
        if below == ".":
            below = ""
            directories[:] = [d for d in directories if d not in leaving_out]
            files = [f for f in files if f not in leaving_out]
        found.update(os.path.join(below, d) + "/" for d in directories)
        found.update(os.path.join(below, f) for f in files)
    return found


def _same_bytes(one: Path, other: Path) -> bool:
    with one.open("rb", buffering=0) as left, other.open("rb", buffering=0) as right:
        while True:
            piece, twin = left.read(MIB), right.read(MIB)
            if piece != twin:
                return False
            if not piece:
                return True

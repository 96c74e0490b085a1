"""A mandate's folder as its users see it, and a base that takes in what is told of it: for tests of what observes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import MandateId
from p2psync.core.relpath import RelPath
from p2psync.engine.events import Seen
from p2psync.fs.folder import Folder, Marker
from p2psync.fs.sight import Row, Sight
from p2psync.fs.traits import SYSTEMS_OWN, Traits

MANDATE = MandateId(b"m" * 16)
MARKER = Marker(MANDATE, b"e" * 16)
AN_HOUR_S = 3600.0


class DictBase:
    """A base in memory; counts what it is asked."""

    def __init__(self) -> None:
        self.rows: dict[RelPath, tuple[Entry, FileStat | None]] = {}

    def get_many(self, paths: Iterable[RelPath]) -> Mapping[RelPath, tuple[Entry, FileStat | None]]:
        return {path: self.rows[path] for path in paths if path in self.rows}

    def all(self) -> Iterator[Row]:
        for path in sorted(self.rows):
            yield path, *self.rows[path]

    def below(self, directory: RelPath) -> Iterator[Row]:
        return (row for row in self.all() if row[0].startswith(f"{directory}/"))

    def take(self, seen: Iterable[Seen]) -> None:
        """As the engine does with what was observed."""
        for s in seen:
            if s.entry.kind == Kind.ABSENT:
                self.rows.pop(s.path, None)
            else:
                self.rows[s.path] = (s.entry, s.stat)

    def take_all(self, sights: Iterable[Sight]) -> None:
        """The same without waiting for anything to settle."""
        for sight in sights:
            self.take(found.seen for found in sight.found)
            for missing in sight.missing:
                del self.rows[missing.path]


class Place:
    """A folder that is open, and what users do there. Files are an hour old unless said otherwise."""

    def __init__(self, root: Path, traits: Traits = SYSTEMS_OWN) -> None:
        self.root = root
        self.folder = Folder(root, traits)
        self.folder.prepare()
        self.folder.write_marker(MARKER)
        self.base = DictBase()

    def save(self, path: str, data: bytes = b"text", age_s: float = AN_HOUR_S) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        self.age(path, age_s)

    def age(self, path: str, age_s: float) -> None:
        then_ns = time.time_ns() - int(age_s * 1e9)
        os.utime(self.root / path, ns=(then_ns, then_ns))

    def directory(self, path: str, age_s: float = AN_HOUR_S) -> None:
        (self.root / path).mkdir(parents=True)
        self.age(path, age_s)

"""Which files that came out are still watched for late writes, written down so that a crash forgets none of them.

One line for each file in `.p2psync/staging/watched`, written before the file moves to where it lies. The list need not
outlive a power cut: what a program had not written by then is not there either.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import BlockHash, ChangeId, ContentId, content_id
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.errors import InvalidId

NAME = "watched"


@value
class Note:
    """What is to be known of one file to go on watching it."""

    path: RelPath
    """Where it stood."""
    name: str
    """Its name in staging; "" if it lies among the versions."""
    entry: Entry
    stat: FileStat
    stood: tuple[ChangeId, ...]
    late: ContentId | None
    """What the last late write into it left."""
    before: ContentId | None = None
    """What the one before that had left."""
    whole: bool = True
    """Whether the last late write left a whole file."""
    overwritten: ContentId | None = None
    """The version that the last late write took away."""


class Watchlist:
    """Of one mandate's folder; not safe to use from several threads at once."""

    def __init__(self, staging: Path) -> None:
        self._file = staging / NAME
        self.length = 0
        """Lines written since it was empty."""

    def add(self, note: Note) -> None:
        """A disk that does not take it loses nothing but this precaution."""
        self.length += 1
        with contextlib.suppress(OSError), self._file.open("a", encoding="ascii") as file:
            file.write(_line(note))

    def replace(self, notes: Iterable[Note]) -> None:
        """Write it anew; nothing to watch leaves no file."""
        lines = [_line(note) for note in notes]
        self.length = len(lines)
        with contextlib.suppress(OSError):
            if not lines:
                self._file.unlink(missing_ok=True)
                return
            fresh = self._file.with_name(f"tmp-{NAME}")
            fresh.write_text("".join(lines), "ascii")
            fresh.replace(self._file)

    def read(self) -> Iterator[Note]:
        """In the order in which they were written; what cannot be understood, as a line cut off, is left out."""
        with contextlib.suppress(FileNotFoundError), self._file.open(encoding="ascii", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError, TypeError, KeyError, InvalidId):
                    yield _note(json.loads(line))


def _line(note: Note) -> str:
    entry, content = note.entry, note.entry.content
    assert content is not None
    fields = {
        "path": note.path,
        "name": note.name,
        "entry": [entry.size, entry.mtime_ns, entry.mode, content.hex()],
        "stat": [note.stat.size, note.stat.mtime_ns, note.stat.inode],
        "stood": [[change.block.hex(), change.position] for change in note.stood],
        "late": _hex(note.late),
        "before": _hex(note.before),
        "whole": note.whole,
        "overwritten": _hex(note.overwritten),
    }
    return json.dumps(fields) + "\n"


def _note(fields: Any) -> Note:
    size, mtime_ns, mode, content = fields["entry"]
    return Note(
        RelPath(fields["path"]),
        fields["name"],
        Entry(Kind.FILE, size, mtime_ns, mode, content_id(bytes.fromhex(content))),
        FileStat(*fields["stat"]),
        tuple(ChangeId(BlockHash(bytes.fromhex(block)), position) for block, position in fields["stood"]),
        _content(fields["late"]),
        _content(fields["before"]),
        fields["whole"],
        _content(fields["overwritten"]),
    )


def _hex(content: ContentId | None) -> str | None:
    return None if content is None else content.hex()


def _content(digits: str | None) -> ContentId | None:
    return None if digits is None else content_id(bytes.fromhex(digits))

"""The staging directory: whole contents that wait to be placed, under their ids, and everything that is half done.

It lies inside the mandate's folder, on the same file system, so that placing is a rename. A name that is just the
64 hex digits of a content id means: these bytes were verified. All other names say who made them, so that
`recover` can tell at start what a crash left behind.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from collections.abc import Collection, Container, Iterable, Set
from pathlib import Path

from p2psync.core.block import ORDINARY
from p2psync.core.entry import Entry
from p2psync.core.ids import EMPTY_CONTENT, ContentId, content_of
from p2psync.fs.attributes import CAN_USE_DESCRIPTORS, set_attributes
from p2psync.fs.clone import content_of_file, copy_verified, write_all
from p2psync.fs.versions import Versions

WHOLE = re.compile(r"[0-9a-f]{64}")
OUT = re.compile(r"(?P<kind>put|out|late)-[0-9]+-[0-9]+(-(?P<content>[0-9a-f]{64}))?(\.out)?(\.aside)?")
"""Names of files that may hold a user's bytes: what was exchanged, what was moved out, what is watched."""
PART_SUFFIX = ".part"
PART_NAME = re.compile(r"[0-9a-f]{64}\.part")
TEMPORARY_PREFIX = "tmp"
WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
LISTED_FROM = 16
"""Of so many contents at once it is quicker to list what is here than to ask the disk for each."""
KEEP_FROM_BYTES = 1 << 20
"""Smaller contents that wait at start are fetched again rather than kept."""
KEEP_WHOLE_S = 24 * 3600.0
"""A content that was not placed for so long was superseded; should it be needed, it is fetched again."""
KEEP_PART_S = 30 * 24 * 3600.0
"""What was put together of a big file waits so long for a peer to give the rest."""


class Staging:
    """The staging directory of one mandate; safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        """`root` is made when missing."""
        self.root = root
        self._prefix = os.path.join(root, "")
        self._serial = itertools.count(time.time_ns())  # a process before may have had the same id
        root.mkdir(parents=True, exist_ok=True)

    def path(self, content: ContentId) -> Path:
        """Where a content waits whole, or would."""
        return self.root / content.hex()

    def where(self, content: ContentId) -> str:
        """The same as text: making a Path takes longer than asking the disk."""
        return self._prefix + content.hex()

    def part(self, content: ContentId, file_class: str = ORDINARY) -> Path:
        """Where a big file is put together; what there is of it for files of one class does not help another."""
        name = content if file_class == ORDINARY else content_of(content + file_class.encode())
        return self.root / (name.hex() + PART_SUFFIX)

    def has(self, content: ContentId) -> bool:
        return os.path.isfile(self.where(content))

    def having(self, contents: Collection[ContentId]) -> Set[ContentId]:
        """Those of some contents that wait here."""
        if len(contents) < LISTED_FROM:
            return {content for content in contents if self.has(content)}
        names = set(os.listdir(self.root))
        return {content for content in contents if content.hex() in names}

    def fresh(self, kind: str, content: ContentId | None = None) -> Path:
        """A name that nothing has: kind "tmp" is removed at start, "put", "out" and "late" are looked into."""
        return self.root / (self._fresh(kind) if content is None else f"{self._fresh(kind)}-{content.hex()}")

    def _fresh(self, kind: str) -> str:
        return f"{kind}-{os.getpid()}-{next(self._serial)}"

    def stage_whole(self, files: Iterable[tuple[ContentId, bytes]]) -> list[ContentId]:
        """Put many small contents into staging; returns those whose bytes are something else. Raises OSError."""
        bad = []
        for content, data in files:
            if content_of(data) != content:
                bad.append(content)
            else:
                self._stage(content, data)
        return bad

    def write_fresh(self, data: bytes, entry: Entry, kept: int) -> tuple[str, os.stat_result]:
        """Write verified bytes under a name of their own, with the time and mode of `entry`. Raises OSError.

        `kept` as for `set_attributes`. Returns where, and the stat.
        """
        path = self._prefix + self._fresh(TEMPORARY_PREFIX)
        fd = os.open(path, WRITE_NEW, 0o666)
        try:
            write_all(fd, data)
            found = set_attributes(fd, entry, kept) if CAN_USE_DESCRIPTORS else None
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        return path, found or set_attributes(path, entry, kept)

    def stage_copy(self, source: Path, content: ContentId) -> bool:
        """Copy a file into staging if it holds `content`. Raises OSError where the disk fails."""
        copy = self.fresh(TEMPORARY_PREFIX)
        if not copy_verified(source, copy, content):
            return False
        os.replace(copy, self.path(content))
        return True

    def stage_empty(self) -> None:
        """The empty file needs no source. Raises OSError."""
        self._stage(EMPTY_CONTENT, b"")

    def recover(self, versions: Versions, watched: Container[str] = ()) -> list[ContentId]:
        """Sort out, at start, what a crash left: user's files become versions, parts stay, the rest goes.

        `watched`: names of files that stay as they are.
        What the disk does not let it sort out is left for the next time. Returns the contents that were kept as
        versions. Raises OSError.
        """
        kept = []
        for file in sorted(self.root.iterdir()):
            with contextlib.suppress(OSError):
                if file.name not in watched and file.is_file() and not file.is_symlink():
                    kept += self._recovered(file, versions)
        return kept

    def _recovered(self, file: Path, versions: Versions) -> list[ContentId]:
        if out := OUT.fullmatch(file.name):
            content = content_of_file(file)
            if out["content"] != content.hex():
                versions.adopt(file, content)
                return [content]
            file = file.replace(self.path(content))  # never exchanged: it is what we staged
        if not self._worth_keeping(file):
            file.unlink()
        return []

    def tidy(self) -> None:
        """Remove what nobody came for. Raises OSError."""
        for file in list(self.root.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # placed in this moment
                if self._is_old(file):
                    file.unlink()

    def _is_old(self, file: Path) -> bool:
        age_s = time.time() - file.stat().st_ctime
        if PART_NAME.fullmatch(file.name):
            return age_s > KEEP_PART_S
        return WHOLE.fullmatch(file.name) is not None and age_s > KEEP_WHOLE_S

    def _stage(self, content: ContentId, data: bytes) -> None:
        path = self.where(content)
        try:
            fd = os.open(path, WRITE_NEW, 0o666)
        except FileExistsError:
            return
        try:
            write_all(fd, data)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(fd)

    def _worth_keeping(self, file: Path) -> bool:
        if self._is_old(file):
            return False
        if PART_NAME.fullmatch(file.name):
            return True
        return (
            WHOLE.fullmatch(file.name) is not None
            and file.stat().st_size >= KEEP_FROM_BYTES
            and content_of_file(file).hex() == file.name
        )

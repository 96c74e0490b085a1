"""Kept files: what a placement replaced or removed, losers of conflicts, and copies of what was announced.

Each lies under the id of its content, in `.p2psync/versions/<2 hex digits>/<62 hex digits>`: once however often it
is kept, and without an extension that a bookkeeping program would read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from p2psync.core.ids import HASH_BYTES, ContentId, content_id
from p2psync.fs.clone import copy_verified
from p2psync.fs.durable import sync_directories, sync_file

PREFIX_DIGITS = 2
PARTIAL_SUFFIX = ".partial"
_DIGITS = re.compile(f"[0-9a-f]{{{2 * HASH_BYTES}}}")


class Versions:
    """The kept files of one mandate on this disk; safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        """`root` is the versions directory on the file system of the mandate's folder; made when missing."""
        self._root = root
        self._prefix = os.path.join(root, "")
        root.mkdir(parents=True, exist_ok=True)

    def path(self, content: ContentId) -> Path:
        """Where a kept file lies, or would lie."""
        return Path(self.where(content))

    def where(self, content: ContentId) -> str:
        """The same as text."""
        digits = content.hex()
        return f"{self._prefix}{digits[:PREFIX_DIGITS]}{os.sep}{digits[PREFIX_DIGITS:]}"

    def has(self, content: ContentId) -> bool:
        return os.path.isfile(self.where(content))

    def having(self, contents: Iterable[ContentId]) -> Set[ContentId]:
        """Those of some contents that are kept."""
        prefixes = set(os.listdir(self._root))
        return {content for content in contents if content.hex()[:PREFIX_DIGITS] in prefixes and self.has(content)}

    def adopt(self, path: Path, content: ContentId) -> Path:
        """Keep a file by renaming it, and return where it lies; one that is kept already makes `path` superfluous.

        The caller knows that `path` holds `content`, and flushes the directory it returns when it must survive.
        Raises OSError.
        """
        target = self.path(content)
        if target.is_file():
            path.unlink()
            return target
        try:
            os.replace(path, target)
        except FileNotFoundError:
            target.parent.mkdir(exist_ok=True)
            os.replace(path, target)
        return target

    def copy_in(self, path: Path, content: ContentId) -> bool:
        """Keep a copy of what stands at `path` if it holds `content`, durably; False if it holds something else.

        Raises OSError where the disk fails, FileNotFoundError if nothing stands there.
        """
        target = self.path(content)
        if target.is_file():
            return True
        target.parent.mkdir(exist_ok=True)
        partial = target.with_name(target.name + PARTIAL_SUFFIX)
        partial.unlink(missing_ok=True)
        if not copy_verified(path, partial, content):
            return False
        sync_file(partial)
        os.replace(partial, target)
        return True

    def put(self, data: bytes, content: ContentId) -> None:
        """Keep bytes that are `content`, durably. Raises OSError."""
        target = self.path(content)
        if target.is_file():
            return
        target.parent.mkdir(exist_ok=True)
        partial = target.with_name(target.name + PARTIAL_SUFFIX)
        partial.write_bytes(data)
        sync_file(partial)
        os.replace(partial, target)
        sync_directories([target.parent, target.parent.parent], target.parent)

    def iterate(self) -> Iterator[ContentId]:
        """Each kept content, in the order of the ids; what a file manager left there is passed over. Raises OSError."""
        for directory in sorted(self._root.iterdir()):
            if len(directory.name) != PREFIX_DIGITS:
                continue
            for file in sorted(directory.iterdir()):
                digits = directory.name + file.name
                if _DIGITS.fullmatch(digits):
                    yield content_id(bytes.fromhex(digits))

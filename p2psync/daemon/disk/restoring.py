"""Brings the bytes of a version back: into the mandate's folder, as a user's save, or into any other file.

Nothing is lost by it: what stood in the folder comes out by an exchange and is kept, and no other file is replaced.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

from p2psync.core.entry import Entry
from p2psync.core.ids import ContentId
from p2psync.core.relpath import RelPath, ancestors
from p2psync.errors import FolderError, P2PSyncError, UsageError
from p2psync.fs.aside import Overtaken
from p2psync.fs.attributes import set_mode
from p2psync.fs.contents import Contents
from p2psync.fs.durable import sync_directories, sync_file
from p2psync.fs.exchange import EXCHANGE, Exchange
from p2psync.fs.folder import Folder
from p2psync.fs.outs import Outs
from p2psync.fs.presence import Blocked, Presence
from p2psync.fs.staging import TEMPORARY_PREFIX, Staging
from p2psync.i18n import _

ATTEMPTS = 8
"""How often a file may come or go between two looks."""
PART_SUFFIX = ".p2psync-part"
"""Never taken in where such a file lies in a mandate's folder."""


def into_file(contents: Contents, content: ContentId, target: Path) -> None:
    """Write the bytes into a file that is not there yet; whole or not at all.

    Raises UsageError for a file that is there, P2PSyncError if the bytes are not here, OSError.
    """
    if os.path.lexists(target):
        raise _taken(target)
    fresh = target.with_name(f".{target.name[:60]}.{token_hex(4)}{PART_SUFFIX}")
    try:
        if not contents.copy_to(content, fresh):
            raise _not_here()
        sync_file(fresh)
        EXCHANGE.move_new(fresh, target)
    except FileExistsError:
        raise _taken(target) from None
    finally:
        fresh.unlink(missing_ok=True)
    sync_directories([target.parent], target.parent)


class Restorer:
    """Of one mandate's folder; for the thread that places."""

    def __init__(
        self,
        folder: Folder,
        staging: Staging,
        contents: Contents,
        outs: Outs,
        exchange: Exchange,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`exchange` may raise Overtaken."""
        self._folder = folder
        self._staging = staging
        self._contents = contents
        self._outs = outs
        self._exchange = exchange
        self._clock = clock

    def into_folder(self, content: ContentId, path: RelPath, mode: int) -> Entry | None:
        """Let a content stand at a path, as a program's save would; returns what came out, which is kept.

        Raises FolderError where something other than a file stands, P2PSyncError if the bytes are not here, OSError.
        """
        before = self._standing(path)
        target = self._folder.path(path)
        fresh = self._ready(content, mode, before)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replaced = self._put(fresh, target, path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        above = {self._folder.path(directory).parent for directory in ancestors(path)}
        sync_directories({target.parent, *above}, self._folder.root)
        return self._outs.keep_unknown(fresh, path, self._clock()) if replaced else None

    def _standing(self, path: RelPath) -> os.stat_result | None:
        """The file that stands there. Raises FolderError for anything else, and where a link leads elsewhere."""
        try:
            found = Presence(self._folder).standing(path)
        except Blocked:
            raise _in_the_way(path, _("a symbolic link leads out of the folder there")) from None
        if found is None and os.path.lexists(self._folder.path(path)):
            raise _in_the_way(path, _("this disk takes its name and another file's for the same"))
        if found is not None:
            _check_is_file(path, found)
        return found

    def _ready(self, content: ContentId, mode: int, before: os.stat_result | None) -> Path:
        """A verified copy in staging, on the medium, under a name that tells after a crash whether it was exchanged."""
        fresh = self._staging.fresh(TEMPORARY_PREFIX)
        if not self._contents.copy_to(content, fresh):
            raise _not_here()
        try:
            set_mode(fresh, mode, self._folder.traits.mode_bits, before.st_mode if before is not None else None)
            sync_file(fresh)
            return fresh.rename(self._staging.fresh("put", content))
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def _put(self, fresh: Path, target: Path, path: RelPath) -> bool:
        """Exchange, or create; True if `fresh` names what stood there now."""
        for _attempt in range(ATTEMPTS):
            try:
                self._exchange.move_new(fresh, target)
                return False
            except FileExistsError:
                pass
            try:
                self._exchange.swap(fresh, target)
            except FileNotFoundError:
                continue
            except Overtaken as overtaken:
                self._outs.keep_unknown(overtaken.aside, path, self._clock())
                continue
            came = fresh.lstat()
            if not stat.S_ISREG(came.st_mode):
                self._exchange.swap(fresh, target)
                _check_is_file(path, came)
            return True
        raise FileExistsError(_("it comes and goes all the time"))


def _check_is_file(path: RelPath, found: os.stat_result) -> None:
    """Raises FolderError for anything else."""
    if stat.S_ISDIR(found.st_mode):
        raise _in_the_way(path, _("it is a folder now"))
    if stat.S_ISLNK(found.st_mode):
        raise _in_the_way(path, _("it is a symbolic link now"))
    if not stat.S_ISREG(found.st_mode):
        raise _in_the_way(path, _("it is no ordinary file now"))


def _in_the_way(path: RelPath, reason: str) -> FolderError:
    return FolderError(
        "{path} cannot be restored where it was: {reason}. Rename what is in the way, or restore into another file "
        "with --to.",
        path=path,
        reason=reason,
    )


def _taken(target: Path) -> UsageError:
    return UsageError("{file} is there already, and was left as it is. Name a file that is not there yet.", file=target)


def _not_here() -> P2PSyncError:
    return P2PSyncError("The bytes of this version are not on this PC. Other versions: p2psync versions MANDATE FILE")

"""Brings the bytes of a version back: into the mandate's folder, as a user's save, or into any other file.

Nothing is lost by it: what stood there comes out by an atomic exchange and is kept. For a thread.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from p2psync.core.entry import Entry, Kind
from p2psync.core.relpath import RelPath
from p2psync.errors import FolderError
from p2psync.fs.attributes import set_mode
from p2psync.fs.clone import content_of_file
from p2psync.fs.durable import sync_descriptor, sync_directories
from p2psync.fs.exchange import ExchangeUnsupported, exchange_for
from p2psync.fs.folder import Folder
from p2psync.fs.versions import Versions
from p2psync.i18n import _

PIECE_BYTES = 1 << 20
ATTEMPTS = 8
"""How often a file may come or go between two looks."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came out of the folder, kept as a version."""

    entry: Entry


def into_folder(source: BinaryIO, folder: Folder, versions: Versions, path: RelPath, mode: int) -> Came | None:
    """Let the bytes of `source` stand at a path of the folder; returns what stood there.

    Raises FolderError where a directory stands, OSError.
    """
    target = folder.path(path)
    if target.is_dir():
        raise FolderError(
            _("{path} is a folder now. Rename it, or restore into another file with --to.").format(path=path)
        )
    fresh = folder.own / f"restore-{token_hex(8)}"
    try:
        _copy(source, fresh)
        set_mode(fresh, mode, folder.traits.mode_bits, _permissions(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(fresh, target, versions)
        sync_directories([target.parent], folder.root)
        return Came(_keep(fresh, versions)) if fresh.exists() else None
    finally:
        fresh.unlink(missing_ok=True)


def into_file(source: BinaryIO, target: Path) -> None:
    """Write the bytes into a file outside of any mandate's folder; whole or not at all. Raises OSError."""
    fresh = target.with_name(f".{target.name[:100]}.{token_hex(4)}.new")
    try:
        _copy(source, fresh)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def _copy(source: BinaryIO, target: Path) -> None:
    with target.open("xb") as file:
        shutil.copyfileobj(source, file, PIECE_BYTES)
        file.flush()
        sync_descriptor(file.fileno())


def _permissions(target: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError):
        found = target.stat().st_mode
        return found if stat.S_ISREG(found) else None
    return None


def _put(fresh: Path, target: Path, versions: Versions) -> None:
    """Exchange, or create: afterwards `fresh` names what stood at the target, if anything did."""
    exchange = exchange_for(sys.platform)
    for _attempt in range(ATTEMPTS):
        try:
            exchange.swap(fresh, target)
            return
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                exchange.move_new(fresh, target)
                return
        except ExchangeUnsupported:
            versions.copy_in(target, content_of_file(target))
            os.replace(fresh, target)
            return
    raise FileExistsError(_("{path} comes and goes all the time").format(path=target))


def _keep(out: Path, versions: Versions) -> Entry:
    found = out.stat()
    content = content_of_file(out)
    versions.adopt(out, content)
    return Entry(Kind.FILE, found.st_size, found.st_mtime_ns, 0, content)

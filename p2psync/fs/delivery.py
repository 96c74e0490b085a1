"""Puts a version of the mandate in the place of a program's own file: whole or not at all, and nothing is lost by it.

A verified copy is made beside the file and flushed, then the two change places in one step; what came out is kept
until it is certain that nobody writes into it any more. On disks without such a step the file first goes aside. Each
stage is noted by the caller before the next one begins, so that `recover` can tell what a crash left.
"""

from __future__ import annotations

import os
from pathlib import Path

from p2psync.core.entry import Entry, FileStat
from p2psync.core.ids import ContentId
from p2psync.core.value import value
from p2psync.engine.bridge import Delivery, Stage
from p2psync.fs.attributes import is_read_only, set_mode, set_read_only
from p2psync.fs.clone import content_of_file
from p2psync.fs.contents import Contents
from p2psync.fs.durable import sync_directories, sync_file
from p2psync.fs.exchange import BACKUP_SUFFIX, EXCHANGE, Exchange, ExchangeUnsupported
from p2psync.fs.traits import SYSTEMS_OWN

PART_SUFFIX = ".p2psync-part"
"""Never taken in where such a file lies in a mandate's folder."""
NAME_CHARACTERS_KEPT = 40


class Overtaken(Exception):
    """The program saved, or removed, its file while the copy was made: nothing was delivered."""


@value
class Recovered:
    """What had become of a delivery that was cut off."""

    delivered: bool
    out: Path | None
    """Where what came out of the program's file lies; None if nothing did, or it was put back."""


def part_name(target: Path, token: str) -> str:
    """What a copy beside a file is called; `token` tells it from others."""
    return f".{target.name[:NAME_CHARACTERS_KEPT]}.{token}{PART_SUFFIX}"


def prepare(contents: Contents, content: ContentId, entry: Entry, target: Path, part: Path) -> bool:
    """Make `part` a whole copy with the time and mode it shall have, on the medium; False if the bytes are not here.

    Raises OSError; then, too, nothing of it is left.
    """
    part.unlink(missing_ok=True)
    try:
        if not contents.copy_to(content, part):
            return False
        os.utime(part, ns=(entry.mtime_ns, entry.mtime_ns))
        set_mode(part, entry.mode, SYSTEMS_OWN.mode_bits, _mode_of(target))
        sync_file(part)
        sync_directories([part.parent], part.parent)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return True


def put(part: Path, target: Path, before: FileStat | None, exchange: Exchange = EXCHANGE) -> Path | None:
    """Let the copy take the file's place; returns where what stood there lies, None if nothing did.

    `before`: the file's stat when it was judged; None if nothing stood there. Raises Overtaken, FileLocked, OSError;
    then the file is what it was.
    """
    if _stat_of(target) != before:
        raise Overtaken
    try:
        if before is None:
            exchange.move_new(part, target)
            out = None
        else:
            out = _swap(part, target, exchange)
    except (FileExistsError, FileNotFoundError):
        raise Overtaken from None
    sync_directories([target.parent], target.parent)
    return out


def recover(delivery: Delivery, target: Path, exchange: Exchange = EXCHANGE) -> Recovered:
    """Find out what became of a delivery that was cut off, and finish or undo it. Raises OSError."""
    part = target.with_name(delivery.part)
    if delivery.stage is Stage.DONE:
        return Recovered(True, part if part.exists() else None)
    if delivery.stage is Stage.PREPARING:
        part.unlink(missing_ok=True)
        return Recovered(False, None)
    aside = _aside(part)
    if aside.exists():
        return _recover_aside(part, aside, target, exchange)
    if not part.exists():
        return Recovered(target.exists() and content_of_file(target) == delivery.content, None)
    if content_of_file(part) == delivery.content:
        part.unlink()
        return Recovered(False, None)
    return Recovered(True, part)


def discard(out: Path) -> None:
    """Remove what came out, and a copy beside it that was never put in place. Raises OSError."""
    out.unlink(missing_ok=True)
    if out.name.endswith(BACKUP_SUFFIX):
        out.with_name(out.name.removesuffix(BACKUP_SUFFIX)).unlink(missing_ok=True)


def _recover_aside(part: Path, aside: Path, target: Path, exchange: Exchange) -> Recovered:
    """The file had gone aside: it returns unless the copy, or a save, stands there."""
    if not target.exists():
        exchange.move_new(aside, target)
        part.unlink(missing_ok=True)
        return Recovered(False, None)
    return Recovered(not part.exists(), aside)  # the copy stays until that is noted: what it tells is still needed


def _swap(part: Path, target: Path, exchange: Exchange) -> Path:
    """Returns where the old file lies. Raises FileExistsError if a program saved in between, OSError."""
    if os.name == "nt" and is_read_only(target):
        set_read_only(target, False)  # Windows replaces no read-only file
    try:
        exchange.swap(part, target)
        return part
    except ExchangeUnsupported:
        aside = _aside(part)
    exchange.move_new(target, aside)
    try:
        exchange.move_new(part, target)
    except FileExistsError:
        raise
    except OSError:
        exchange.move_new(aside, target)
        raise
    return aside


def _aside(part: Path) -> Path:
    """Where Windows' own exchange puts the old file for a moment, and we where there is none."""
    return part.with_name(part.name + BACKUP_SUFFIX)


def _stat_of(target: Path) -> FileStat | None:
    try:
        return SYSTEMS_OWN.stat(target.stat())
    except FileNotFoundError:
        return None


def _mode_of(target: Path) -> int | None:
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None

"""Links a program's own file to a mandate: whether that can be, and what both sides agree about at the beginning."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from p2psync.books.companions import INSTEAD, absent_of, instead_of, named_by, role_of
from p2psync.books.completeness import INDEX, MASTER, Completeness, completeness
from p2psync.books.index import INDEX_BYTES_MAX
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import ChangeId, ContentId, MandateId
from p2psync.core.relpath import RelPath, from_disk
from p2psync.core.value import value
from p2psync.engine.bridge import Attachment, Mode, Shown
from p2psync.engine.mandate import Mandate
from p2psync.errors import FolderError, NotAllowed, UsageError
from p2psync.fs.cloud import service_by_marker, service_by_name
from p2psync.fs.delivery import PART_SUFFIX
from p2psync.fs.reading import open_shared
from p2psync.fs.stable import read_stable
from p2psync.fs.traits import SYSTEM, SYSTEMS_OWN
from p2psync.store.attachments import Attachments

MINE, THEIRS = "mine", "theirs"
"""Which one shall stand where both the program's file and the mandate hold something."""
INDEXES_MAX = 50
"""Indexes of one directory that are read to propose files."""


@value
class Found:
    """A file that may be linked, and what it holds."""

    file: Path
    """Absolute, links resolved."""
    path: RelPath
    """What it is called in the mandate's folder."""
    entry: Entry | None
    """None while it is being written, or is not there."""
    is_there: bool = True
    """False if it is to be made by the first delivery."""


@value
class Beside:
    """What the indexes beside a file name and is not attached, absolute, sorted."""

    present: tuple[str, ...]
    absent: tuple[str, ...]
    """Files of bookings that are not there."""


@value
class Wanted:
    """How a file is to be linked."""

    mode: Mode
    role: str
    """"" for the one that usually produces such a file."""
    use: str
    """MINE, THEIRS, or "" to be asked."""
    again: bool = False
    """A file that is linked already is none to refuse: it is named for what lies beside it."""


def find(text: str, roots: Mapping[MandateId, Path], allow_cloud: bool) -> Found:
    """Look at a file that a person named. Raises UsageError, FolderError, InvalidPath, OSError."""
    file = Path(os.path.realpath(Path(text).expanduser()))
    if not file.parent.is_dir():
        raise UsageError("{file} is not there. Name a file that your bookkeeping program writes.", file=text)
    is_there = os.path.lexists(file)
    _check_kind(file, is_there)
    _check_place(file, roots, allow_cloud)
    path = from_disk(file.name, SYSTEM)
    if not is_there:
        return Found(file, path, None, is_there=False)
    reading = read_stable(file)
    entry = None
    if reading is not None and completeness(path, reading.head, reading.tail) is not Completeness.TORN:
        known = SYSTEMS_OWN.stat(reading.stat)
        mode = SYSTEMS_OWN.mode(reading.stat, 0)
        entry = Entry(Kind.FILE, known.size, known.mtime_ns, mode, reading.content)
    return Found(file, path, entry)


def _check_kind(file: Path, is_there: bool) -> None:
    mode = file.stat().st_mode if is_there else stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise UsageError("{file} is a folder. Attach the files in it that your programs exchange.", file=file)
    if not stat.S_ISREG(mode):
        raise UsageError("{file} is no ordinary file.", file=file)
    suffix = instead_of(file.name)
    if suffix is not None:
        beside = sorted(one.name for one in file.parent.glob("*") if one.suffix.lower() == suffix)
        raise UsageError(
            "{file} is a database that its program keeps open and writes all day: a copy would be torn, and "
            "another one in its place would damage it. Attach what the program exchanges: {instead}",
            file=file.name,
            instead=", ".join(beside) or "*" + suffix,
        )
    if file.name.endswith(PART_SUFFIX):
        raise UsageError("{file} is a file of p2psync's own.", file=file)


def _check_place(file: Path, roots: Mapping[MandateId, Path], allow_cloud: bool) -> None:
    for root in roots.values():
        if Path(os.path.realpath(root)) in file.parents:
            raise UsageError("{file} lies in a mandate's folder: everything in there is exchanged already.", file=file)
    above = [str(directory) for directory in file.parents]
    service = service_by_name(file.parent.parts) or service_by_marker(above, os.path.exists)
    if service is not None and not allow_cloud:
        raise FolderError(
            "{file} lies in a folder that {service} synchronises; two synchronisers on the same file damage it. "
            "Move it elsewhere, or attach it all the same with --allow-cloud.",
            file=file,
            service=service,
        )


def chart_of(text: str) -> Path:
    """The chart of accounts that belongs to an accounting file, or is it itself. Raises UsageError."""
    file = Path(os.path.realpath(Path(text).expanduser()))
    suffix = instead_of(file.name) or file.suffix.lower()
    if suffix != MASTER:
        raise UsageError(
            "{file} is no file of accounting. Name its .cre or .crp file; others are attached with: p2psync attach",
            file=file.name,
        )
    beside = (one for one in file.parent.glob("*") if one.suffix.lower() == MASTER and one.stem == file.stem)
    chart = next(beside, None)
    if chart is None:
        raise UsageError(
            "There is no {file} yet. Let your accounting program write it, and try again.",
            file=file.with_suffix(MASTER),
        )
    return chart


def proposals(file: Path, attached: Collection[str]) -> Beside:
    """Files beside one that an index there names and that are not attached yet; and such indexes."""
    try:
        names = {one.name for one in os.scandir(file.parent) if one.is_file()}
    except OSError:
        return Beside((), ())
    indexes = sorted(name for name in names if Path(name).suffix.lower() == INDEX)[:INDEXES_MAX]
    found: set[str] = set()
    absent: set[str] = set()
    for name in indexes:
        data = read_index(file.with_name(name))
        named, missing = named_by(data, names), absent_of(data, names)
        if file.name in (name, *named, *missing) or Path(name).stem == file.stem:
            found.update((name, *named))
            absent.update(missing)
    wanted = {str(file.with_name(name)) for name in found if Path(name).suffix.lower() not in INSTEAD}
    left_out = {str(file), *attached}
    missed = {str(file.with_name(name)) for name in absent}
    return Beside(tuple(sorted(wanted - left_out)), tuple(sorted(missed - left_out)))


def read_index(file: Path) -> bytes:
    """As much of an index as may be read; nothing if it cannot be."""
    try:
        with open_shared(file) as reader:
            return reader.read(INDEX_BYTES_MAX)
    except OSError:
        return b""


# -- in the engine's thread ----------------------------------------------------------------------------


def link(
    attachments: Attachments, mandate: Mandate, found: Found, wanted: Wanted, names: Mapping[MandateId, str]
) -> Attachment:
    """What is to be noted of a file; one that is linked already gets the mode that is asked for.

    `names`: what the mandates of this device are called. Raises UsageError or NotAllowed with the reason why it cannot
    be linked.
    """
    known = attachments.of_file(str(found.file))
    if known is not None and known.mandate == mandate.id:
        mode = known.mode if wanted.mode is Mode.AUTO else wanted.mode
        if wanted.again or mode is not known.mode:
            return replace(known, mode=mode)
    _check_free(attachments, mandate, found, names)
    shown = mandate.replica.shown(found.path)
    if shown.entry.kind is Kind.DIRECTORY:
        raise UsageError(
            "{mandate} has a folder called {path}. Rename the file in your program.",
            mandate=mandate.name,
            path=found.path,
        )
    if not found.is_there:
        _check_coming(mandate, found, wanted.use)
    agreed, heads, mtime_ns = _beginning(mandate, found, shown, wanted.use)
    return Attachment(
        mandate.id,
        found.path,
        str(found.file),
        wanted.mode,
        wanted.role or role_of(found.path),
        agreed,
        heads,
        mtime_ns,
    )


def _check_free(attachments: Attachments, mandate: Mandate, found: Found, names: Mapping[MandateId, str]) -> None:
    known = attachments.of_file(str(found.file))
    if known is not None and known.mandate == mandate.id:
        raise UsageError("{file} is attached to {mandate} already.", file=found.file, mandate=mandate.name)
    if known is not None:
        raise UsageError(
            "{file} is attached to {mandate}. Detach it there first: p2psync detach FILE",
            file=found.file,
            mandate=names.get(known.mandate, "?"),
        )
    for one in attachments.all():
        if one.mandate == mandate.id and one.path.casefold() == found.path.casefold():
            raise UsageError(
                "Another file called {path} is attached to {mandate}: {file}. Both would be the same file there.",
                path=one.path,
                mandate=mandate.name,
                file=one.file,
            )


def _check_coming(mandate: Mandate, found: Found, use: str) -> None:
    """A file that is not there is what the mandate has of that name, once it is delivered."""
    if use == MINE or not is_held(mandate, found.path):
        raise UsageError(
            "{file} is not there, and {mandate} has no file called {path} to deliver. Name a file that your "
            "bookkeeping program writes.",
            file=found.file,
            mandate=mandate.name,
            path=found.path,
        )


def is_held(mandate: Mandate, path: RelPath) -> bool:
    """Whether a mandate has a file of that name, here or still on its way."""
    return any(head.entry.kind is Kind.FILE for head in mandate.state.heads([path]).get(path, ()))


def _beginning(
    mandate: Mandate, found: Found, shown: Shown, use: str
) -> tuple[ContentId | None, tuple[ChangeId, ...], int]:
    """What both agree about from the start: content, changes, and when it was written."""
    files = [h for h in mandate.state.heads([found.path]).get(found.path, ()) if h.entry.kind is not Kind.ABSENT]
    if not files:
        if not shown.may_publish:
            raise NotAllowed(
                "The role of this device may not publish {path}, and {mandate} has no such file to deliver.",
                path=found.path,
                mandate=mandate.name,
            )
        return None, (), 0
    if not found.is_there:
        return None, (), 0
    if found.entry is None:
        raise UsageError("{file} is being written. Try again in a moment.", file=found.file)
    content, mtime_ns = found.entry.content, found.entry.mtime_ns
    assert content is not None
    same = tuple(h.id for h in files if h.entry.content == content)
    if same:
        return content, same, mtime_ns
    known = mandate.state.with_content(found.path, content)[-1:]
    if known:
        return content, tuple(known), mtime_ns
    return _chosen(mandate, found, shown, use)


def _chosen(
    mandate: Mandate, found: Found, shown: Shown, use: str
) -> tuple[ContentId | None, tuple[ChangeId, ...], int]:
    assert found.entry is not None
    if use == THEIRS:
        return found.entry.content, (), found.entry.mtime_ns
    if use != MINE:
        raise UsageError(
            "{mandate} has another file called {path}, and nothing tells which of the two is the newer one. Say "
            "which shall stand: --use mine publishes yours, --use theirs delivers the other one and keeps yours "
            "as a version.",
            mandate=mandate.name,
            path=found.path,
        )
    if not shown.may_publish:
        raise NotAllowed("The role of this device may not publish {path}. Use: --use theirs", path=found.path)
    if shown.arriving or shown.entry.content is None:
        raise UsageError(
            "The version of {path} that {mandate} has is still on its way here. Try again in a moment.",
            path=found.path,
            mandate=mandate.name,
        )
    return shown.entry.content, shown.heads, 0

"""What a path held before: kept versions, and what stood in this folder at a time. For the engine's thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from p2psync.core.changelog import Stated
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, ContentId, DeviceId, change_text
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.engine.mandate import Mandate
from p2psync.engine.state import BaseRow, VersionRow
from p2psync.errors import P2PSyncError, UsageError

CURRENT = "current"
LOGGED = "log"
ENDINGS = frozenset({"replaced", "removed", "refused", "set-aside"})
"""Reasons of versions that stood in the folder until they were kept."""
PREFIX_MIN = 4
ANCESTORS_MAX = 10_000


@value
class Version:
    """One content that a path held, whose bytes are here."""

    id: str
    """The change that stated it, else its content: what `restore --version` takes."""
    path: RelPath
    content: ContentId
    size: int
    mode: int
    saved_ms: int
    """When it was saved, by the clock of the PC where it was."""
    kept_ms: int | None
    """When it was kept here; None for what stands in the folder, or is known from the log alone."""
    device: DeviceId | None
    reason: str
    """"current", "log", or why it is kept."""


def versions_of(mandate: Mandate, path: RelPath) -> list[Version]:
    """Every content once, the newest first."""
    base = mandate.state.bases([path]).get(path)
    stated = list(history_of(mandate, path))
    found: dict[str, Version] = {}
    for version in (*_standing(mandate, base, stated), *_kept(mandate, path, stated), *_logged(mandate, stated)):
        found.setdefault(version.id, version)
    stated_contents = {one.content for one in found.values() if one.id != one.content.hex()}
    nameless = {one.id for one in found.values() if one.id == one.content.hex() and one.content in stated_contents}
    named = (one for one in found.values() if one.id not in nameless)
    return sorted(named, key=lambda one: (-one.saved_ms, one.id))


def history_of(mandate: Mandate, path: RelPath) -> Iterator[Stated]:
    """The accepted changes of a path, each after those that name it: every one but the heads is named by another."""
    due = list(mandate.state.heads([path]).get(path, ()))
    seen = {one.id for one in due}
    while due and len(seen) < ANCESTORS_MAX:
        yield from due
        named = {i for one in due for i in one.named} - seen
        seen |= named
        due = list(mandate.state.changes(sorted(named)).values())


def _standing(mandate: Mandate, base: BaseRow | None, stated: Sequence[Stated]) -> Iterator[Version]:
    if base is None or base.entry.kind is not Kind.FILE or base.entry.content is None:
        return
    entry = base.entry
    own = next((one for one in stated if one.id in base.heads), None)
    name = change_text(own.id) if own is not None else base.entry.content.hex()
    saved_ms = own.time_ms if own is not None else entry.mtime_ns // 1_000_000
    author = own.author if own is not None else None
    yield Version(name, base.path, base.entry.content, entry.size, entry.mode, saved_ms, None, author, CURRENT)


def _kept(mandate: Mandate, path: RelPath, stated: Sequence[Stated]) -> Iterator[Version]:
    by_id = {one.id: one for one in stated}
    for row in mandate.state.versions(path):
        own = by_id.get(row.change) if row.change is not None else None
        saved_ms = own.time_ms if own is not None else row.mtime_ns // 1_000_000
        mode = own.entry.mode if own is not None else 0
        yield Version(_name(row), path, row.content, row.size, mode, saved_ms, row.kept_ms, row.device, row.reason)


def _logged(mandate: Mandate, stated: Sequence[Stated]) -> Iterator[Version]:
    """Changes of the log whose bytes happen to be here, under this path or another."""
    named = {one.id: one.entry.content for one in stated if one.entry.content is not None}
    here = mandate.state.has_version(set(named.values()))
    for one in stated:
        content = one.entry.content
        if content is not None and (content in here or mandate.state.content_sources(content)):
            yield Version(
                change_text(one.id),
                one.path,
                content,
                one.entry.size,
                one.entry.mode,
                one.time_ms,
                None,
                one.author,
                LOGGED,
            )


def _name(row: VersionRow) -> str:
    return change_text(row.change) if row.change is not None else row.content.hex()


def by_name(versions: Sequence[Version], wanted: str, path: str) -> Version:
    """The version that a person named by the beginning of its id or of its content. Raises UsageError."""
    word = wanted.strip().lower()
    found = [v for v in versions if v.id.startswith(word)] or [v for v in versions if v.content.hex().startswith(word)]
    if len({v.content for v in found}) == 1 and len(word) >= PREFIX_MIN:
        return found[0]
    if found:
        raise UsageError(
            "{id} fits several versions of {path}. Write more of the id; see: p2psync versions MANDATE FILE",
            id=wanted,
            path=path,
        )
    raise UsageError(
        "There is no version {id} of {path} on this PC. See: p2psync versions MANDATE FILE", id=wanted, path=path
    )


def at_time(mandate: Mandate, path: RelPath, versions: Sequence[Version], at_ms: int) -> Version | None:
    """What stood in this folder at a time; None if nothing did.

    A version that was replaced later, and saved before, stood then: that is known by this PC's own clock. Else the
    log tells, by the clocks of those who saved.
    """
    endings = [v for v in _ended(mandate, path, versions) if v.saved_ms <= at_ms < (v.kept_ms or 0)]
    if endings:
        return min(endings, key=lambda v: v.kept_ms or 0)
    past = [one for one in history_of(mandate, path) if one.time_ms <= at_ms]
    if not past:
        return None
    last: ChangeId = max(past, key=lambda one: (one.time_ms, one.stamp, one.id)).id
    found = next((one for one in past if one.id == last and one.entry.content is not None), None)
    if found is None:
        return None
    name = change_text(found.id)
    for version in versions:
        if version.id == name or version.content == found.entry.content:
            return version
    raise P2PSyncError(
        "The content that {path} had then is not on this PC any more. See: p2psync versions MANDATE FILE", path=path
    )


def _ended(mandate: Mandate, path: RelPath, versions: Sequence[Version]) -> Iterator[Version]:
    """Versions that stood in the folder until they were kept: each time of each, not each content once."""
    known = {version.content: version for version in reversed(versions)}
    for row in mandate.state.versions(path):
        if row.reason in ENDINGS:
            one = next((v for v in versions if v.id == _name(row)), known[row.content])
            yield Version(
                one.id, path, row.content, row.size, one.mode, one.saved_ms, row.kept_ms, row.device, row.reason
            )

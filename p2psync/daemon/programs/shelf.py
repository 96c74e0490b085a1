"""The bookkeeping files that lie in a mandate's folder, read and understood; what they said is remembered by content.

The event loop asks; everything is read in threads, at most one of them for a mandate.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Generic, TypeVar

from p2psync.books.closing import overlapping, span_of
from p2psync.books.companions import absent_of
from p2psync.books.completeness import ENTRIES, INDEX, MASTER, suffix_of
from p2psync.books.crp import CHART_BYTES_MAX, Chart, read_chart
from p2psync.books.entries import ENTRIES_BYTES_MAX, EntriesFile, read_entries
from p2psync.books.finding import Collector, Findings, Trouble
from p2psync.books.index import INDEX_BYTES_MAX
from p2psync.books.master import MasterData, OpenField, records_of
from p2psync.books.master_codec import MASTER_BYTES_MAX
from p2psync.books.master_files import CHANGED, STATED, together
from p2psync.books.master_view import books_of_master
from p2psync.books.pending import (
    Differences,
    NoFile,
    Pending,
    Side,
    State,
    Unreadable,
    differences,
    pending,
    side_of,
)
from p2psync.books.validation import Books, Check, active_checks, books_of_chart, validate
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.period import Period, period_in_name
from p2psync.core.relpath import RelPath, name, parent
from p2psync.core.value import value
from p2psync.daemon.contents.reading import Reading
from p2psync.daemon.disk.folders import Folders
from p2psync.engine.mandate import Mandate
from p2psync.errors import CodecError, FolderError, P2PSyncError
from p2psync.fs.contents import Contents
from p2psync.i18n import later

ABSENT_MAX = 500
"""Of one index."""
CHARTS_MAX = 64
"""Charts in memory."""
MASTERS_MAX = 16
"""Master data in memory, of so many mandates."""
RESULTS_MAX = 4096
"""Comparisons and checks in memory: a few numbers each, and findings where there are some."""

K = TypeVar("K")
V = TypeVar("V")


@value
class ChartFile:
    """A chart of accounts in the folder."""

    path: RelPath
    read: Chart | CodecError
    """Why it cannot be read, if it cannot."""


@value
class MasterShelf:
    """Master data from another accounting program, as the folder's files say them together."""

    path: RelPath
    """The master's file."""
    content: ContentId
    """What it holds: the version that this device uses."""
    read: MasterData | CodecError
    """Why they cannot be read, if they cannot."""


@value
class Checked:
    """What is wrong in one file."""

    path: RelPath
    checks: frozenset[Check]
    """What its bookings were checked for; none in a chart, and where there is no chart."""
    findings: Findings
    why: CodecError | None = None
    """Why it cannot be read at all."""
    content: ContentId | None = None
    """What was checked; None for a chart."""


@value
class Waiting:
    """What waits to be posted in one file."""

    path: RelPath
    content: ContentId | None
    """What the file holds; None if it was removed."""
    pending: Pending
    findings: Findings = field(default_factory=Findings)
    """What is wrong in its bookings while any of them wait."""


@value
class Dated:
    """The days that one file is about."""

    path: RelPath
    content: ContentId
    span: Period | None
    """None if nobody can say."""
    stated: bool
    """A chart or the file's name says so, else the lines."""


@value
class Marked:
    """What one mandate's log says was posted."""

    id: MandateId
    name: str
    posted: Mapping[RelPath, ContentId | None]
    coming: frozenset[RelPath]
    """Files that were posted, and are not in the folder yet."""
    open_fields: frozenset[OpenField] = frozenset()
    """Fields of the master data that others than the master may change."""


def marked(mandate: Mandate, open_fields: frozenset[OpenField]) -> Marked:
    """For the engine's thread."""
    posted = {path: mark.content for path, mark in mandate.postings.standing().items()}
    missing = posted.keys() - mandate.state.bases(posted).keys()
    return Marked(mandate.id, mandate.name, posted, frozenset(mandate.state.live(missing)), open_fields)


class Shelf:
    """Of all mandates. All methods are for the event loop."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._memory = _Memory()
        self._running: dict[MandateId, asyncio.Future[Any]] = {}
        """The latest look at each mandate's files; while a disk hangs there is no second one."""

    async def charts(self, mandate: MandateId) -> list[ChartFile]:
        """Sorted by their paths. Raises FolderError, as the others do."""
        return await self._read(mandate, _Files.charts)

    async def dated(self, mandate: MandateId) -> list[Dated]:
        """Which days every chart and file of bookings is about, sorted by path."""
        return await self._read(mandate, _Files.dated)

    async def master(self, mandate: MandateId) -> MasterShelf | None:
        """None if none were imported."""
        return await self._read(mandate, _Files.master)

    async def checks(self, mandate: MandateId) -> frozenset[Check]:
        """What bookings are checked for, by the charts and the master data that are there."""
        return await self._read(mandate, _Files.checks)

    async def check(
        self, mandate: MandateId, path: RelPath | None, open_fields: frozenset[OpenField] = frozenset()
    ) -> list[Checked]:
        """What is wrong in the charts and the files of bookings, or in one of them.

        `open_fields`: those of the master data that others than the master may change.
        """
        return await self._read(mandate, lambda files: files.check(path, open_fields))

    async def pending(self, marked: Marked) -> list[Waiting]:
        """Every file of bookings against what was posted of it, those that are posted whole among them."""
        return await self._read(marked.id, lambda files: files.pending(marked))

    async def absent(self, mandate: MandateId) -> Mapping[RelPath, Sequence[RelPath] | None]:
        """For each index, which files of bookings it names that do not lie beside it; None if its bytes are not here.

        At most ABSENT_MAX of each; one that is torn names none.
        """
        return await self._read(mandate, _Files.absent)

    async def compare(self, mandate: MandateId, before: ContentId | None, after: ContentId | None) -> Pending:
        """The bookings of one content against those of another; None: there is no file."""
        return await self._read(mandate, lambda files: files.compare(before, after))

    async def differences(
        self, mandate: MandateId, before: ContentId | None, after: ContentId | None, most: int
    ) -> Differences | None:
        """The lines of bookings that `compare` counts, at most so many; None if it has no number."""
        return await self._read(mandate, lambda files: files.differences(before, after, most))

    async def _read(self, mandate: MandateId, work: Callable[[_Files], V]) -> V:
        reading, place = self._folders.reading(mandate), self._folders.contents.get(mandate)
        if reading is None or place is None:
            raise FolderError("The mandate's folder is not there. See: p2psync status")
        while (before := self._running.get(mandate)) is not None and not before.done():
            await asyncio.wait([before])
        loop = asyncio.get_running_loop()
        look = loop.run_in_executor(None, lambda: work(_Files(reading, place.contents, self._memory)))
        self._running[mandate] = look
        return await asyncio.shield(look)


class _Files:
    """One look at a mandate's files; for a thread."""

    def __init__(self, reading: Reading, contents: Contents, memory: _Memory) -> None:
        self._contents = contents
        self._memory = memory
        found = reading.files_with((MASTER, STATED, CHANGED, INDEX, *sorted(ENTRIES)))
        files = {path: entry for path, entry in found.items() if entry.kind is Kind.FILE}
        self._masters = {path: entry for path, entry in files.items() if suffix_of(path) in (STATED, CHANGED)}
        self._indexes = {path: entry for path, entry in files.items() if suffix_of(path) == INDEX}
        self._files = {path: entry for path, entry in files.items() if path not in {*self._masters, *self._indexes}}
        self._charts = {path: self._chart(entry) for path, entry in self._named(MASTER).items()}

    def charts(self) -> list[ChartFile]:
        return [ChartFile(path, read) for path, read in self._charts.items()]

    def dated(self) -> list[Dated]:
        return [self._dated(path, self._files[path]) for path in sorted(self._files)]

    def _dated(self, path: RelPath, entry: Entry) -> Dated:
        assert entry.content is not None, "a file has a content"
        if path in self._charts:
            read = self._charts[path]
            return Dated(path, entry.content, read.period if isinstance(read, Chart) else None, True)
        stated = period_in_name(name(path))
        if stated is not None:
            return Dated(path, entry.content, stated, True)
        return Dated(path, entry.content, self._memory.spans.get(entry.content, lambda: self._span(entry)), False)

    def _span(self, entry: Entry) -> Period | None:
        read = self._entries(entry)
        return None if isinstance(read, CodecError) else span_of(read)

    def master(self) -> MasterShelf | None:
        stated = [(path, entry) for path, entry in self._masters.items() if suffix_of(path) == STATED]
        if not stated:
            return None
        (path, entry), *_ = stated
        assert entry.content is not None, "a file has a content"
        key = tuple((path, one.content) for path, one in self._masters.items())
        return MasterShelf(path, entry.content, self._memory.masters.get(key, self._together))

    def _together(self) -> MasterData | CodecError:
        by_kind: dict[str, list[bytes]] = {STATED: [], CHANGED: []}
        for path, entry in self._masters.items():
            assert entry.content is not None, "a file has a content"
            data = self._bytes(entry.content, entry.size, MASTER_BYTES_MAX)
            if isinstance(data, CodecError):
                return data
            by_kind[suffix_of(path)].append(data)
        try:
            return together(by_kind[STATED], by_kind[CHANGED])
        except CodecError as error:
            return error

    def check(self, wanted: RelPath | None, open_fields: frozenset[OpenField]) -> list[Checked]:
        if wanted is not None and wanted not in self._files:
            raise P2PSyncError(
                "{path} is no file of bookings or chart of accounts in the mandate's folder.", path=wanted
            )
        paths = sorted(self._files) if wanted is None else [wanted]
        instead = self._instead(open_fields)
        return [
            self._checked_chart(path) if path in self._charts else self._checked(path, instead, open_fields)
            for path in paths
        ]

    def _instead(self, open_fields: frozenset[OpenField]) -> Books | None:
        """What serves where there is no chart."""
        found = self.master()
        if found is None or isinstance(found.read, CodecError):
            return None
        return books_of_master(records_of(found.read, open_fields).values())

    def pending(self, marked: Marked) -> list[Waiting]:
        now, posted = self._named(*ENTRIES), marked.posted
        paths = {*now, *(path for path in posted if suffix_of(path) in ENTRIES)} - marked.coming
        several = [self._waiting(path, posted.get(path), now.get(path)) for path in sorted(paths)]
        instead = self._instead(marked.open_fields)
        return [
            replace(one, findings=self._checked(one.path, instead, marked.open_fields).findings)
            if one.pending.state is State.PENDING and one.content is not None
            else one
            for one in several
        ]

    def absent(self) -> Mapping[RelPath, Sequence[RelPath] | None]:
        return {path: self._absent(path, entry) for path, entry in self._indexes.items()}

    def compare(self, before: ContentId | None, after: ContentId | None) -> Pending:
        return self._memory.pending.get(
            (before, after, ()), lambda: pending(self._side(before, 0), self._side(after, 0), ())
        )

    def differences(self, before: ContentId | None, after: ContentId | None, most: int) -> Differences | None:
        return differences(self._side(before, 0), self._side(after, 0), most)

    # -- one file --------------------------------------------------------------------------------------

    def _absent(self, path: RelPath, entry: Entry) -> Sequence[RelPath] | None:
        assert entry.content is not None, "a file has a content"
        data, above = self._bytes(entry.content, entry.size, INDEX_BYTES_MAX), parent(path)
        if isinstance(data, CodecError):
            return None
        beside = (name(one) for one in self._named(*ENTRIES) if parent(one) == above)
        return [RelPath(f"{above}/{one}" if above else one) for one in absent_of(data, beside)[:ABSENT_MAX]]

    def _checked_chart(self, path: RelPath) -> Checked:
        read = self._charts[path]
        if isinstance(read, CodecError):
            return Checked(path, frozenset(), Findings(), read)
        periods = {one: c.period for one, c in self._charts.items() if isinstance(c, Chart) and c.period is not None}
        rivals = Collector()
        for pair in overlapping(periods):
            if path in pair:
                rivals.add(1, Trouble.PERIOD_TWICE, other=next(one for one in pair if one != path))
        return Checked(path, frozenset(), _together(rivals.findings(), read.findings))

    def checks(self) -> frozenset[Check]:
        return active_checks(self._books(), self._instead(frozenset()))

    def _books(self) -> list[Books]:
        return [one for read in self._charts.values() if isinstance(read, Chart) and (one := books_of_chart(read))]

    def _checked(self, path: RelPath, instead: Books | None, open_fields: frozenset[OpenField]) -> Checked:
        books = self._books()
        checks = active_checks(books, instead)
        charts = tuple(self._files[one].content for one, read in self._charts.items() if isinstance(read, Chart))
        masters = tuple((path, one.content) for path, one in self._masters.items())
        key = (self._files[path].content, period_in_name(name(path)), charts, masters, open_fields)
        found = self._memory.checked.get(key, lambda: self._findings(path, books, instead))
        findings, why = (Findings(), found) if isinstance(found, CodecError) else (found, None)
        return Checked(path, checks, findings, why, self._files[path].content)

    def _findings(self, path: RelPath, books: Sequence[Books], instead: Books | None) -> Findings | CodecError:
        read = self._entries(self._files[path])
        if isinstance(read, CodecError) or not (books or instead):
            return read if isinstance(read, CodecError) else read.findings
        return _together(read.findings, validate(read, books, period_in_name(name(path)), instead))

    def _waiting(self, path: RelPath, posted: ContentId | None, entry: Entry | None) -> Waiting:
        content = entry.content if entry is not None else None
        stated = period_in_name(name(path))
        known = sorted({one.period for one in self._charts.values() if isinstance(one, Chart) and one.period})
        periods = tuple([*known, *([stated] if stated else [])])
        key = (posted, content, periods)
        found = self._memory.pending.get(key, lambda: self._compared(posted, entry, periods))
        return Waiting(path, content, found)

    def _compared(self, posted: ContentId | None, entry: Entry | None, periods: tuple[Period, ...]) -> Pending:
        content = entry.content if entry is not None else None
        current = self._side(content, entry.size if entry is not None else 0)
        return pending(current if posted == content else self._side(posted, 0), current, periods)

    def _side(self, content: ContentId | None, size: int) -> Side:
        if content is None:
            return NoFile()
        data = self._bytes(content, size, ENTRIES_BYTES_MAX)
        return Unreadable(data) if isinstance(data, CodecError) else side_of(data)

    def _entries(self, entry: Entry) -> EntriesFile | CodecError:
        return self._parsed(entry, ENTRIES_BYTES_MAX, read_entries)

    def _chart(self, entry: Entry) -> Chart | CodecError:
        return self._memory.charts.get(entry.content, lambda: self._parsed(entry, CHART_BYTES_MAX, read_chart))

    def _parsed(self, entry: Entry, limit: int, read: Callable[[bytes], V]) -> V | CodecError:
        assert entry.content is not None, "a file has a content"
        data = self._bytes(entry.content, entry.size, limit)
        if isinstance(data, CodecError):
            return data
        try:
            return read(data)
        except CodecError as error:
            return error

    def _bytes(self, content: ContentId, size: int, limit: int) -> bytes | CodecError:
        if size > limit:
            return CodecError("The file has more than {limit} bytes, which is the limit.", limit=limit)
        data = self._contents.read(content, limit)
        return NotHere() if data is None else data

    def _named(self, *suffixes: str) -> dict[RelPath, Entry]:
        return {path: entry for path, entry in self._files.items() if suffix_of(path) in suffixes}


class NotHere(CodecError):
    """The bytes of a version are on other PCs alone."""

    def __init__(self) -> None:
        super().__init__(later("Its bytes are not on this PC."))


class _Memory:
    """What was found out of contents, which do not change."""

    def __init__(self) -> None:
        self.charts: _Remembered[object, Chart | CodecError] = _Remembered(CHARTS_MAX)
        self.masters: _Remembered[object, MasterData | CodecError] = _Remembered(MASTERS_MAX)
        self.pending: _Remembered[object, Pending] = _Remembered(RESULTS_MAX)
        self.spans: _Remembered[object, Period | None] = _Remembered(RESULTS_MAX)
        self.checked: _Remembered[object, Findings | CodecError] = _Remembered(RESULTS_MAX)


class _Remembered(Generic[K, V]):
    """The latest answers; safe to use from several threads. That bytes are not here may be otherwise next time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        made = make()
        if not (isinstance(made, NotHere) or (isinstance(made, Pending) and isinstance(made.why, NotHere))):
            with self._lock:
                self._found[key] = made
                if len(self._found) > self._most:
                    self._found.popitem(last=False)
        return made


def _together(first: Findings, second: Findings) -> Findings:
    items = tuple(sorted((*first.items, *second.items)))
    return Findings(items, first.left_out + second.left_out)

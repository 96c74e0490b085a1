"""Looks at the mandate's folder, all of it or some paths, and tells what differs from the base.

A file whose stat is the base's is not read. What is missing is told only while the folder itself is certainly there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from p2psync.books.completeness import Completeness
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry, FileStat, Kind
from p2psync.core.ignore import DEFAULT_RULES, FILE_NAME, IgnoreRules
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath, all_ancestors, ancestors, parent
from p2psync.engine.events import Seen
from p2psync.errors import ConfigError
from p2psync.fs.being_read import BeingRead
from p2psync.fs.folder import Folder, FolderVanished
from p2psync.fs.full_pass import FullPass
from p2psync.fs.inspector import LARGE_BYTES, Cutting, Inspector, Manner, age_of
from p2psync.fs.listing import Sort, children, left_out, unreadable
from p2psync.fs.pacing import UNPACED, Pacer, Turn
from p2psync.fs.presence import Blocked, Presence
from p2psync.fs.reading import open_shared
from p2psync.fs.sight import BaseView, Expected, Found, Gathering, Missing, Moved, Row, Sight
from p2psync.fs.stable import tell_nobody
from p2psync.fs.walk import Step, Walk
from p2psync.i18n import _, said

RULES_BYTES_MAX = 1 << 18

Rows = Mapping[RelPath, tuple[Entry, FileStat | None]]


class Scanner:
    """Of one folder. Several passes may run at once, each stepped by one thread at a time."""

    def __init__(
        self,
        folder: Folder,
        base: BaseView,
        cutting: Cutting | None = None,
        doubted: Iterable[RelPath] = (),
        pacer: Pacer | None = None,
    ) -> None:
        """`doubted`: files that are to be read, whatever their stat says. `pacer`: scans and the reading of large files
        rest as it says; a look at what was saved just now does not.
        """
        self.folder = folder
        self.ignore: IgnoreRules = DEFAULT_RULES
        """Read from the folder's `.p2psyncignore` by each scan, and when a look meets it."""
        self.rules_changed = False
        """They changed since the last scan: another is due."""
        self.full = FullPass()
        self._rules_problem: Problem | None = None
        self._base = base
        self._pacer = pacer or Pacer()
        self._inspector = Inspector(folder, cutting)
        for path in doubted:
            self._inspector.doubt(path)

    def expect(self, several: Sequence[Expected]) -> None:
        """While a file has just this stat and mode it is ours, and not read; None: nothing of ours stands there."""
        self._inspector.expect(several)

    def took_away(self, path: RelPath) -> bool:
        """Whether that nothing stands there is our own doing, as far as is known; told once."""
        return self._inspector.took_away(path)

    def placed_lately(self, path: RelPath) -> bool:
        """Whether something was placed there so lately that the base may not know it yet."""
        return self._inspector.placed_lately(path)

    def ours(self, paths: Iterable[RelPath], placed: Iterable[RelPath] = ()) -> Set[RelPath]:
        """Those at which just that stands which was placed there, so that a look would find nothing new.

        `placed`: further ones, of which the watcher knows that it does.
        """
        found = {path for path in paths if path != FILE_NAME and self._is_ours(path)}
        found.update(path for path in self._inspector.unknown(placed) if path != FILE_NAME)
        known = self._base.get_many(all_ancestors(found))
        return {path for path in found if known.keys().isdisjoint(ancestors(path))} if known else found

    def _is_ours(self, path: RelPath) -> bool:
        try:
            return self._inspector.is_ours(path, os.lstat(self.folder.where(path)))
        except OSError:
            return False

    def give_way(self) -> None:
        """Somebody saves: the reading of large files rests for a moment."""
        self._pacer.give_way()

    def stop(self) -> None:
        """Passes under way raise Stopped soon."""
        self._inspector.stop()

    def resume(self) -> None:
        """Passes may run again."""
        self._inspector.resume()

    # -- passes ---------------------------------------------------------------------------------------------------

    def scan(self, *, full: bool = False) -> Iterator[Sight]:
        """The whole folder; `full` reads every byte. Raises FolderVanished, and Stopped."""
        self._read_rules()
        self.rules_changed = False
        batch = Gathering()
        walk = Walk(self.folder, self.ignore, batch.problems.append)
        try:
            listing = walk.listing(None)
        except OSError:
            raise FolderVanished from None
        turn = Turn(self._pacer, lambda: self._inspector.is_stopped or (full and not self.full.wanted))
        manner = Manner(full=full, large=True, turn=turn)
        for sight in self._pass(walk.steps(listing, self._base.all()), batch, manner):
            yield sight
            turn.begin()
        if not self.folder.is_there():
            raise FolderVanished
        yield batch.take(is_last=True)

    def look(self, paths: Sequence[RelPath], *, large: BeingRead | None = None) -> Iterator[Sight]:
        """Some paths, a directory with all that lies in it; first what stands there, then what is missing.

        A file that moved is told of together with the name that it left, so that others can move theirs.

        `large`: the path is of a large file, which is to be read. Raises FolderVanished, and Stopped.
        """
        batch = Gathering()
        presence = Presence(self.folder)
        present, gone, directories = self._part(paths, presence, batch)
        above = {a for directory in directories for a in (*ancestors(directory), directory)}
        rows = self._base.get_many({*(path for path, _ in present), *gone, *above})
        vanished = [row for path in gone for row in self._rows_of(path, rows)]
        moved = self._moved(vanished)
        self._fill_ancestors(above, rows, batch)
        whole = {path for path, found in present if stat.S_ISDIR(found.st_mode)}
        is_large = large is not None
        turn = Turn(self._pacer, lambda: self._inspector.is_stopped) if is_large else UNPACED
        tell = large.add if large is not None else tell_nobody
        manner = Manner(large=is_large, large_unquiet=is_large, moved=moved, turn=turn, tell=tell)
        for path, found in present:
            if path in whole and not whole.isdisjoint(ancestors(path)):
                continue  # looked at with the directory that it lies in
            yield from self._look_at(path, found, rows, batch, manner)
        for row in vanished:
            if row[0] not in moved.met:
                self._vanished(row, batch)
            if batch.is_full:
                yield self._checked(batch)
        self._empty_ancestors(gone, presence, batch)
        yield self._checked(batch, is_last=True)

    def _pass(self, steps: Iterator[Step], batch: Gathering, manner: Manner) -> Iterator[Sight]:
        for step in steps:
            if manner.turn.is_due():
                if len(batch):
                    yield self._checked(batch)  # what was found does not wait
                manner.turn.rest()
            self._inspector.check()
            if step.child is None:
                self._missing(step.row, batch)
            elif step.child.sort is Sort.DIRECTORY:
                self._directory(step.rel, step.row, step.is_empty, batch, manner)
            elif step.child.sort is Sort.FILE and not self._is_told(step, batch, manner):
                found = self._standing(step, batch)
                if found is not None and found.st_size > LARGE_BYTES and len(batch):
                    yield self._checked(batch)  # what was found does not wait for the big file
                if found is not None:
                    self._file(step.rel, found, step.row, batch, self._as_far(step.rel, found, manner))
            if batch.is_full:
                yield self._checked(batch)

    def _is_told(self, step: Step, batch: Gathering, manner: Manner) -> bool:
        """Whether it is a new file of which all was told now: most are when many come at once."""
        return step.row is None and step.rel != FILE_NAME and self._inspector.new_file(step.rel, batch, manner)

    def _standing(self, step: Step, batch: Gathering) -> os.stat_result | None:
        """The stat of a file that was listed; None where there is none, which was told then."""
        try:
            return os.lstat(self.folder.where(step.rel))
        except (FileNotFoundError, NotADirectoryError):
            if step.row is not None:
                self._missing(step.row, batch)
        except OSError as error:
            batch.problems.append(unreadable(step.rel, error))
        return None

    def _as_far(self, path: RelPath, found: os.stat_result, manner: Manner) -> Manner:
        """A full pass that was cut short reads the rest as any other."""
        if not manner.full:
            return manner
        if not self.full.takes(path):
            return replace(manner, full=False)
        self.full.read(path, found.st_size)
        return manner

    def _checked(self, batch: Gathering, *, is_last: bool = False) -> Sight:
        if len(batch) and not self.folder.is_there():  # what a backup brings is no edit, what is unplugged not deleted
            raise FolderVanished
        return batch.take(is_last=is_last)

    # -- the paths of a look --------------------------------------------------------------------------------------

    def _part(
        self, paths: Iterable[RelPath], presence: Presence, batch: Gathering
    ) -> tuple[list[tuple[RelPath, os.stat_result]], list[RelPath], set[RelPath]]:
        """The paths at which something stands that is replicated and may be news, those at which nothing does, and the
        directories in which something that is replicated stands.
        """
        present: list[tuple[RelPath, os.stat_result]] = []
        gone: list[RelPath] = []
        directories: set[RelPath | None] = set()
        for path in paths:
            try:
                found = presence.standing(path)
            except Blocked:
                continue
            except OSError as error:
                batch.problems.append(unreadable(path, error))
                continue
            if found is None:
                gone.append(path)
            elif path != FILE_NAME and self._inspector.is_ours(path, found):
                directories.add(parent(path))
            elif (child := left_out(path, found.st_mode, self.ignore.ignores)) is None:
                present.append((path, found))
                directories.add(parent(path))
            elif child.problem is not None:
                batch.problems.append(child.problem)
        return present, gone, {directory for directory in directories if directory is not None}

    def _rows_of(self, path: RelPath, rows: Rows) -> Iterator[Row]:
        """The path's row, and those below it, for it may have been a directory."""
        row = rows.get(path)
        if row is not None:
            yield path, *row
        if row is None or row[0].kind != Kind.FILE:
            yield from self._base.below(path)

    def _look_at(
        self, path: RelPath, found: os.stat_result, rows: Rows, batch: Gathering, manner: Manner
    ) -> Iterator[Sight]:
        row = _row(path, rows)
        if not stat.S_ISDIR(found.st_mode):
            self._file(path, found, row, batch, manner)
            if batch.is_full:
                yield self._checked(batch)
            return
        walk = Walk(self.folder, self.ignore, batch.problems.append)
        try:
            listing = walk.listing(path)
        except FileNotFoundError:
            return
        except OSError as error:
            batch.problems.append(unreadable(path, error))
            return
        inside = replace(manner, asked=path)
        self._directory(path, row, listing.is_empty, batch, inside)
        yield from self._pass(walk.steps(listing, self._base.below(path)), batch, inside)

    def _fill_ancestors(self, above: Iterable[RelPath], rows: Rows, batch: Gathering) -> None:
        """A directory in which something lies is no path of its own any more, nor is a file that made way for it."""
        for directory in sorted(a for a in above if a in rows):
            batch.found.append(Found(Seen(directory, ABSENT), Completeness.WHOLE, 0.0))

    def _empty_ancestors(self, gone: Iterable[RelPath], presence: Presence, batch: Gathering) -> None:
        """A directory from which the last thing went is a path of its own now."""
        asked: set[RelPath] = set()
        for path in gone:
            above = parent(path)
            while above is not None and above not in asked:
                asked.add(above)
                if self._stands(above, presence):
                    if self._is_empty(above):
                        row = _row(above, self._base.get_many([above]))
                        self._directory(above, row, True, batch, Manner())
                    break
                above = parent(above)

    def _stands(self, directory: RelPath, presence: Presence) -> bool:
        """True also where that cannot be said."""
        try:
            return presence.standing(directory) is not None
        except OSError:
            return True

    def _is_empty(self, directory: RelPath) -> bool:
        """True if it holds nothing that is replicated; False where that cannot be said."""
        if self.ignore.ignores(directory, True):
            return False
        try:
            inside = children(self.folder, directory, self.ignore)
            return all(isinstance(child, Problem) or child.sort is Sort.LEFT_OUT for child in inside)
        except OSError:
            return False

    # -- one path -------------------------------------------------------------------------------------------------

    def _file(self, path: RelPath, found: os.stat_result, row: Row | None, batch: Gathering, manner: Manner) -> None:
        self._inspector.file(path, found, row, batch, manner)
        if path == FILE_NAME:
            self._read_rules()
            if self._rules_problem is not None:
                batch.problems.append(self._rules_problem)

    def _directory(self, path: RelPath, row: Row | None, is_empty: bool, batch: Gathering, manner: Manner) -> None:
        if not is_empty:
            if row is not None:
                batch.found.append(Found(Seen(path, ABSENT), Completeness.WHOLE, 0.0))
            return
        if row is not None and row[1].kind == Kind.DIRECTORY:
            return
        try:
            age_s = age_of(os.lstat(self.folder.where(path)))
        except OSError:
            return
        batch.found.append(Found(Seen(path, EMPTY_DIRECTORY), Completeness.OPEN, age_s, manner.asked))

    def _missing(self, row: Row | None, batch: Gathering) -> None:
        """The base knows it and no directory listed it: perhaps it came meanwhile, perhaps nobody may look."""
        assert row is not None
        try:
            if Presence(self.folder).standing(row[0]) is None:
                self._vanished(row, batch)
        except OSError:
            return

    def _vanished(self, row: Row, batch: Gathering) -> None:
        path, entry, known = row
        if not self._ignores(row):
            batch.missing.append(Missing(path, entry, known))
        if path == FILE_NAME:
            self._read_rules()

    def _moved(self, vanished: Iterable[Row]) -> Moved:
        """Those that can be recognised where they are now."""
        return Moved(
            {
                row[2]: Missing(*row)
                for row in vanished
                if row[2] is not None and row[2].inode and row[0] != FILE_NAME and not self._ignores(row)
            }
        )

    def _ignores(self, row: Row) -> bool:
        return self.ignore.ignores(row[0], row[1].kind == Kind.DIRECTORY)

    def _read_rules(self) -> None:
        """Rules that cannot be read leave those in force that were."""
        rules = self.ignore
        self._rules_problem = None
        try:
            with open_shared(self.folder.path(RelPath(FILE_NAME))) as file:
                raw = file.read(RULES_BYTES_MAX + 1)
            if len(raw) > RULES_BYTES_MAX:
                raise ConfigError("{file} is larger than {limit} bytes", file=FILE_NAME, limit=RULES_BYTES_MAX)
            rules = IgnoreRules.parse(raw.decode())
        except FileNotFoundError:
            rules = DEFAULT_RULES
        except (OSError, ConfigError, UnicodeDecodeError) as error:
            self._rules_problem = Problem(FILE_NAME, Code.UNREADABLE, reason_of(error))
        if rules != self.ignore:
            self.ignore = rules
            self.rules_changed = True


def reason_of(error: OSError | ConfigError | UnicodeDecodeError) -> str:
    """Why the rules cannot be read, for people."""
    match error:
        case ConfigError():
            return said(error)
        case UnicodeDecodeError():
            return _("it is no text in UTF-8")
        case _:
            return error.strerror or str(error)


def _row(path: RelPath, rows: Rows) -> Row | None:
    row = rows.get(path)
    return None if row is None else (path, *row)

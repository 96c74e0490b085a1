"""Placing: make a batch of paths hold what they should, each by compare-and-swap, whole, durably, nothing lost.

What is put lies in staging, verified and flushed, before the first name changes. A new file moves to a free name;
one that replaces another is exchanged with it in one step, and what came out is compared with what was expected:
if it is something else, both change places again and the caller learns what stands there. What comes out as
expected becomes a version by being renamed. New names are placed before old ones vanish; a file that others gave
another name is renamed here, too.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath, ancestors, fold, parent
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import LateWrite, Outcome
from p2psync.fs.aside import AsideExchange, Overtaken
from p2psync.fs.attributes import set_mode
from p2psync.fs.batch import Batch, Ready
from p2psync.fs.durable import sync_directories
from p2psync.fs.exchange import EXCHANGE, Exchange
from p2psync.fs.look import Places, disk_problem, is_listed, look, matches
from p2psync.fs.outs import Outs
from p2psync.fs.readying import Local, flush_ready, write_given, write_others
from p2psync.fs.sight import Onlooker
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from p2psync.fs.watchlist import NAME as WATCHLIST

TIDY_EVERY_S = 3600.0
"""How often staging is looked through for what nobody came for."""
SWAPS_BACK_MAX = 10
"""How often an exchange is taken back while a program keeps saving to the same path."""


class Placer:
    """Places batches into one mandate's folder; each changes its names at once, while others wait."""

    def __init__(
        self,
        places: Places,
        staging: Staging,
        versions: Versions,
        local: Local,
        *,
        exchange: Exchange = EXCHANGE,
        onlooker: Onlooker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._staging = staging
        self._versions = versions
        self._local = local
        self.exchange = AsideExchange(exchange, staging.root, places.root)
        self._onlooker = onlooker
        self._traits = places.traits
        self._folding = places.traits.folding
        self._clock = clock
        self.outs = Outs(staging, versions, places.traits)
        self._kept_besides: list[tuple[RelPath, Entry]] = []
        self._tidy_at_s = clock() + TIDY_EVERY_S
        self._lock = threading.Lock()

    def recover(self, known: bool = True) -> list[ContentId]:
        """At start, before anything is scanned: undo and sort out what a crash left.

        `known`: nobody else had the folder meanwhile, so that what came out of it goes on being watched. Returns the
        contents that were kept as versions. Raises OSError.
        """
        self.exchange.undo()
        watched = {*self.outs.recover(self._clock()), WATCHLIST} if known else set()
        return self._staging.recover(self._versions, watched)

    def prepare(self, items: Sequence[PlaceItem]) -> Batch:
        """What is in memory of these files is written and flushed, for `place`, or for `abandon`."""
        batch = Batch(items, self._folding)
        write_given(batch, self._staging, self._local, self._traits)
        flush_ready(batch, self._staging)
        return batch

    def abandon(self, batch: Batch) -> None:
        """What was prepared waits for the next time."""
        for path, ready in batch.ready.items():
            self._give_back(ready, path)

    def place(self, items: Sequence[PlaceItem], prepared: Batch | None = None) -> list[Outcome]:
        """One outcome for each item, in their order; what was placed then would survive a power cut.

        A file that should stand there and does not, in this instant, is a Problem and no `found`: many programs
        delete and write again, and only the watcher knows whether a deletion lasted. While what is in memory is
        written, and while the disk is waited for, another batch goes on, of other paths.
        """
        batch = prepared or Batch(items, self._folding)
        write_given(batch, self._staging, self._local, self._traits)
        with self._lock:
            self._tidy()
            write_others(batch, self._staging, self._local, self._traits)
            with contextlib.nullcontext() if batch.shares_staging else self._unlocked():
                flush_ready(batch, self._staging)
            self._change_names(batch)
        self._flush(batch)
        return [batch.outcomes[item.path] for item in items]

    @contextlib.contextmanager
    def _unlocked(self) -> Iterator[None]:
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def _change_names(self, batch: Batch) -> None:
        for is_new, several in groupby(batch.in_order(), batch.is_new):
            if is_new:
                self._create_all(list(several), batch)
            else:
                for item in several:
                    batch.outcomes[item.path] = self._guarded(item, batch)
        self._remove_empty(batch)

    def _tidy(self) -> None:
        now_s = self._clock()
        if now_s >= self._tidy_at_s:
            self._tidy_at_s = now_s + TIDY_EVERY_S
            with contextlib.suppress(OSError):
                self._staging.tidy()

    def late_writes(self, now: float) -> list[LateWrite]:
        """Edits that programs wrote into files after these had been replaced; `now` as of the placer's clock."""
        return self.outs.late_writes(now)

    def late_due_s(self) -> float | None:
        """When to call `late_writes` again; None while there is no need."""
        return self.outs.due_s()

    def kept_besides(self) -> list[tuple[RelPath, Entry]]:
        """What programs saved in the midst of an exchange and overtook at once; each is told once."""
        kept, self._kept_besides = self._kept_besides, []
        return kept

    # -- after the last name changed ------------------------------------------------------------------------------

    def _remove_empty(self, batch: Batch) -> None:
        for left in sorted(batch.left, key=len, reverse=True):
            directory: RelPath | None = left
            while directory is not None and not batch.stays_empty(directory):
                path = self._places.path(directory)
                try:
                    path.rmdir()
                except OSError:
                    break  # something lies in it
                batch.directories.discard(directory)
                batch.touched.discard(str(path))
                batch.touched.add(str(path.parent))
                directory = parent(directory)

    def _flush(self, batch: Batch) -> None:
        try:
            sync_directories(batch.touched, self._staging.root)
        except OSError as error:
            for path, outcome in batch.outcomes.items():
                if outcome.placed:
                    batch.outcomes[path] = Outcome(path, False, problem=disk_problem(path, error))

    # -- new files ------------------------------------------------------------------------------------------------

    def _create_all(self, items: Sequence[PlaceItem], batch: Batch) -> None:
        """One rename for each, and little else, for a storm is made of them; what is in its way is seen to singly."""
        new = []
        for item in items:
            if parent(item.path) in batch.directories or self._has_parents(item.path, batch):
                new.append((item, batch.ready[item.path], self._places.where(item.path)))
            else:
                batch.outcomes[item.path] = self._guarded(item, batch)
        self._onlooker.expect([(item.path, ready.stat, item.put.mode) for item, ready, _target in new])
        self._onlooker.coming([item.path for item, _ready, _target in new])
        for item, ready, target in new:
            try:
                self.exchange.move_new(ready.staged, target)
            except FileExistsError:
                self._onlooker.not_come(item.path)
                batch.outcomes[item.path] = self._guarded(item, batch)
            except OSError as error:
                self._onlooker.not_come(item.path)
                batch.outcomes[item.path] = Outcome(item.path, False, problem=disk_problem(item.path, error))
                self._give_back(ready, item.path)
            else:
                batch.outcomes[item.path] = Outcome(item.path, True, _as_of_now(ready.stat))
        batch.touched |= {os.path.dirname(target) for _item, _ready, target in new}
        self._local.remember([(ready.content, item.path) for item, ready, _target in new])

    def _has_parents(self, path: RelPath, batch: Batch) -> bool:
        """False, too, where that cannot be said."""
        with contextlib.suppress(OSError):
            return self._check_parents(path, batch, create=True) is None
        return False

    # -- one item -------------------------------------------------------------------------------------------------

    def _guarded(self, item: PlaceItem, batch: Batch) -> Outcome:
        outcome = None
        try:
            outcome = self._place_one(item, batch)
        except OSError as error:
            return Outcome(item.path, False, problem=disk_problem(item.path, error))
        finally:
            ready = batch.ready.get(item.path)
            if ready is not None and (outcome is None or not outcome.placed):
                self._give_back(ready, item.path)
        return outcome

    def _place_one(self, item: PlaceItem, batch: Batch) -> Outcome:
        standing = item.put.kind is not Kind.ABSENT
        trouble = self._check_parents(item.path, batch, create=standing)
        if trouble is not None:
            return Outcome(item.path, False, problem=trouble)
        if item.put.kind is Kind.DIRECTORY:
            return self._put_directory(item, batch)
        if not standing:
            return self._remove(item, batch)
        if item.path in batch.renames:
            return self._rename_in_slot(item, batch.renames[item.path], batch)
        if item.path in batch.moves:
            return self._move(item, batch.moves[item.path], batch)
        if item.path not in batch.ready:
            return self._set_mode(item)
        if item.expect.kind is Kind.FILE:
            return self._replace(item, self._places.path(item.path), batch)
        return self._create(item, batch)

    def _check_parents(self, path: RelPath, batch: Batch, create: bool) -> Problem | None:
        """No name is changed through a link that leads out of the folder, nor below a file."""
        if parent(path) in batch.directories:
            return None
        for directory in ancestors(path):
            if directory in batch.directories:
                continue
            where = self._places.where(directory)
            try:
                found = os.lstat(where).st_mode
            except FileNotFoundError:
                if not create:
                    return None
                os.mkdir(where)
                self._onlooker.made(directory)
                batch.touched.add(os.path.dirname(where))
                found = stat.S_IFDIR
            if not stat.S_ISDIR(found):
                return Problem(path, Code.SYMBOLIC_LINK if stat.S_ISLNK(found) else Code.NAME_COLLIDES, directory)
            batch.directories.add(directory)
        return None

    def _create(self, item: PlaceItem, batch: Batch) -> Outcome:
        target, ready = self._places.where(item.path), batch.ready[item.path]
        if item.expect.kind is Kind.DIRECTORY:
            with contextlib.suppress(OSError):  # not empty: found below
                os.rmdir(target)
        self._onlooker.expect([(item.path, ready.stat, item.put.mode)])
        try:
            self.exchange.move_new(ready.staged, target)
        except FileExistsError:
            self._remove_empty(batch)  # it may be a directory whose last file was removed just now
            if os.path.lexists(target):
                return self._in_the_way(item, Path(target))
            self.exchange.move_new(ready.staged, target)
        return self._placed(item, target, ready, batch)

    def _move(self, item: PlaceItem, gone: PlaceItem, batch: Batch) -> Outcome:
        """In one step; where that cannot be done, the content is wanted, and what stands there is judged by itself."""
        assert item.put.content is not None
        assert gone.expect_stat is not None
        old, new = self._places.where(gone.path), self._places.where(item.path)
        blocked = gone.path in batch.outcomes or self._check_parents(gone.path, batch, create=False) is not None
        if blocked or not is_listed(old, self._traits):
            return _failed(item.path, Code.CONTENT_MISSING)
        self._onlooker.expect([(item.path, gone.expect_stat, item.put.mode)])
        try:
            moved = self._takes(gone, old, new)
        except OSError:
            moved = False
        if not moved:
            return _failed(item.path, Code.CONTENT_MISSING)
        self._left(gone.path, old, batch)
        batch.outcomes[gone.path] = Outcome(gone.path, True, moved=True)
        batch.touched.add(new)
        return self._placed(item, new, Ready(item.put.content, old, gone.expect_stat), batch)

    def _in_the_way(self, item: PlaceItem, target: Path) -> Outcome:
        if not is_listed(target, self._traits):
            other = next((name for name in os.listdir(target.parent) if self._same_slot(name, target.name)), "")
            return _failed(item.path, Code.NAME_COLLIDES, other)
        return self._found(item, target)

    def _replace(self, item: PlaceItem, target: Path, batch: Batch) -> Outcome:
        ready = batch.ready[item.path]
        try:
            standing = target.lstat().st_mode
        except FileNotFoundError:
            return _failed(item.path, Code.STILL_CHANGING)
        if not stat.S_ISREG(standing) or not is_listed(target, self._traits):
            return self._found(item, target)
        set_mode(ready.staged, item.put.mode, self._traits.mode_bits, standing)
        out = Path(ready.staged).rename(self._staging.fresh("put", ready.content))
        ready.staged = str(out)
        self._onlooker.expect([(item.path, ready.stat, item.put.mode)])
        try:
            self.exchange.swap(out, target)
        except Overtaken as overtaken:
            self._keep_unknown(overtaken.aside, item.path)
            return self._found(item, target)
        except FileNotFoundError:
            return _failed(item.path, Code.STILL_CHANGING)
        if not self._came_out_as_expected(item, out, target, ready):
            return self._found(item, target)
        lies = self.outs.keep(out, item.path, item.expect, self._clock(), item.stood)
        batch.touched.add(str(lies.parent))
        return self._placed(item, target, ready, batch)

    def _came_out_as_expected(self, item: PlaceItem, out: Path, target: Path, ready: Ready) -> bool:
        """If not, both have changed places again. Raises OSError after that if it could not be read."""
        expected = False
        try:
            expected = matches(out, item.expect, item.expect_stat, self._traits)
        finally:
            if not expected:
                self._swap_back(out, target, ready, item.path)
        return expected

    def _swap_back(self, out: Path, target: Path, ready: Ready, path: RelPath) -> None:
        """The newest that a program saved ends at `target`; anything else of a user's becomes a version."""
        put_before = ready.stat
        for _ in range(SWAPS_BACK_MAX):
            putting = self._traits.stat(out.lstat())
            try:
                self.exchange.swap(out, target)
            except FileNotFoundError:  # ours was deleted in between
                with contextlib.suppress(FileExistsError):
                    self.exchange.move_new(out, target)
                    return
                continue
            except Overtaken as overtaken:
                self._keep_unknown(overtaken.aside, path)
                continue
            if self._traits.stat(out.lstat()) == put_before:
                break  # nobody saved since the exchange before; what stands at the target is the newest
            put_before = putting
        if self._traits.stat(out.lstat()) != ready.stat:
            self._keep_unknown(out, path)

    def _remove(self, item: PlaceItem, batch: Batch) -> Outcome:
        target = self._places.path(item.path)
        if not is_listed(target, self._traits) or not os.path.lexists(target):
            return Outcome(item.path, True)
        if item.expect.kind is Kind.DIRECTORY:
            with contextlib.suppress(OSError):  # what lies in it now keeps it, and is no empty directory any more
                target.rmdir()
                self._left(item.path, target, batch)
            return Outcome(item.path, True)
        if item.expect.kind is Kind.ABSENT or not stat.S_ISREG(target.lstat().st_mode):
            return self._found(item, target)
        return self._take_out(item, target, batch)

    def _take_out(self, item: PlaceItem, target: Path, batch: Batch) -> Outcome:
        out = self._staging.fresh("out")
        if not self._takes(item, target, out):
            return self._found(item, target)
        lies = self.outs.keep(out, item.path, item.expect, self._clock(), item.stood)
        batch.touched.add(str(lies.parent))
        self._left(item.path, target, batch)
        return Outcome(item.path, True)

    def _takes(self, item: PlaceItem, target: str | Path, out: str | Path) -> bool:
        """Move what is to vanish; False if it was not what was expected, and was put back. Raises as `move_new`."""
        self._onlooker.expect([(item.path, None, 0)])
        self.exchange.move_new(target, out)
        expected = False
        try:
            expected = matches(out, item.expect, item.expect_stat, self._traits)
        finally:
            if not expected:
                self._put_back(Path(out), target, item.path)
        return expected

    def _left(self, path: RelPath, target: str | Path, batch: Batch) -> None:
        batch.touched.add(os.path.dirname(target))
        above = parent(path)
        if above is not None:
            batch.left.add(above)

    def _put_back(self, out: Path, target: str | Path, path: RelPath) -> None:
        try:
            self.exchange.move_new(out, target)
        except FileExistsError:  # saved again meanwhile: that is newer
            self._keep_unknown(out, path)

    def _put_directory(self, item: PlaceItem, batch: Batch) -> Outcome:
        target = self._places.path(item.path)
        if item.expect.kind is Kind.FILE and os.path.lexists(target):
            taken = self._remove(replace(item, put=ABSENT), batch)
            if not taken.placed:
                return taken
        try:
            target.mkdir()
            batch.touched.add(os.path.dirname(target))
        except FileExistsError:
            if not stat.S_ISDIR(target.lstat().st_mode):
                return self._found(item, target)
        return Outcome(item.path, True)

    def _set_mode(self, item: PlaceItem) -> Outcome:
        """The time is left: setting it could hide an edit of this instant."""
        target = self._places.path(item.path)
        try:
            if not is_listed(target, self._traits) or not matches(target, item.expect, item.expect_stat, self._traits):
                return self._found(item, target)
            before = self._traits.stat(target.lstat())
            self._onlooker.expect([(item.path, before, item.put.mode)])
            set_mode(target, item.put.mode, self._traits.mode_bits)
        except FileNotFoundError:
            return _failed(item.path, Code.STILL_CHANGING)
        return Outcome(item.path, True, before)

    def _rename_in_slot(self, item: PlaceItem, gone: PlaceItem, batch: Batch) -> Outcome:
        """The disk takes both names for one, so the file is changed under its old name and then renamed."""
        old, new = self._places.path(gone.path), self._places.path(item.path)
        under_old = replace(item, path=gone.path, expect=gone.expect, expect_stat=gone.expect_stat, stood=gone.stood)
        if item.path in batch.ready:
            batch.ready[gone.path] = batch.ready.pop(item.path)
            outcome = self._guarded_replace(under_old, old, batch)
        else:
            outcome = self._set_mode(under_old)
            if outcome.placed and gone.expect.content is not None:
                self._versions.copy_in(old, gone.expect.content)
        if not outcome.placed:
            batch.outcomes[gone.path] = outcome
            return Outcome(item.path, False, problem=outcome.problem or Problem(item.path, Code.STILL_CHANGING))
        self._onlooker.expect([(item.path, outcome.stat, item.put.mode)])
        os.rename(old, new)
        batch.touched |= {str(old.parent), str(new.parent)}
        batch.outcomes[gone.path] = Outcome(gone.path, True)
        return replace(outcome, path=item.path, stat=_as_of_now(outcome.stat) if outcome.stat is not None else None)

    def _guarded_replace(self, item: PlaceItem, target: Path, batch: Batch) -> Outcome:
        try:
            return self._replace(item, target, batch)
        finally:
            self._give_back(batch.ready.pop(item.path), item.path)

    # -- outcomes -------------------------------------------------------------------------------------------------

    def _placed(self, item: PlaceItem, target: str | Path, ready: Ready, batch: Batch) -> Outcome:
        batch.touched.add(os.path.dirname(target))
        self._local.remember([(ready.content, item.path)])
        return Outcome(item.path, True, _as_of_now(ready.stat))

    def _found(self, item: PlaceItem, target: Path) -> Outcome:
        if not is_listed(target, self._traits):
            return _failed(item.path, Code.STILL_CHANGING)
        seen = look(target, item.path, item.expect.mode, self._traits)
        if isinstance(seen, Problem):
            return Outcome(item.path, False, problem=seen)
        if seen.entry.kind is Kind.ABSENT:
            return _failed(item.path, Code.STILL_CHANGING)
        return Outcome(item.path, False, found=seen)

    def _give_back(self, ready: Ready, path: RelPath) -> None:
        """What was not placed waits for the next time; a file that is not ours is kept."""
        whole = self._staging.where(ready.content)
        with contextlib.suppress(OSError):  # what is left in staging is sorted out at the next start
            if self._traits.stat(os.lstat(ready.staged)) != ready.stat:
                self._keep_unknown(Path(ready.staged), path)
            elif ready.staged != whole:
                os.replace(ready.staged, whole)

    def _keep_unknown(self, out: Path, path: RelPath) -> None:
        self._kept_besides.append((path, self.outs.keep_unknown(out, path, self._clock())))

    def _same_slot(self, name: str, other: str) -> bool:
        return fold(RelPath(name), self._folding) == fold(RelPath(other), self._folding)


def _failed(path: RelPath, code: Code, detail: str = "") -> Outcome:
    return Outcome(path, False, problem=Problem(path, code, detail))


def _as_of_now(found: FileStat) -> FileStat:
    """Renaming a file touches it."""
    return FileStat(found.size, found.mtime_ns, found.inode, time.time_ns())

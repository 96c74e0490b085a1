"""Observe and append: turn what users save into changes, and recognise what is no edit.

While the folder's past is known (its epoch is the database's), whatever differs from base is an edit. After
a discontinuity nothing is: known content is only behind, unknown content is set aside, what is missing
comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from p2psync.core.change import Change
from p2psync.core.changelog import Stated
from p2psync.core.chunking import MANIFEST_THRESHOLD_BYTES
from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import EMPTY_CONTENT, ChangeId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.rules import Mode
from p2psync.engine.effects import KeepVersion, OfferContent, PushContents, StreamFile
from p2psync.engine.events import FolderOpened, LateWrite, Observed, Seen
from p2psync.engine.ledger import Taken
from p2psync.engine.plan import Plan
from p2psync.engine.site import BATCH_MAX, BOOKKEEPING, DISK_CODES, Site
from p2psync.engine.state import BaseRow, PlacingRow, TodoKind, TodoRow
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.wire.messages import PUSH_BYTES_MAX

STREAM_FROM_BYTES = 16 << 20
"""Of smaller files little would be on its way by the time they were read."""


class Observation:
    def __init__(self, site: Site, plan: Plan):
        self._site = site
        self._plan = plan
        self.is_open = False
        """True once somebody looks after the folder: before, nobody would fetch or place."""
        self.scanned = False
        """True once the folder was looked at as a whole in this run."""
        self.ready_to_judge = False
        """True once this device has caught up with a peer, or has none to ask."""
        self.missed: set[RelPath] = set()
        """Paths that were seen while a placement was in flight there: to be looked at again."""
        self.unsure: set[RelPath] = set()
        """Those of them whose base may be older than the discontinuity: what differs from it there is no edit."""
        self._continuous = not site.state.get("discontinuous")

    def observe(self, event: Observed) -> list[Taken]:
        """Turn what stands on the disk into changes; returns the blocks that were appended."""
        if event.cleared:
            self._site.state.clear_problems(event.cleared, DISK_CODES)
        if event.problems:
            self._site.state.put_problems(event.problems)
        differing = self._differing([*event.seen, *self._never_announced(event.torn)])
        if not differing:
            return []
        adopted, edits = self._sort_out([s for s in differing if s.path not in self._plan.placing])
        missed = {s.path for s in differing if s.path in self._plan.placing}
        self.missed |= missed
        if not self._continuous:
            self.unsure |= missed
        if adopted:
            self._plan.touched(adopted)
        return self._edit(edits)

    def _never_announced(self, torn: Sequence[Seen]) -> list[Seen]:
        """Of files that were given up: the others wait for their end, or for this device's rights."""
        if not torn or not self._tells():
            return []
        return [s for s in torn if not self._site.ledger.may_write(s.path, s.entry.kind)]

    def _differing(self, seen: Sequence[Seen]) -> list[Seen]:
        """What differs from base, each path once; where only the stat does, it is noted."""
        latest = {s.path: s for s in seen}
        bases = self._site.state.bases(list(latest))
        differing: list[Seen] = []
        refreshed: list[BaseRow] = []
        for s in latest.values():
            base = bases.get(s.path)
            if not s.entry.same_as(base.entry if base else ABSENT):
                differing.append(s)
            elif base is not None and s.path not in self._plan.placing and _is_newer(s.stat, base.stat):
                refreshed.append(replace(base, stat=s.stat))
        if refreshed:
            self._site.state.put_bases(refreshed)
        if self.unsure:
            self.unsure.difference_update(latest.keys() - {s.path for s in differing})
        return differing

    def _sort_out(self, differing: Sequence[Seen]) -> tuple[list[RelPath], list[Seen]]:
        """Into paths whose base was set to what stands there, and edits that are to be announced."""
        paths = [s.path for s in differing]
        heads = self._site.state.heads(paths)
        unjudged = self._site.state.todo_rows(TodoKind.JUDGE, paths) if not self._plan.all_judged() else {}
        rows: list[BaseRow] = []
        gone: list[RelPath] = []
        edits: list[Seen] = []
        tells = self._tells()
        for s in differing:
            known = self._recognise(s, heads.get(s.path, ()), self._plan.cut_off.get(s.path))
            if known is None and tells and s.path not in unjudged and s.path not in self.unsure:
                edits.append(s)
                continue
            if s.entry.kind == Kind.ABSENT:
                gone.append(s.path)
                continue
            rows.append(BaseRow(s.path, s.entry, s.stat, known or self._behind(s)))
        self.unsure.difference_update(paths)
        self._site.state.put_bases(rows)
        self._site.state.drop_bases(gone)
        unknown = [TodoRow(r.path, TodoKind.JUDGE) for r in rows if not r.heads]
        self._site.state.add_todo(unknown)
        self._site.state.drop_todo(TodoKind.PLACE, [r.path for r in unknown])
        self._site.state.drop_todo(TodoKind.JUDGE, [*gone, *(r.path for r in rows if r.heads)])
        return [*gone, *(r.path for r in rows)], edits

    def _tells(self) -> bool:
        """Whether what differs from base is an edit."""
        return self._continuous and self._rights_are_known()

    def _rights_are_known(self) -> bool:
        """A newcomer's admission comes with the log: what is saved before that is judged as what was found is."""
        return self.ready_to_judge or self._site.keys.device in self._site.ledger.authority.members

    def _recognise(self, seen: Seen, heads: Sequence[Stated], begun: PlacingRow | None) -> tuple[ChangeId, ...] | None:
        """The heads that this content is known to be; None if somebody must have edited."""
        if begun is not None and begun.put.same_as(seen.entry):
            return begun.heads
        if not heads:  # what is new to all, as nearly everything is that comes in thousands
            return None
        winner = self._site.ledger.verdict(seen.path, heads).winner
        if winner is not None and winner.entry.same_as(seen.entry):
            return tuple(h.id for h in heads if h.entry.same_as(seen.entry))
        return None

    def _behind(self, seen: Seen) -> tuple[ChangeId, ...]:
        """After a discontinuity: the newest accepted change that states this content, if any does."""
        if seen.entry.content is None:
            return ()
        return tuple(self._site.state.with_content(seen.path, seen.entry.content)[-1:])

    def _edit(self, edits: Sequence[Seen]) -> list[Taken]:
        may_write = self._site.ledger.may_write
        allowed: list[Seen] = []
        refused: list[Seen] = []
        for s in edits:
            (allowed if may_write(s.path, s.entry.kind) else refused).append(s)
        if refused:
            self._refuse(refused)
        return self.append(allowed) if allowed else []

    def _refuse(self, edits: Sequence[Seen]) -> None:
        """A forbidden edit is judged here first: never announced, its bytes kept, the winner comes back."""
        self._site.state.put_problems([self._site.refused(s.path) for s in edits])
        self._site.state.drop_bases([s.path for s in edits if s.entry.kind == Kind.ABSENT])
        self._site.state.put_bases([BaseRow(s.path, s.entry, s.stat, ()) for s in edits if s.entry.kind != Kind.ABSENT])
        for s in edits:
            self._site.scope.notice("edit.refused", self._site.mandate, path=s.path)
        self._plan.touched([s.path for s in edits])

    def mend(self, damaged: Sequence[Seen]) -> None:
        """Bytes that changed on the disk though nobody saved anything are no edit: what was accepted comes back.

        What stood there is kept as a version. Passed over is what was saved, or is being placed, meanwhile.
        """
        bases = self._site.state.bases([s.path for s in damaged if s.path not in self._plan.placing])
        rows = []
        for s in damaged:
            base = bases.get(s.path)
            if base is not None and base.stat == s.stat and not s.entry.same_as(base.entry):
                rows.append(BaseRow(s.path, s.entry, s.stat, ()))
                self._plan.damaged.add((s.path, s.entry.content))
                self._site.scope.notice("file.damaged", self._site.mandate, path=s.path)
        self._site.state.put_bases(rows)
        self._plan.touched([row.path for row in rows])

    def append(self, edits: Sequence[Seen]) -> list[Taken]:
        """Announce edits: new paths before vanished ones, so that a rename costs no bytes on the wire."""
        paths = [s.path for s in edits]
        parents = self._parents(paths)
        absent = Kind.ABSENT
        gone = [s for s in edits if s.entry.kind == absent]
        stand = [s for s in edits if s.entry.kind != absent]
        self._push(edits)
        changes = {s.path: Change(s.path, s.entry, parents[s.path]) for s in (*stand, *gone)}
        taken = [
            t
            for file_class, some in self._site.by_class(list(changes)).items()
            for t in self._site.ledger.append([changes[p] for p in some], file_class, self._site.scope.now.wall_ms)
        ]
        ids = {path: ChangeId(t.row.hash, index) for t in taken for index, path in enumerate(t.paths)}
        self._site.state.drop_bases([s.path for s in gone])
        rows = [BaseRow(s.path, s.entry, s.stat, (ids[s.path],)) for s in stand]
        self._site.state.put_bases(rows)
        self._keep_copies(edits, ids)
        self._plan.touched(paths, {row.path: row for row in rows})
        return taken

    def suspect(self, seen: Sequence[Seen]) -> None:
        """Let what is new in big files go ahead that seem to be saved, and will be announced if they stand still."""
        if self._tells() and len(seen) <= SAVE_PATHS_MAX:
            may_write = self._site.ledger.may_write
            self._offer([s for s in seen if s.path not in self._plan.placing and may_write(s.path, s.entry.kind)])

    def reading_begun(self, path: RelPath, size: int) -> None:
        """Let a big new file go ahead while it is read, to the only member who is there."""
        if size < STREAM_FROM_BYTES or len(self._site.followers) != 1 or not self._tells():
            return
        if path in self._plan.placing or self._site.state.bases([path]) or not self._site.ledger.may_write(path):
            return
        [link] = self._site.followers
        file_class = self._site.ledger.class_of(path)
        self._site.scope.emit(StreamFile(self._site.mandate, path, size, link, file_class))

    def _offer(self, edits: Sequence[Seen]) -> None:
        big = [s for s in edits if s.entry.content is not None and s.entry.size > MANIFEST_THRESHOLD_BYTES]
        bases = self._site.state.bases([s.path for s in big]) if big else {}
        for s in big:
            base = bases.get(s.path)
            before = base.entry.content if base is not None and base.heads else None
            if s.entry.content is not None and before not in (None, EMPTY_CONTENT, s.entry.content):
                file_class = self._site.ledger.class_of(s.path)
                self._site.scope.emit(
                    OfferContent(self._site.mandate, s.path, s.entry.content, s.entry.size, before, file_class)
                )

    def _push(self, edits: Sequence[Seen]) -> None:
        """Let the contents of small files that somebody just saved, which nobody has yet, go along with their names.

        And what is new in big ones. Many at once go only to the one member who is there and keeps up: several share
        them among themselves.
        """
        followers = self._site.followers.values()
        if len(edits) <= SAVE_PATHS_MAX:
            self._offer(edits)
        elif len(followers) != 1 or not all(follower.keeps_up for follower in followers):
            return
        small = {s.path: s.entry.content for s in edits if s.entry.size <= PUSH_BYTES_MAX}
        known = {None, EMPTY_CONTENT, *self._site.state.standing({c for c in small.values() if c is not None})}
        fresh = {path: content for path, content in small.items() if content is not None and content not in known}
        for file_class, some in self._site.by_class(list(fresh)).items():
            contents = tuple(fresh[path] for path in some)
            self._site.scope.emit(PushContents(self._site.mandate, contents, file_class))

    def _parents(self, paths: Sequence[RelPath]) -> dict[RelPath, tuple[ChangeId, ...]]:
        """The heads that stood on this disk: the base's, or the removals that left nothing there."""
        bases = self._site.state.bases(paths)
        heads = self._site.state.heads([p for p in paths if p not in bases])
        parents = {path: bases[path].heads if path in bases else () for path in paths}
        for path, own in heads.items():
            winner = self._site.ledger.verdict(path, own).winner
            if winner is not None and winner.entry.kind == Kind.ABSENT:
                parents[path] = tuple(h.id for h in own if h.entry.kind == Kind.ABSENT)
        return parents

    def _keep_copies(self, edits: Sequence[Seen], ids: Mapping[RelPath, ChangeId]) -> None:
        rules, once = self._site.ledger.authority.rules, Mode.ONCE
        for s in edits:
            rule = rules.rule_for(s.path)
            if s.entry.content is not None and (rule.file_class in BOOKKEEPING or rule.mode == once):
                file_class = self._site.ledger.class_of(s.path)
                self._site.scope.emit(
                    KeepVersion(self._site.mandate, s.path, s.entry, "edited", ids[s.path], file_class)
                )

    def written_late(self, writes: Sequence[LateWrite]) -> list[Taken]:
        """Announce what programs wrote into files that do not stand at their paths any more: edits of what stood there.

        Base stays: it tells what stands there now. Each goes into a block of its own, as two may be of one path.
        """
        return [taken for write in writes for taken in self._write_late(write)]

    def _write_late(self, write: LateWrite) -> list[Taken]:
        if write.overwritten is not None:
            self._site.state.drop_versions([write.overwritten])
            self._keep_losers()
        heads = self._site.state.heads([write.path]).get(write.path, ())
        known = next((h.id for h in heads if h.entry.same_as(write.entry)), None)
        parents = self._written_over(write)
        known = known or self._told_before(write, parents)
        allowed = self._site.ledger.may_write(write.path)
        if known is None and parents and write.whole and allowed:
            change = Change(write.path, write.entry, parents)
            file_class = self._site.ledger.class_of(write.path)
            taken = self._site.ledger.append([change], file_class, self._site.scope.now.wall_ms)
            self._site.add_version(write.path, write.entry, "edited", ChangeId(taken[0].row.hash, 0))
            self._plan.touched([write.path])
            return taken
        self._plan.touched([write.path])
        reason = "edited"
        if known is None and not (parents and allowed):
            # What stood there was not the mandate's, or may not be changed here: this is treated alike.
            reason = "set-aside" if allowed else "refused"
            problem = Problem(write.path, Code.SET_ASIDE) if allowed else self._site.refused(write.path)
            self._site.state.put_problems([problem])
        self._site.add_version(write.path, write.entry, reason, known)
        return []

    def submit(
        self, path: RelPath, entry: Entry, parents: Sequence[ChangeId]
    ) -> tuple[list[Taken], tuple[ChangeId, ...]]:
        """Announce what a program saved outside of the folder as an edit of `parents`; the bytes are a version already.

        Returns the blocks that were appended, and the heads that it is now: none where this device may not change the
        path, which is told and kept as such. Base stays: placing brings the winner into the folder.
        """
        heads = self._site.state.heads([path]).get(path, ())
        same = tuple(h.id for h in heads if h.entry.content == entry.content)
        if same:
            return [], same
        if not self._site.ledger.may_write(path):
            self._site.state.put_problems([self._site.refused(path)])
            self._site.add_version(path, entry, "refused", None)
            self._site.scope.notice("edit.refused", self._site.mandate, path=path)
            return [], ()
        known = self._site.state.changes(parents)
        named = tuple(change for change in parents if change in known)
        if not parents and all(h.entry.kind == Kind.ABSENT for h in heads):
            named = tuple(h.id for h in heads)
        change = Change(path, entry, named)
        taken = self._site.ledger.append([change], self._site.ledger.class_of(path), self._site.scope.now.wall_ms)
        made = ChangeId(taken[0].row.hash, 0)
        self._site.add_version(path, entry, "edited", made)
        self._plan.touched([path])
        return taken, (made,)

    def _told_before(self, write: LateWrite, parents: tuple[ChangeId, ...]) -> ChangeId | None:
        """The same edit, told a second time after a crash."""
        assert write.entry.content is not None
        several = self._site.state.changes(self._site.state.with_content(write.path, write.entry.content))
        same = (c for c in several.values() if c.parents == parents and c.author == self._site.keys.device)
        return next((change.id for change in same if parents), None)

    def _written_over(self, write: LateWrite) -> tuple[ChangeId, ...]:
        """What the program had before it: what it wrote itself the last time, else the heads that stood there."""
        if write.before is not None:
            last = self._site.state.with_content(write.path, write.before)[-1:]
            if last:
                return tuple(last)
        known = self._site.state.changes(write.stood)
        return tuple(change for change in write.stood if change in known)

    def opened(self, event: FolderOpened) -> None:
        """The folder's marker was compared with the epoch that the database remembers."""
        self._site.state.put("epoch", event.epoch)
        self.is_open = True
        self.scanned = False
        self._plan.opened()
        if not event.continuous:
            self._continuous = False
            self._site.state.put("discontinuous", True)
            self._site.state.retain_versions(event.kept)
            self._keep_losers()

    def _keep_losers(self) -> None:
        """Versions are gone that losers were kept by, of whatever path."""
        conflicted = self._site.state.conflicted()
        self._site.state.add_todo([TodoRow(path, TodoKind.KEEP) for path in conflicted])

    def scan_finished(self, complete: bool) -> None:
        if not complete:
            return
        self.scanned = True
        if not self._continuous:
            self._continuous = True
            self._site.state.put("discontinuous", False)
        self._plan.scanned()

    def judge_found(self) -> list[Taken]:
        """Decide about files that were found while it was not known what the mandate holds.

        Returns the blocks with those that the mandate did not know.
        """
        taken: list[Taken] = []
        if not self.ready_to_judge or not self.scanned or self._plan.all_judged():
            return taken
        while rows := self._site.state.todo(TodoKind.JUDGE, None, BATCH_MAX):
            paths = [r.path for r in rows]
            bases, known = self._site.state.bases(paths), self._site.state.is_known(paths)
            self._site.state.drop_todo(TodoKind.JUDGE, paths)
            news = [p for p in paths if p not in known and p in bases]
            allowed = [p for p in news if self._site.ledger.may_write(p)]
            if allowed:
                taken += self.append([Seen(p, bases[p].entry, bases[p].stat) for p in allowed])
            self._set_aside([bases[p] for p in paths if p in bases and p not in allowed])
            self._plan.touched(paths)
        return taken

    def _set_aside(self, rows: Sequence[BaseRow]) -> None:
        """Other content than the mandate ever had at these paths: the mandate's comes, this is kept and listed."""
        for row in rows:
            known = self._behind(Seen(row.path, row.entry, row.stat))
            if known:
                self._site.state.put_bases([replace(row, heads=known)])
                continue
            heads = self._site.state.heads([row.path]).get(row.path, ())
            same = self._recognise(Seen(row.path, row.entry, row.stat), heads, None)
            if same is not None:
                self._site.state.put_bases([replace(row, heads=same)])
                continue
            if row.entry.kind == Kind.FILE:
                problem = Problem(row.path, Code.SET_ASIDE) if heads else self._site.refused(row.path)
                self._site.state.put_problems([problem])
                self._site.scope.notice("file.set_aside", self._site.mandate, path=row.path)


def _is_newer(seen: FileStat | None, known: FileStat | None) -> bool:
    """Whether the stat is another one, or was found to be the same once more."""
    return seen != known or (seen is not None and known is not None and seen.known_ns > known.known_ns)

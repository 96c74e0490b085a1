"""Fetch and place: bring the contents that are wanted here, and make them stand at their paths.

Placing is compare-and-swap: it says what it expects to find, and what it finds instead is an edit.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.aim import Aim
from p2psync.engine.effects import Fetch, Merge, Place, PlaceItem, Wanted
from p2psync.engine.events import Merged, Outcome, Placed, Seen
from p2psync.engine.plan import Plan
from p2psync.engine.site import BATCH_MAX, BOOKKEEPING, DISK_CODES, Site
from p2psync.engine.state import BaseRow, PlacingRow, TodoKind
from p2psync.engine.urgent import Urgent

IN_FLIGHT_MAX = 2000
"""Paths being fetched, merged or placed at once."""
OBSTRUCTED_S = 0.5
"""After a placement that something else in the folder was in the way of: it may be on its way out itself."""
MISSING_AFTER_S = 15.0
"""When nobody in reach could give a content for so long, people are told: before, it may be on its way to a peer."""
GIVEN_S = 4.0
"""How long what a peer gave unasked is at hand, a little less than it is kept."""
GIVEN_MAX = 10_000
"""Contents that came unasked; more than one who has much left to place is given."""
HOLD_SOURCE_S = 0.5
"""How soon it is looked again whether a removal still has to wait for the files that are copied from there."""


class Placement:
    def __init__(self, site: Site, plan: Plan):
        self._site = site
        self._plan = plan
        self._gathering: dict[RelPath, set[ContentId]] = {}
        """The contents that a path still waits for."""
        self._waiting_for: dict[tuple[str, ContentId], set[RelPath]] = {}
        """By class of files: what is fetched for one is not for another."""
        self._held_for: defaultdict[tuple[str, ContentId], set[RelPath]] = defaultdict(set)
        """The removals that wait until a content was copied from there."""
        self._merging: dict[RelPath, Aim] = {}
        self._missing_since: dict[tuple[str, ContentId], float] = {}
        """When (monotonic seconds) nobody could give a content for the first time."""
        self._ungiven: set[RelPath] = set()
        """Paths that rest since nobody could give their contents."""
        self._given: OrderedDict[tuple[str, ContentId], float] = OrderedDict()
        """Contents that came unasked, by class of files, and when (monotonic seconds)."""
        self._trusting: set[RelPath] = set()
        """Paths that are being placed from those, or from other paths: what is there may not be what it seems."""
        self._cursor: RelPath | None = None
        self.urgent = Urgent()

    def forget(self) -> None:
        """The folder was opened anew: whatever was asked for before will not be answered."""
        self._gathering.clear()
        self._waiting_for.clear()
        self._held_for.clear()
        self._merging.clear()
        self._missing_since.clear()
        self._ungiven.clear()
        self._given.clear()
        self._trusting.clear()
        self._plan.placing.clear()
        self._plan.more = True

    def pump(self) -> None:
        """Start as many of the things to be done as may be in flight, and what was just saved in any case."""
        if urgent := self.urgent.next(self._is_under_way):
            rows_of = self._site.state.todo_rows(TodoKind.PLACE, urgent)
            self._begin([path for path in rows_of if self._is_free(path)])
        while self._plan.more and self.in_flight < min(IN_FLIGHT_MAX, self._site.state.todo_count(TodoKind.PLACE)):
            rows = self._site.state.todo(TodoKind.PLACE, self._cursor, BATCH_MAX)
            if not rows:
                self._plan.more, self._cursor = self._cursor is not None, None
                if not self._plan.more:
                    break
                self._plan.more = False
                rows = self._site.state.todo(TodoKind.PLACE, None, BATCH_MAX)
            self._cursor = rows[-1].path if len(rows) == BATCH_MAX else None
            self._plan.more = self._plan.more and len(rows) == BATCH_MAX
            self._begin([r.path for r in rows if self._is_free(r.path)])

    @property
    def in_flight(self) -> int:
        return len(self._plan.placing) + len(self._gathering) + len(self._merging)

    def _is_free(self, path: RelPath) -> bool:
        return not (self._is_under_way(path) or self._plan.is_blocked(path) or path in self._plan.cut_off)

    def _is_under_way(self, path: RelPath) -> bool:
        return path in self._plan.placing or path in self._gathering or path in self._merging

    def _begin(self, paths: Sequence[RelPath]) -> None:
        """Fetch what has to be fetched, place what needs nothing."""
        wanted: defaultdict[str, list[Wanted]] = defaultdict(list)
        ready: list[Aim] = []
        aims = self._plan.open_aims(paths)
        sources = self._sources_of(aims)
        for path, target in aims.items():
            rival = self._plan.rival(target)
            if rival is not None:
                self._plan.get_stuck(Problem(path, Code.NAME_COLLIDES, rival))
            elif target.contents and path not in sources and not self._take_given(target):
                file_class = self._site.ledger.class_of(path)
                wanted[file_class] += self._gather(file_class, target)
            else:
                ready.append(target)
        for file_class, several in wanted.items():
            if several:
                self._site.scope.emit(Fetch(self._site.mandate, tuple(several), file_class))
        self._place(self._not_held(ready), sources)

    def _sources_of(self, aims: dict[RelPath, Aim]) -> dict[RelPath, RelPath]:
        """Of files that others gave another name, where they still stand here, by their new paths.

        Adds to `aims` what happens at the other path. Bookkeeping files are left out: of these a version stays behind.
        """
        sources: dict[RelPath, RelPath] = {}
        for path in list(aims) if self._plan.renames else ():
            renamed = self._plan.renames.of(path)
            if renamed is None or renamed[1] in sources:
                continue
            old, new = renamed
            other = new if path == old else old
            target = aims.get(other) or self._begun_with(other)
            if target is not None and self._may_move(old, new):
                aims[other] = target
                sources[new] = old
        self._trusting.update(sources)
        return sources

    def _begun_with(self, path: RelPath) -> Aim | None:
        """What is to happen at a path, if it can be begun now."""
        return self._plan.foreseen(path) if self._is_free(path) else None

    def _may_move(self, old: RelPath, new: RelPath) -> bool:
        rules, class_of = self._site.ledger.authority.rules, self._site.ledger.class_of
        return class_of(old) == class_of(new) and rules.rule_for(old).file_class not in BOOKKEEPING

    def given(self, file_class: str, contents: Sequence[ContentId]) -> None:
        """A peer gave these contents, unasked and not verified, for files of a class: placing may find them at hand."""
        for content in contents:
            self._given[file_class, content] = self._site.scope.now.monotonic_s
            self._given.move_to_end((file_class, content))
        while len(self._given) > GIVEN_MAX:
            self._given.popitem(last=False)

    def _take_given(self, target: Aim) -> bool:
        """Whether it can be placed at once; true once for each content that was given."""
        if not self._given or target.sources or target.put.content is None:
            return False
        came_s = self._given.pop((self._site.ledger.class_of(target.path), target.put.content), None)
        if came_s is None or self._site.scope.now.monotonic_s - came_s > GIVEN_S:
            return False
        self._trusting.add(target.path)
        return True

    def _not_held(self, ready: Sequence[Aim]) -> list[Aim]:
        """What vanishes may be a renamed file's only local source: it waits for those that are fetched."""
        bases = self._site.state.bases([a.path for a in ready]) if ready and self._waiting_for else {}
        held: set[RelPath] = set()
        for path, base in bases.items():
            if base.entry.content is None:
                continue
            wanted = self._site.ledger.class_of(path), base.entry.content
            if wanted in self._waiting_for:
                held.add(path)
                self._held_for[wanted].add(path)
                self._plan.block(path, HOLD_SOURCE_S)
        return [a for a in ready if a.path not in held]

    def _let_go(self, wanted: tuple[str, ContentId]) -> None:
        """The content is here now, or nowhere: what it may be copied from is not held any more."""
        sources = self._held_for.pop(wanted, ())
        self._plan.unblock(sources)
        self._plan.more = self._plan.more or bool(sources)

    def _gather(self, file_class: str, target: Aim) -> list[Wanted]:
        """Note what the path waits for; returns what is not being fetched already."""
        contents = target.contents
        self._gathering[target.path] = set(contents)
        fresh = [c for c in contents if (file_class, c) not in self._waiting_for]
        for content in contents:
            self._waiting_for.setdefault((file_class, content), set()).add(target.path)
        heads = self._site.state.heads([target.path])[target.path] if target.sources else ()
        sizes = {h.entry.content: h.entry.size for h in heads}
        return [Wanted(c, sizes.get(c, target.put.size), target.path) for c in fresh]

    def fetched(self, file_class: str, contents: Sequence[ContentId]) -> None:
        complete: list[RelPath] = []
        for content in contents:
            self._missing_since.pop((file_class, content), None)
            self._let_go((file_class, content))
            for path in sorted(self._waiting_for.pop((file_class, content), set())):
                missing = self._gathering.get(path)
                if missing is None:
                    continue
                missing.discard(content)
                if not missing:
                    del self._gathering[path]
                    complete.append(path)
        self._place_gathered(complete, set(contents))

    def _place_gathered(self, paths: Sequence[RelPath], arrived: set[ContentId]) -> None:
        """Plan anew now, since other changes may have come meanwhile."""
        ready: list[Aim] = []
        for path, target in self._plan.open_aims(paths).items():
            if target.sources:
                self._merging[path] = target
                self._site.scope.emit(Merge(self._site.mandate, path, target.sources))
            elif set(target.contents) <= arrived:
                ready.append(target)
            else:
                self._begin([path])
        self._place(ready)

    def fetch_failed(self, file_class: str, contents: Sequence[ContentId]) -> None:
        now_s = self._site.scope.now.monotonic_s
        for content in contents:
            is_gone = now_s - self._missing_since.setdefault((file_class, content), now_s) >= MISSING_AFTER_S
            self._let_go((file_class, content))
            for path in sorted(self._waiting_for.pop((file_class, content), set())):
                self._gathering.pop(path, None)
                self._ungiven.add(path)
                if is_gone:
                    self._plan.get_stuck(Problem(path, Code.CONTENT_MISSING))
                else:
                    self._plan.block(path)

    def peer_has_news(self) -> None:
        """What nobody could give may be had now."""
        self._plan.unblock(self._ungiven)
        self._plan.more = self._plan.more or bool(self._ungiven)
        self._ungiven.clear()

    def merged(self, event: Merged) -> None:
        target = self._merging.pop(event.path, None)
        if target is None:
            return
        self._plan.agree(event.path)
        if event.entry is None:
            if event.unmergeable:
                self._plan.unmergeable.add((event.path, event.sources))
            self._begin([event.path])
            return
        current = self._plan.aims([event.path])[event.path]
        if current.sources != event.sources:
            self._begin([event.path])
            return
        self._plan.disagree(event.problems)
        put = replace(event.entry, mtime_ns=target.put.mtime_ns, mode=target.put.mode)
        self._place([replace(current, put=put)])

    def _place(self, aims: Sequence[Aim], sources: Mapping[RelPath, RelPath] | None = None) -> None:
        """`sources`: from where files may be moved, by their new paths; both go into the same batch."""
        if not aims:
            return
        sources = sources or {}
        aims = _side_by_side(aims, sources)
        bases = self._site.state.bases([a.path for a in aims])
        self._plan.placing.update((a.path, a) for a in aims)
        for start in range(0, len(aims), BATCH_MAX):
            batch = aims[start : start + BATCH_MAX]
            self._site.state.begin_placing([PlacingRow(a.path, a.put, a.heads) for a in batch])
            items = tuple(self._item(a, bases.get(a.path), sources.get(a.path)) for a in batch)
            self._site.scope.emit(Place(self._site.mandate, items))

    def placed(self, event: Placed) -> tuple[Seen, ...]:
        """Set base to what was placed; returns what was found instead of what was expected."""
        self._record([o for o in event.outcomes if o.placed])
        as_foreseen = [o.path for o in event.outcomes if o.placed and self._is_foreseen(o.path)]
        for o in event.outcomes:
            self._plan.placing.pop(o.path, None)
            trusted = o.path in self._trusting
            self._trusting.discard(o.path)
            if o.problem is not None and not (trusted and o.problem.code is Code.CONTENT_MISSING):
                self._plan.get_stuck(o.problem)
            elif o.found is not None and o.found.entry.same_as(self._expected(o.path)):
                self._plan.block(o.path, OBSTRUCTED_S)
        self._site.state.end_placing([o.path for o in event.outcomes])
        self._plan.finish(as_foreseen)
        self._plan.renew_todo(sorted({o.path for o in event.outcomes}.difference(as_foreseen)))
        self._plan.more = True
        return tuple(o.found for o in event.outcomes if o.found is not None)

    def _is_foreseen(self, path: RelPath) -> bool:
        """Whether what was to be placed is still what should stand there."""
        return path in self._plan.placing and self._plan.foreseen(path) is self._plan.placing[path]

    def _expected(self, path: RelPath) -> Entry:
        base = self._site.state.bases([path]).get(path)
        return base.entry if base is not None else ABSENT

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        bases = self._site.state.bases([o.path for o in outcomes if not o.moved])
        rows: list[BaseRow] = []
        gone: list[RelPath] = []
        for o in outcomes:
            target = self._plan.placing.get(o.path)
            if target is None:
                continue
            base = bases.get(o.path)
            if base is not None and base.entry.content not in (None, target.put.content):
                change = base.heads[0] if base.heads else None
                self._site.add_version(o.path, base.entry, self._keep_reason(target, base), change)
            if target.put.kind == Kind.ABSENT:
                gone.append(o.path)
            else:
                rows.append(BaseRow(o.path, target.put, o.stat, target.heads))
        self._plan.unblock(o.path for o in outcomes)
        self._site.state.put_bases(rows)
        self._site.state.drop_bases(gone)
        self._site.state.clear_problems([o.path for o in outcomes], DISK_CODES)

    def _item(self, target: Aim, base: BaseRow | None, source: RelPath | None) -> PlaceItem:
        expect = base.entry if base is not None else ABSENT
        stat = base.stat if base is not None else None
        stood = base.heads if base is not None else ()
        return PlaceItem(target.path, expect, stat, target.put, self._keep_reason(target, base), stood, source)

    def _keep_reason(self, target: Aim, base: BaseRow | None) -> str:
        if base is not None and not base.heads:
            return "damaged" if (base.path, base.entry.content) in self._plan.damaged else "refused"
        if base is not None and any(loser.id in base.heads for loser in target.losers):
            return "conflict"
        return "removed" if target.put.kind == Kind.ABSENT else "replaced"


def _side_by_side(aims: Sequence[Aim], sources: Mapping[RelPath, RelPath]) -> Sequence[Aim]:
    """First each file that may be moved, with what vanishes for it: two that are not parted when batches are cut."""
    if not sources:
        return aims
    by_path = {a.path: a for a in aims}
    pairs = [(new, old) for new, old in sources.items() if new in by_path and old in by_path]
    return [*(by_path.pop(path) for pair in pairs for path in pair), *by_path.values()]

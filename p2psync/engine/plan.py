"""Plan: compare what should stand on this disk with what does, and keep the list of what is to be done.

The list itself is in the state, so that it survives a crash and costs no memory; here is what holds for
the paths under way: their placements in flight, and until when others are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from p2psync.core.changelog import Stated
from p2psync.core.conflict import Verdict
from p2psync.core.entry import Kind
from p2psync.core.ids import ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath, all_ancestors, fold
from p2psync.core.value import value
from p2psync.engine.aim import Aim, aim
from p2psync.engine.renames import Renames
from p2psync.engine.site import BATCH_MAX, RETRY_AFTER_S, Site
from p2psync.engine.state import BaseRow, LiveRow, PlacingRow, TodoKind, TodoRow

FORESEEN_MAX = 8_000
"""Files whose aims are kept in memory until they are fetched and placed; for more of them the state is asked again."""
BEGUN_MAX = 4_000
"""The same of those that were begun when there were more, twice as many as may be in flight: some cannot be had."""
EXACT = Folding()
"""A disk on which every name is a file of its own."""


@value
class Sight:
    """What is known of some paths at one moment."""

    paths: Sequence[RelPath]
    heads: Mapping[RelPath, Sequence[Stated]]
    bases: Mapping[RelPath, BaseRow]
    verdicts: Mapping[RelPath, Verdict]


class Plan:
    def __init__(self, site: Site):
        self._site = site
        self.placing: dict[RelPath, Aim] = {}
        """Placements in flight: until they are reported, their paths are neither planned nor observed."""
        self.stuck: dict[RelPath, Code] = {}
        """Paths that will not be placed without somebody's help."""
        self._shown: dict[RelPath, Code] = {}
        """Problems of paths that were stuck, until they show what they should, by whatever way."""
        self.more = True
        """Whether the list may hold something that can be started."""
        self.cut_off: dict[RelPath, PlacingRow] = dict(site.state.placing())
        """Placements that were in flight when the last run or the folder ended: until the folder was scanned, they may
        have happened or not. Their paths are left alone, so that what stands there is recognised."""
        self.unmergeable: set[tuple[RelPath, tuple[ContentId, ...]]] = set()
        self._disputed = {RelPath(p.path) for p in site.state.problems() if p.code == Code.INDEX_CONFLICT}
        """Indexes whose merged view has lines that contradict each other."""
        self.damaged: set[tuple[RelPath, ContentId | None]] = set()
        """What a disk made of files, to say why it is kept; forgotten at the end of the run."""
        self._foreseen: dict[RelPath, Aim] = {}
        """Aims of files to be placed or removed that are the only heads of their paths. Whatever could change such an
        aim renews its path, so that fetching and placing need not ask the state again."""
        self.renames = Renames()
        self._blocked: dict[RelPath, float] = {}
        """Until when (monotonic seconds) a path is left alone."""

    def is_blocked(self, path: RelPath) -> bool:
        return bool(self._blocked) and self._blocked.get(path, 0.0) > self._site.scope.now.monotonic_s

    def touched(self, paths: Iterable[RelPath], bases: Mapping[RelPath, BaseRow] | None = None) -> None:
        """The heads or the base of these paths changed: renew what is live and what is to be done.

        `bases`: those of all the paths, where the caller knows them.
        """
        todo = list(dict.fromkeys(paths))
        for start in range(0, len(todo), BATCH_MAX):
            sight = self.look_at(todo[start : start + BATCH_MAX], bases)
            neighbours = self._renew_live(sight)
            self._renew_todo(sight)
            self.renew_todo(sorted(neighbours.difference(sight.paths)))
        self.more = True

    def look_at(self, paths: Sequence[RelPath], bases: Mapping[RelPath, BaseRow] | None = None) -> Sight:
        """Read what is known of some paths, all at once."""
        heads = self._site.state.heads(paths)
        if bases is None:
            bases = self._site.state.bases(paths)
        verdict = self._site.ledger.verdict
        verdicts = {
            path: verdict(path, heads.get(path, ()), bases[path].heads if path in bases else ()) for path in paths
        }
        return Sight(paths, heads, bases, verdicts)

    def _renew_live(self, sight: Sight) -> set[RelPath]:
        """Returns other paths whose outcome depends on whether these are live."""
        before = self._site.state.live(sight.paths)
        rows: list[LiveRow] = []
        changed: list[RelPath] = []
        folding, absent = self._site.folding, Kind.ABSENT
        for path in sight.paths:
            winner = sight.verdicts[path].winner
            if winner is not None and winner.entry.kind != absent:
                rows.append(LiveRow(path, winner.entry, fold(path, folding), len(sight.heads[path])))
                if path not in before:
                    changed.append(path)
            elif path in before:
                changed.append(path)
        alive = {row.path for row in rows}
        self._site.state.put_live([row for row in rows if before.get(row.path) != row])
        self._site.state.drop_live([path for path in before if path not in alive])
        return self._neighbours(changed)

    def _neighbours(self, changed: Sequence[RelPath]) -> set[RelPath]:
        files = {a for a, row in self._site.state.live(all_ancestors(changed)).items() if row.entry.kind == Kind.FILE}
        if self._site.folding == EXACT:
            return files
        slots = self._site.state.live_in_slots({fold(path, self._site.folding) for path in changed})
        return files | {path for many in slots.values() for path in many}

    def renew_todo(self, paths: Sequence[RelPath]) -> None:
        """Compare these paths' aims with their bases; their heads are what they were."""
        if paths:
            self._renew_todo(self.look_at(paths))

    def _renew_todo(self, sight: Sight) -> None:
        paths, bases = sight.paths, sight.bases
        aims = self.aims_of(sight)
        unjudged = self._site.state.todo_rows(TodoKind.JUDGE, paths) if not self.all_judged() else {}
        done: list[RelPath] = []
        adopted: list[BaseRow] = []
        keep: list[TodoRow] = []
        open_: list[TodoRow] = []
        for path in paths:
            base, target = bases.get(path), aims[path]
            self._forget(path)
            if path in self._disputed and not target.sources:
                self.agree(path)
            if path in unjudged:
                continue
            if target.losers:
                keep.append(TodoRow(path, TodoKind.KEEP))
            if not target.stands(base):
                open_.append(TodoRow(path, TodoKind.PLACE))
                self._foresee(target, sight, FORESEEN_MAX)
                continue
            done.append(path)
            if base is not None and base.heads != target.heads:
                adopted.append(replace(base, heads=target.heads))
        self._site.state.put_bases(adopted)
        self._site.state.add_todo([*open_, *keep])
        begun = self.placing.keys() | self.cut_off.keys()
        self.finish([path for path in done if path not in begun])

    def opened(self) -> None:
        """The folder is looked after anew; what was in flight until now was cut off."""
        self.cut_off = dict(self._site.state.placing())

    def scanned(self) -> None:
        """What stands in the folder is known, and with it how the placements that were cut off ended."""
        self._site.state.end_placing(self.cut_off)
        self.cut_off = {}
        self.more = True

    def disagree(self, problems: Iterable[Problem]) -> None:
        """What the merged view of an index shows twice, or does not show at all."""
        self._disputed.update(RelPath(problem.path) for problem in problems)
        self._site.state.put_problems(problems)

    def agree(self, path: RelPath) -> None:
        """The index is not merged any more, or is merged anew."""
        self._disputed.discard(path)
        self._site.state.clear_problems([path], [Code.INDEX_CONFLICT])

    def finish(self, paths: Sequence[RelPath]) -> None:
        """These paths show what they should."""
        self._site.state.drop_todo(TodoKind.PLACE, paths)
        over = {path: self._shown.pop(path) for path in paths if path in self._shown}
        if over:
            self._site.state.clear_problems(over, set(over.values()))
        for path in paths:
            self._forget(path)
        self.unblock(paths)

    def _foresee(self, target: Aim, sight: Sight, at_most: int) -> None:
        kind, base = target.put.kind, sight.bases.get(target.path)
        if len(sight.heads.get(target.path, ())) != 1 or kind == Kind.DIRECTORY or len(self._foreseen) >= at_most:
            return
        self._foreseen[target.path] = target
        if base is None and kind == Kind.FILE:
            self.renames.arrives(target.path, target.put.content)
        elif kind == Kind.ABSENT and not target.losers and base is not None and base.heads:
            self.renames.leaves(target.path, base.entry.content)

    def _forget(self, path: RelPath) -> None:
        if self._foreseen.pop(path, None) is not None:
            self.renames.discard(path)

    def foreseen(self, path: RelPath) -> Aim | None:
        """What a look would tell of a path that is to be placed; None if it takes a look."""
        return self._foreseen.get(path)

    def aims(self, paths: Sequence[RelPath]) -> dict[RelPath, Aim]:
        return self.aims_of(self.look_at(paths))

    def aims_of(self, sight: Sight) -> dict[RelPath, Aim]:
        in_the_way = self._site.state.with_live_below(sight.heads)
        aims = {
            path: aim(path, sight.heads.get(path, ()), sight.verdicts[path], path in in_the_way, False)
            for path in sight.paths
        }
        for path in [path for path, sources in self.unmergeable if path in aims and aims[path].sources == sources]:
            aims[path] = aim(path, sight.heads[path], sight.verdicts[path], path in in_the_way, unmergeable=True)
        return aims

    def open_aims(self, paths: Sequence[RelPath]) -> dict[RelPath, Aim]:
        """The aims of those paths that do not show yet what they should.

        They are about to be fetched or placed: there is room to remember them even when there is none for others.
        """
        aims = {path: known for path in paths if (known := self._foreseen.get(path)) is not None}
        others = [path for path in paths if path not in aims]
        if others:
            sight = self.look_at(others)
            looked = self.aims_of(sight)
            stand = {path for path in others if looked[path].stands(sight.bases.get(path))}
            self.renew_todo(sorted(stand))
            for path in others:
                if path not in stand:
                    aims[path] = looked[path]
                    self._foresee(looked[path], sight, FORESEEN_MAX + BEGUN_MAX)
        return aims

    def rival(self, target: Aim) -> RelPath | None:
        """Another live path that holds this path's slot, if one does: the one in base stays, else the lower."""
        if self._site.folding == EXACT or target.put.kind == Kind.ABSENT:
            return None
        slot = fold(target.path, self._site.folding)
        rivals = [p for p in self._site.state.live_in_slots([slot]).get(slot, ()) if p != target.path]
        if not rivals:
            return None
        standing = self._site.state.bases([target.path, *rivals])
        if target.path in standing:
            return None
        holder = min((r for r in rivals if r in standing), default=min(rivals))
        return holder if holder in standing or holder < target.path else None

    def get_stuck(self, problem: Problem) -> None:
        path = RelPath(problem.path)
        self._site.state.put_problems([problem])
        self.stuck[path] = self._shown[path] = problem.code
        self.block(path)

    def retry(self) -> None:
        """Time has passed: whatever was blocked long enough is tried again."""
        now_s = self._site.scope.now.monotonic_s
        due = [path for path, until in self._blocked.items() if until <= now_s]
        self.unblock(due)
        self.more = self.more or bool(due)
        if self._blocked:
            self._site.scope.wake_in(max(0.05, min(self._blocked.values()) - now_s))

    @property
    def blocked(self) -> Mapping[RelPath, float]:
        """Until when what could not be fetched or placed rests, in seconds of the monotonic clock."""
        return self._blocked

    def unblock_all(self) -> None:
        """A peer came: what could not be fetched may be fetched now."""
        self._blocked.clear()
        self.more = True

    def block(self, path: RelPath, seconds: float = RETRY_AFTER_S) -> None:
        self._blocked[path] = self._site.scope.now.monotonic_s + seconds
        self._site.scope.wake_in(seconds)

    def unblock(self, paths: Iterable[RelPath]) -> None:
        if self._blocked or self.stuck:
            for path in paths:
                self._blocked.pop(path, None)
                self.stuck.pop(path, None)

    def all_judged(self) -> bool:
        return self._site.state.todo_count(TodoKind.JUDGE) == 0

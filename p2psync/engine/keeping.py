"""Keep the losers of conflicts: every PC fetches their bytes into its versions, to show and restore them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from p2psync.core.changelog import Stated
from p2psync.core.ids import ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import Fetch, KeepVersion, Wanted
from p2psync.engine.placement import MISSING_AFTER_S
from p2psync.engine.plan import Plan
from p2psync.engine.site import BATCH_MAX, RETRY_AFTER_S, Site
from p2psync.engine.state import TodoKind

RESTS_AT_LEAST_S = 0.05
"""Between two looks at whether a rest is over, however little of it is left."""


class Keeping:
    def __init__(self, site: Site, plan: Plan):
        self._site = site
        self._plan = plan
        self._under_way: dict[tuple[str, ContentId], set[RelPath]] = {}
        """Contents that were asked for, or are being copied, by class of files, and the paths whose losers they are."""
        self._resting: dict[RelPath, float] = {}
        """Until when (monotonic seconds) a path is left alone after nobody could give its losers."""
        self._missing_since: dict[tuple[str, ContentId], float] = {}
        """When (monotonic seconds) nobody could give a content for the first time."""
        self.stuck: dict[RelPath, Code] = {}
        """Paths with a loser that nobody in reach has had for a while."""
        self._cursor: RelPath | None = None

    def forget(self) -> None:
        """The folder was opened anew: whatever was asked for before will not be answered."""
        self._under_way.clear()
        self._missing_since.clear()

    def pump(self) -> None:
        """Ask for what is missing, a batch of paths at a time."""
        rows = self._site.state.todo(TodoKind.KEEP, self._cursor, BATCH_MAX)
        self._cursor = rows[-1].path if len(rows) == BATCH_MAX else None
        now_s = self._site.scope.now.monotonic_s
        self._resting = {path: until_s for path, until_s in self._resting.items() if until_s > now_s}
        if self._resting:  # asked for each time: a Tick that came for something else took the place of that one
            self._site.scope.wake_in(max(RESTS_AT_LEAST_S, min(self._resting.values()) - now_s))
        busy = {path for paths in self._under_way.values() for path in paths}
        paths = [r.path for r in rows if r.path not in busy and r.path not in self._resting]
        if not paths:
            return
        aims = self._plan.aims(paths)
        wanted: defaultdict[str, list[Wanted]] = defaultdict(list)
        for path in paths:
            file_class = self._site.ledger.class_of(path)
            wanted[file_class] += self._missing(file_class, path, aims[path].losers)
        for file_class, several in wanted.items():
            if several:
                self._site.scope.emit(Fetch(self._site.mandate, tuple(several), file_class))

    def _missing(self, file_class: str, path: RelPath, losers: Sequence[Stated]) -> list[Wanted]:
        """What to ask for on behalf of a path; nothing more to do if all its losers are kept."""
        sizes = {h.entry.content: h.entry.size for h in losers if h.entry.content is not None}
        missing = set(sizes) - self._kept(path, sizes)
        if not missing:
            self._site.state.drop_todo(TodoKind.KEEP, [path])
            self._finish(path)
        wanted = [
            Wanted(content, sizes[content], path)
            for content in sorted(missing)
            if (file_class, content) not in self._under_way
        ]
        for content in missing:
            self._under_way.setdefault((file_class, content), set()).add(path)
        return wanted

    def _kept(self, path: RelPath, contents: Iterable[ContentId]) -> Set[ContentId]:
        """Of these, those that are among the versions; where classes are kept apart, among those of this path."""
        if self._site.ledger.authority.rules.restrictions:
            return {row.content for row in self._site.state.versions(path)}
        return self._site.state.has_version(contents)

    def _finish(self, path: RelPath) -> None:
        if self.stuck.pop(path, None) is not None and path not in self._plan.stuck:
            self._site.state.clear_problems([path], [Code.CONTENT_MISSING])

    def fetched(self, file_class: str, contents: Iterable[ContentId]) -> None:
        for content in contents:
            key = file_class, content
            self._missing_since.pop(key, None)
            paths = {path for path in sorted(self._under_way.pop(key, set())) if self._keep(file_class, path, content)}
            if paths:
                self._under_way[key] = paths

    def _keep(self, file_class: str, path: RelPath, content: ContentId) -> bool:
        """Whether it is a head still, and is being copied into the versions."""
        head = next((h for h in self._site.state.heads([path]).get(path, ()) if h.entry.content == content), None)
        if head is not None:
            self._site.scope.emit(KeepVersion(self._site.mandate, path, head.entry, "conflict", head.id, file_class))
        return head is not None

    def kept(self, path: RelPath, content: ContentId) -> None:
        self._under_way.pop((self._site.ledger.class_of(path), content), None)

    def failed(self, file_class: str, contents: Iterable[ContentId]) -> None:
        """Nobody could give them, or they vanished before they were copied: again in a while."""
        now_s = self._site.scope.now.monotonic_s
        for content in contents:
            paths = self._under_way.pop((file_class, content), set())
            if not paths:
                continue
            self._site.scope.wake_in(RETRY_AFTER_S)
            self._resting.update(dict.fromkeys(paths, now_s + RETRY_AFTER_S))
            if now_s - self._missing_since.setdefault((file_class, content), now_s) >= MISSING_AFTER_S:
                self.stuck.update(dict.fromkeys(paths, Code.CONTENT_MISSING))
                self._site.state.put_problems([Problem(path, Code.CONTENT_MISSING) for path in sorted(paths)])

    @property
    def resting(self) -> Mapping[RelPath, float]:
        """Until when what nobody could give is not asked for again, in seconds of the monotonic clock."""
        return self._resting

    def peer_has_news(self) -> None:
        """What nobody could give may be had now."""
        self._resting.clear()

"""One mandate's folder on this disk: observe what users save, plan and place what the others saved.

*Base* is what this device last saw at each path and which heads that is. Everything follows from comparing
it with two others: with the disk (`observation`) and with the heads (`plan`, `placement`).
"""

from __future__ import annotations

from collections.abc import Sequence

from p2psync.core.entry import ABSENT, Kind
from p2psync.core.ids import ContentId
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath
from p2psync.engine.bridge import Shown
from p2psync.engine.effects import Rescan
from p2psync.engine.events import FolderOpened, Observed, Placed
from p2psync.engine.keeping import Keeping
from p2psync.engine.ledger import Taken
from p2psync.engine.observation import Observation
from p2psync.engine.placement import Placement
from p2psync.engine.plan import Plan
from p2psync.engine.site import Site
from p2psync.engine.state import TodoKind


class Replica:
    def __init__(self, site: Site):
        self._site = site
        self.plan = Plan(site)
        self.observation = Observation(site, self.plan)
        self.placement = Placement(site, self.plan)
        self.keeping = Keeping(site, self.plan)

    def placed(self, event: Placed) -> list[Taken]:
        """Base is what stands there now; what was found instead of what was expected is an observation."""
        found = self.placement.placed(event)
        self.observation.unsure.difference_update(o.path for o in event.outcomes if o.placed)
        missed = self.observation.missed.intersection(o.path for o in event.outcomes)
        if missed:
            self.observation.missed -= missed
            self._site.scope.emit(Rescan(self._site.mandate, tuple(sorted(missed))))
        return self.observation.observe(Observed(self._site.mandate, found)) if found else []

    def opened(self, event: FolderOpened) -> None:
        """The folder is looked after from now on."""
        self.forget()
        self.observation.opened(event)

    def forget(self) -> None:
        """Whatever was asked for before will not be answered, or nobody will listen."""
        self.placement.forget()
        self.keeping.forget()

    def pump(self) -> list[Taken]:
        """Start what can be started; returns blocks with files that were found earlier and judged now."""
        if not self.observation.is_open:
            return []
        taken = self.observation.judge_found()
        self.placement.pump()
        self.keeping.pump()
        return taken

    def fetched(self, file_class: str, contents: Sequence[ContentId]) -> None:
        self.placement.fetched(file_class, contents)
        self.keeping.fetched(file_class, contents)

    def fetch_failed(self, file_class: str, contents: Sequence[ContentId]) -> None:
        self.placement.fetch_failed(file_class, contents)
        self.keeping.failed(file_class, contents)

    def peer_came(self) -> None:
        """What nobody could give may be had now."""
        self.plan.unblock_all()
        self.keeping.peer_has_news()

    def peer_placed(self) -> None:
        """A peer has all contents that it means to have: what it could not give before it may give now."""
        self.placement.peer_has_news()
        self.keeping.peer_has_news()

    def shown(self, path: RelPath) -> Shown:
        """What the folder has at a path, for a program's file that is attached to it."""
        sight = self.plan.look_at([path])
        base, verdict = sight.bases.get(path), sight.verdicts[path]
        settled = self.observation.is_open and self.observation.scanned
        judged = self.plan.all_judged() or not self._site.state.todo_rows(TodoKind.JUDGE, [path])
        stands = self.plan.aims_of(sight)[path].stands(base)
        gone = tuple(head.id for head in sight.heads.get(path, ()) if head.entry.kind == Kind.ABSENT)
        return Shown(
            entry=base.entry if base is not None else ABSENT,
            heads=base.heads if base is not None else gone,
            losers=tuple(loser.id for loser in verdict.losers),
            arriving=not (settled and judged and stands) or path in self.plan.placing,
            may_publish=self._site.ledger.may_write(path),
        )

    def waiting(self) -> int:
        """Paths that this disk does not show yet as it should, and those with losers that are not kept yet."""
        return sum(self._site.state.todo_count(kind) for kind in TodoKind)

    @property
    def stuck(self) -> dict[RelPath, Code]:
        """Paths that will not be as they should without somebody's help."""
        return {**self.keeping.stuck, **self.plan.stuck}

    @property
    def stuck_until_s(self) -> float | None:
        """When the first of what is stuck is tried again, by the monotonic clock; None if nothing is put off."""
        until = {**self.keeping.resting, **self.plan.blocked}
        return min((until[path] for path in self.stuck if path in until), default=None)

    @property
    def is_busy(self) -> bool:
        """Whether anything goes on that will end without a person's help."""
        under_way = self.placement.in_flight > 0 or not self.observation.scanned
        return under_way or self.waiting() > len(self.plan.stuck) + len(self.keeping.stuck)

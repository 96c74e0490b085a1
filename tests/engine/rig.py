"""One device's replica with a hand on each of its inputs, and an author elsewhere whose changes it takes in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from p2psync.core.block import ORDINARY
from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import ContentId, content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import Folding, RelPath, parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable
from p2psync.engine.effects import Effect, Fetch, KeepVersion, Merge, Place, PlaceItem
from p2psync.engine.events import FolderOpened, Merged, Observed, Outcome, Placed, Seen
from p2psync.engine.ledger import Taken
from p2psync.engine.replica import Replica
from p2psync.engine.scope import Now, Scope
from p2psync.engine.site import Follower, Site
from p2psync.engine.state import BaseRow, TodoKind
from tests.engine.ledgers import Desk, office


def file(text: str, mode: int = 0) -> Entry:
    return Entry(Kind.FILE, len(text), 1_000, mode, content_of(text.encode()))


def content(text: str) -> ContentId:
    return content_of(text.encode())


def seen(path: str, text: str | None, inode: int = 1) -> Seen:
    """What a scanner reports; None for nothing there."""
    if text is None:
        return Seen(parse(path), ABSENT)
    return Seen(parse(path), file(text), FileStat(len(text), 1_000, inode))


class Rig:
    def __init__(
        self,
        *,
        rules: RuleTable = DEFAULT_RULES,
        role: Role = Role.ACCOUNTING,
        folding: Folding | None = None,
        opened: bool = True,
    ):
        self.author, self.desk = office("author", "here", rules=rules, role=role)
        self.scope = Scope()
        self.scope.now = Now(100.0, 5_000)
        self.folding = folding or Folding()
        self.followers: dict[int, Follower] = {}
        self.replica = self._replica()
        if opened:
            self.open()

    def _replica(self) -> Replica:
        desk = self.desk
        return Replica(Site(desk.mandate, desk.state, desk.ledger, desk.keys, self.scope, self.folding, self.followers))

    def open(self, on_disk: Mapping[str, str] | None = None, *, continuous: bool = True) -> Rig:
        """Open the folder and scan it; `on_disk` gives the texts of the files that lie there."""
        self.replica.opened(FolderOpened(self.desk.mandate, continuous, b"epoch"))
        found: dict[str, str | None] = dict.fromkeys(row.path for row in self.desk.state.all_bases())
        found.update(on_disk or {})
        self.look(*(seen(path, text) for path, text in found.items()))
        self.replica.observation.scan_finished(True)
        return self

    def restart(self) -> Rig:
        """The process ended, and a new one begins with the same database."""
        self.desk = self.desk.restarted()
        self.scope = Scope()
        self.scope.now = Now(100.0, 5_000)
        self.replica = self._replica()
        return self

    def newcomer(self) -> Rig:
        """Here is a device that the author will admit, and that has not heard of anything yet."""
        self.desk = Desk("newcomer", self.desk.mandate)
        self.replica = self._replica()
        return self

    # -- inputs ----------------------------------------------------------------------------------------

    def sees(self, path: str, text: str | None) -> list[Taken]:
        return self.look(seen(path, text))

    def look(self, *what: Seen) -> list[Taken]:
        return self.replica.observation.observe(Observed(self.desk.mandate, what))

    def gives_up(self, path: str, text: str) -> list[Taken]:
        """A file stands there that lacks its end, for long."""
        return self.replica.observation.observe(Observed(self.desk.mandate, (), torn=(seen(path, text),)))

    def takes_in(self) -> Rig:
        """Read what the author wrote, and plan it."""
        taken = self.desk.read(self.author)
        self.replica.plan.touched(path for one in taken for path in one.paths)
        return self

    def fetched(self, *texts: str) -> Rig:
        self.replica.fetched(ORDINARY, [content(text) for text in texts])
        return self

    def fetch_failed(self, *texts: str) -> Rig:
        self.replica.fetch_failed(ORDINARY, [content(text) for text in texts])
        return self

    def placed(self, *outcomes: Outcome) -> list[Taken]:
        return self.replica.placed(Placed(self.desk.mandate, outcomes))

    def merged(self, path: str, sources: tuple[ContentId, ...], entry: Entry | None, **others: Any) -> Rig:
        self.replica.placement.merged(Merged(self.desk.mandate, parse(path), sources, entry, **others))
        return self

    def after(self, seconds: float) -> Rig:
        """Time passes, and a Tick comes."""
        self.scope.now = Now(self.scope.now.monotonic_s + seconds, self.scope.now.wall_ms)
        self.replica.plan.retry()
        return self

    # -- outputs ---------------------------------------------------------------------------------------

    def effects(self) -> list[Effect]:
        self.replica.pump()
        return self.scope.take_effects()

    def of(self, kind: type[Any]) -> list[Any]:
        """What the next round asks of this kind; other effects are dropped."""
        return [effect for effect in self.effects() if isinstance(effect, kind)]

    def fetches(self) -> list[ContentId]:
        return [w.content for effect in self.of(Fetch) for w in effect.wanted]

    def places(self) -> list[PlaceItem]:
        return [item for effect in self.of(Place) for item in effect.items]

    def merges(self) -> list[Merge]:
        return self.of(Merge)

    def keeps(self) -> list[KeepVersion]:
        return self.of(KeepVersion)

    def base(self, path: str) -> BaseRow | None:
        return self.desk.state.bases([parse(path)]).get(parse(path))

    def todo(self, kind: TodoKind = TodoKind.PLACE) -> list[RelPath]:
        return [row.path for row in self.desk.state.todo(kind, None, 100)]

    @property
    def problems(self) -> list[tuple[str, Code]]:
        return [(problem.path, problem.code) for problem in self.desk.state.problems()]

    # -- shortcuts -------------------------------------------------------------------------------------

    def shows(self, path: str, text: str | None) -> Rig:
        """Do all that is asked until the disk shows this at the path."""
        for _ in range(3):
            effects = self.effects()
            wanted = [w.content for e in effects if isinstance(e, Fetch) for w in e.wanted]
            items = [i for e in effects if isinstance(e, Place) for i in e.items]
            if wanted:
                self.replica.fetched(ORDINARY, wanted)
            if items:
                self.placed(*(Outcome(i.path, True, stat=FileStat(i.put.size, 1_000, 2)) for i in items))
        base = self.base(path)
        assert (base.entry.content if base else None) == (None if text is None else content(text))
        return self

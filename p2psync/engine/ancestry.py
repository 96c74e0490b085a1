"""What changes follow from, as the rules ask for it: their ancestry alone decides, whether any of it counts or not."""

from __future__ import annotations

from collections.abc import Set

from p2psync.core.changelog import Stated
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, DeviceId
from p2psync.engine.state import MandateState


class Ancestry:
    """Of the changes of one mandate that are here."""

    def __init__(self, state: MandateState):
        self._state = state
        self._makers: dict[ChangeId, frozenset[DeviceId]] = {}
        """Who made the file, by change, where that has been asked: only under rules by which it decides."""

    def makers(self, named: tuple[ChangeId, ...]) -> Set[DeviceId]:
        """The authors of the first changes that these follow from."""
        before: dict[ChangeId, Stated] = {}
        ahead = [change for change in named if change not in self._makers]
        while ahead:
            before.update(self._state.changes(ahead))
            further = {parent for change in ahead for parent in before[change].named}
            ahead = [change for change in further if change not in self._makers and change not in before]
        for stated in sorted(before.values(), key=lambda s: s.stamp):
            makers = (self._makers[parent] for parent in stated.named)
            self._makers[stated.id] = frozenset().union(*makers) if stated.named else frozenset({stated.author})
        return frozenset[DeviceId]().union(*(self._makers[change] for change in named))

    def has_file(self, named: tuple[ChangeId, ...]) -> bool:
        """Whether any of these states a file: what names it would take its place."""
        return any(stated.entry.kind == Kind.FILE for stated in self._state.changes(named).values()) if named else False

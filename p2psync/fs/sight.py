"""What a scan or a look brings back: facts about this disk that nobody has judged yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from p2psync.books.completeness import Completeness
from p2psync.core.entry import Entry, FileStat
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable, value
from p2psync.engine.events import Seen

SIGHT_PATHS_MAX = 500
SIGHT_PATHS_FIRST = 64
"""Of a pass; each further sight may hold twice as many. The others get to work while most is still to be looked at."""

Row = tuple[RelPath, Entry, FileStat | None]
"""A path of the base: what stood there when this device last knew, and its stat then."""


Expected = tuple[RelPath, FileStat | None, int]
"""A path, and the stat (None: nothing stands there) and the mode of what we ourselves are about to make it hold."""


class Onlooker(Protocol):
    """Who watches the folder and is to know what we ourselves do there; called from any thread."""

    def expect(self, several: Sequence[Expected]) -> None:
        """These names are about to change."""

    def made(self, directory: RelPath) -> None:
        """It was made just now, and nothing of ours lies in it yet."""

    def coming(self, paths: Sequence[RelPath]) -> None:
        """Files of ours are about to be renamed to these names, each of which is free, and stays as it is if not."""

    def not_come(self, path: RelPath) -> None:
        """One of those was not."""


class BaseView(Protocol):
    """Reading the base of one mandate, from any thread."""

    def get_many(self, paths: Iterable[RelPath]) -> Mapping[RelPath, tuple[Entry, FileStat | None]]:
        """What is known of these paths; those that are not in the base are left out."""

    def all(self) -> Iterable[Row]:
        """Every path, in the byte order of UTF-8; pages may be read while it is walked through."""

    def below(self, directory: RelPath) -> Iterable[Row]:
        """Every path below a directory, in the same order."""


@value
class Found:
    """Something stands at a path that differs from the base, or the base's path gave way to a directory."""

    seen: Seen
    whole: Completeness
    age_s: float
    """Since it was modified, by this computer's clock; negative where that was set back."""
    asked: RelPath | None = None
    """The directory that the look was meant for, if it was not the path itself."""
    racy_s: float = 0.0
    """It may have been saved again within the same tick of the disk's clock: to be read again after so long."""


@value
class Missing:
    """Nothing stands where something stood."""

    path: RelPath
    entry: Entry
    stat: FileStat | None


@mutable
class Moved:
    """Files that left their names: met again under others, they need not be read."""

    by_stat: Mapping[FileStat, Missing] = field(default_factory=dict)
    met: set[RelPath] = field(default_factory=set)
    """The names of those that were met."""


@value
class Large:
    """A file that takes long to read, and was not read."""

    path: RelPath
    size: int
    age_s: float
    """As in Found."""


@value
class Sight:
    """At most about SIGHT_PATHS_MAX paths."""

    found: tuple[Found, ...] = ()
    missing: tuple[Missing, ...] = ()
    large: tuple[Large, ...] = ()
    unstable: tuple[RelPath, ...] = ()
    """They changed while they were read."""
    locked: tuple[RelPath, ...] = ()
    """A program keeps them to itself."""
    problems: tuple[Problem, ...] = ()
    is_last: bool = False
    """Of its pass."""


@mutable
class Gathering:
    """A Sight that is being filled."""

    found: list[Found] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    large: list[Large] = field(default_factory=list)
    unstable: list[RelPath] = field(default_factory=list)
    locked: list[RelPath] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _room: int = SIGHT_PATHS_FIRST

    def __len__(self) -> int:
        return (
            len(self.found)
            + len(self.missing)
            + len(self.large)
            + len(self.unstable)
            + len(self.locked)
            + len(self.problems)
        )

    @property
    def is_full(self) -> bool:
        return len(self) >= min(self._room, SIGHT_PATHS_MAX)

    def take(self, *, is_last: bool = False) -> Sight:
        """What was gathered; the next begins empty."""
        sight = Sight(
            tuple(self.found),
            tuple(self.missing),
            tuple(self.large),
            tuple(self.unstable),
            tuple(self.locked),
            tuple(self.problems),
            is_last,
        )
        for gathered in self._lists():
            gathered.clear()
        self._room *= 2
        return sight

    def _lists(self) -> tuple[list[Found] | list[Missing] | list[Large] | list[RelPath] | list[Problem], ...]:
        return (self.found, self.missing, self.large, self.unstable, self.locked, self.problems)

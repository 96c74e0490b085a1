"""What tells that something happens in a mandate's folder, whatever the system offers for it.

A watcher is entered before the first scan, so that nothing falls between the two, and then iterated over. It tells
of signs only: what they mean, the settler and a look decide. When iteration ends, the folder is gone or was moved.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Protocol

from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.engine.settle import How

COALESCE_FIRST_S = 0.001
"""Signs that come so close together after REST_S without any are told together: a save by rename is five of them."""
COALESCE_S = 0.004
"""The same while signs keep coming."""
REST_S = 0.1
COALESCE_STORM_S = 0.025
"""The same after MANY signs came at once: then more is won by few big batches than by the first file."""
MANY = 100


@value
class Noticed:
    """Something happened at a path."""

    path: RelPath
    how: How


@value
class Refused:
    """Something happened at a name that cannot be a path."""

    problem: Problem
    there: bool
    """False if it went away."""


@value
class Signs:
    """What happened, in its order."""

    noticed: tuple[Noticed, ...] = ()
    refused: tuple[Refused, ...] = ()
    placed: tuple[RelPath, ...] = ()
    """Before all that: files of ours came to these names, as was said, and nothing else happened there since."""


@value
class Lost:
    """Some signs were lost: the folder must be scanned."""


class Watcher(Protocol):
    """An async iterator, one iteration at a time; to be entered again after it was left."""

    hears_closing: bool
    """It tells when a program closes what it wrote."""
    blind: bool
    """Some directories are not watched, for the system allows no more: the folder must be scanned often."""

    async def __aenter__(self) -> Watcher:
        """Everything that happens from now on is told. Raises OSError."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing of it is left running."""

    def made(self, directory: RelPath) -> None:
        """As of an Onlooker: what happens in it is told, and that it was made need not be."""

    def coming(self, paths: Sequence[RelPath]) -> None:
        """As of an Onlooker: where no other program had a hand in it, a renaming may be told as `placed`."""

    def not_come(self, path: RelPath) -> None:
        """As of an Onlooker; called before anybody looks at what stands there."""

    def __aiter__(self) -> AsyncIterator[Signs | Lost]: ...

    async def __anext__(self) -> Signs | Lost:
        """The next signs, in the order in which they happened."""

"""What waits to be asked for, and of whom it may still be asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Set
from typing import Generic, Protocol, TypeVar


class Tried(Protocol):
    @property
    def tried(self) -> frozenset[int]:
        """Links that could not give it."""


T = TypeVar("T", bound=Tried)


class Queue(Generic[T]):
    """First come, first served, but no link gets what it was tried for; no operation looks at all that waits."""

    def __init__(self) -> None:
        self._groups: dict[frozenset[int], deque[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def push(self, thing: T) -> None:
        self._groups.setdefault(thing.tried, deque()).append(thing)

    def push_back(self, thing: T) -> None:
        """Return what was just popped to its place."""
        self._groups.setdefault(thing.tried, deque()).appendleft(thing)

    def pop_for(self, link: int) -> T | None:
        """The next that this link was not tried for."""
        for tried, waiting in self._groups.items():
            if link not in tried:
                thing = waiting.popleft()
                if not waiting:
                    del self._groups[tried]
                return thing
        return None

    def has_for(self, link: int) -> bool:
        """Whether anything waits that this link was not tried for."""
        return any(link not in tried for tried in self._groups)

    def waiting_for(self, link: int) -> Iterator[T]:
        """All that this link was not tried for."""
        for tried, waiting in self._groups.items():
            if link not in tried:
                yield from waiting

    def remove(self, thing: T) -> None:
        """Take out something that waits."""
        waiting = self._groups[thing.tried]
        waiting.remove(thing)
        if not waiting:
            del self._groups[thing.tried]

    def pop_hopeless(self, links: Set[int]) -> list[T]:
        """All that every one of these links was tried for."""
        hopeless = [tried for tried in self._groups if tried >= links]
        return [thing for tried in hopeless for thing in self._groups.pop(tried)]

"""Who marked which version of a file as posted, and what its producer may read from it: published, delivered, posted.

A mark names a content, not a moment: what is saved later is pending again by itself. Marks are never changed; to undo
one is a statement too. From the same marks every device sees the same one standing, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from enum import StrEnum

from p2psync.core.ids import ChangeId, ContentId, DeviceId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value


@value
class Mark:
    """A device of accounting says that it posted what a file held."""

    id: ChangeId
    path: RelPath
    content: ContentId | None
    """None: the file had been removed, and its bookings were taken back."""
    device: DeviceId
    time_ns: int
    """By the device's clock, for people; it decides nothing."""
    stamp: int
    """1 + the highest stamp of the marks of this path that the device knew."""


@value
class Delivery:
    """A device put a version of a file where its bookkeeping program reads it."""

    path: RelPath
    content: ContentId
    device: DeviceId
    time_ns: int
    signed: bool = False
    """The device signed for it, in the log that all members have: the time is by its clock."""


class Step(StrEnum):
    """How far a version has come, as its producer sees it."""

    PUBLISHED = "published"
    DELIVERED = "delivered"
    POSTED = "posted"


@value
class Progress:
    """How far a version has come, and by whom."""

    step: Step
    deliveries: tuple[Delivery, ...] = ()
    """Of this version, the first one first; one for each device."""
    mark: Mark | None = None
    """Who posted it; None unless the step is POSTED."""


def standing(marks: Iterable[Mark], undone: Container[ChangeId]) -> dict[RelPath, Mark]:
    """The mark that holds for each path: the latest that was not undone."""
    held: dict[RelPath, Mark] = {}
    for mark in marks:
        known = held.get(mark.path)
        if mark.id not in undone and (known is None or _order(mark) > _order(known)):
            held[mark.path] = mark
    return held


def next_stamp(marks: Iterable[Mark], path: RelPath) -> int:
    """What a new mark of this path bears."""
    return 1 + max((mark.stamp for mark in marks if mark.path == path), default=0)


def progress(path: RelPath, content: ContentId, deliveries: Iterable[Delivery], mark: Mark | None) -> Progress:
    """How far a version has come; `mark` is the one that stands for its path, if there is one."""
    firsts: dict[DeviceId, Delivery] = {}
    mine = (one for one in deliveries if (one.path, one.content) == (path, content))
    for one in sorted(mine, key=lambda one: (one.time_ns, one.device)):
        firsts.setdefault(one.device, one)
    if mark is not None and mark.content == content:
        return Progress(Step.POSTED, tuple(firsts.values()), mark)
    return Progress(Step.DELIVERED if firsts else Step.PUBLISHED, tuple(firsts.values()))


def _order(mark: Mark) -> tuple[int, ChangeId]:
    return mark.stamp, mark.id

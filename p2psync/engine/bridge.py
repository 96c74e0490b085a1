"""A bookkeeping program's own file and the mandate's: from what both hold, and what they last agreed about, what to do.

The program writes its file wherever it likes on this PC; the folder holds what the mandate has. *Agreed* is what was
published from the one or delivered to the other last. Only what differs from it is news: on the program's side an
edit, which is published with what it was made from as its parents, on the other a version to be delivered. So an edit
is never lost to a delivery, and what was edited at both ends is a conflict like any other.
"""

from __future__ import annotations

from enum import StrEnum

from p2psync.core.entry import Entry
from p2psync.core.ids import ChangeId, ContentId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value


class Mode(StrEnum):
    """Whether a version that arrived is put into the program's file by itself. The values are stored and shown."""

    AUTO = "auto"
    CHECKED = "checked"
    """By itself, but only bookings in which nothing is wrong."""
    ASK = "ask"


class Stage(StrEnum):
    """How far a delivery had come; the values are stored."""

    PREPARING = "preparing"
    """A copy is being made beside the program's file, under a name of ours."""
    READY = "ready"
    """The copy is whole and on the medium; it may have changed places with the program's file."""
    DONE = "done"
    """It is over; what came out is still watched for what a program wrote into it late."""


@value
class Delivery:
    """A delivery under way, as it is noted before each step: what a crash left is understood by it."""

    stage: Stage
    part: str
    """The name of our copy, beside the program's file; once it is DONE, of what came out."""
    content: ContentId
    """What is delivered."""
    heads: tuple[ChangeId, ...]
    before: ContentId | None
    """What the program's file was seen to hold; None if it was not there."""
    stood: tuple[ChangeId, ...]
    """The changes that was; empty if it was none."""


@value
class Attachment:
    """One program's file that is linked to a mandate."""

    mandate: MandateId
    path: RelPath
    """What it is called in the mandate's folder."""
    file: str
    """Where it lies on this PC, absolute, links resolved."""
    mode: Mode
    role: str
    """Who produces it: "accounting", "invoicing", "payroll", "banking"; for people."""
    agreed: ContentId | None = None
    """What was published or delivered last; None before the first time."""
    heads: tuple[ChangeId, ...] = ()
    """The changes that is; empty for bytes that this device may not publish."""
    mtime_ns: int = 0
    """When the program had written that."""
    published_ms: int | None = None
    """When something was published last; wall clock, milliseconds since 1970."""
    delivered_ms: int | None = None
    """When something was delivered last."""
    delivery: Delivery | None = None


@value
class Held:
    """What a program's file is known to hold."""

    entry: Entry
    """ABSENT if it is gone and has stayed so."""
    settled: bool = True
    """False while it is being written, or was looked at too lately to tell."""
    is_open: bool = False
    """Some program has it open."""
    is_returned: bool = False
    """It holds an older version of the mandate, as old as it was then: it came out of a backup."""


@value
class Shown:
    """What the mandate has at the path on this device."""

    entry: Entry
    """What stands in the folder, verified; ABSENT if it was removed, or was never there."""
    heads: tuple[ChangeId, ...] = ()
    """The heads that is; removals, too."""
    losers: tuple[ChangeId, ...] = ()
    """Heads that lost an open conflict."""
    arriving: bool = False
    """The folder does not show yet what it should."""
    may_publish: bool = True
    """Whether this device may change the file."""


class Act(StrEnum):
    """What is to be done about one attached file."""

    NOTHING = "nothing"
    WAIT = "wait"
    """The program writes it, or the mandate's version is still on its way."""
    AGREE = "agree"
    """Both hold the same: note that."""
    PUBLISH = "publish"
    REFUSE = "refuse"
    """It was edited though this device may not: keep the bytes and say so."""
    DELIVER = "deliver"
    OFFER = "offer"
    """A version waits for a person's word."""
    BUSY = "busy"
    """A version waits until no program has the file open."""
    HELD = "held"
    """Bookings wait for the chart of their period, or until nothing is wrong in them."""
    GONE = "gone"
    """The program's file was removed: it is put back only when a person asks."""
    REMOVED = "removed"
    """The mandate's file was removed; the program's own is left alone."""
    RETURNED = "returned"
    """An old version came out of a backup: a person decides which one is meant."""
    COLLIDES = "collides"
    """Both hold something, and nothing tells which follows from which."""


def decide(attached: Attachment, held: Held, shown: Shown, *, asked: bool = False) -> Act:
    """What to do; `asked`: a person wants the mandate's version delivered now."""
    if not held.settled or (attached.delivery is not None and attached.delivery.stage is not Stage.DONE):
        return Act.WAIT
    here, there = held.entry.content, shown.entry.content
    if here is None:
        return _missing(attached, held, shown, asked)
    if here == there and not shown.arriving:
        return Act.NOTHING if (attached.agreed, attached.heads) == (here, shown.heads) else Act.AGREE
    if here != attached.agreed:
        return _edited(attached, held, shown, asked)
    if shown.arriving:
        return Act.WAIT
    if there is None:
        return Act.REMOVED if attached.heads else Act.NOTHING
    return _news(attached, held, shown, asked)


def after_removal(attached: Attachment, shown: Shown) -> tuple[ChangeId, ...]:
    """What the next edit of a program's file follows from, once the mandate's was removed: so it brings it back."""
    return (*shown.heads, *(own for own in attached.heads if own in shown.losers))


def _missing(attached: Attachment, held: Held, shown: Shown, asked: bool) -> Act:
    """A program's file that vanished is no removal: its disk may be unplugged, its folder renamed."""
    if shown.arriving:
        return Act.WAIT
    if shown.entry.content is None:
        return Act.NOTHING
    is_news = shown.entry.content != attached.agreed
    if asked or is_news or not shown.may_publish:
        return _news(attached, held, shown, asked)
    return Act.GONE


def _edited(attached: Attachment, held: Held, shown: Shown, asked: bool) -> Act:
    if attached.agreed is None and (shown.arriving or shown.entry.content is not None):
        return Act.COLLIDES
    if held.is_returned:
        return _news(attached, held, shown, asked) if asked and not shown.arriving else Act.RETURNED
    return Act.PUBLISH if shown.may_publish else Act.REFUSE


def _news(attached: Attachment, held: Held, shown: Shown, asked: bool) -> Act:
    if shown.entry.content is None:
        return Act.REMOVED
    own_lost = not set(attached.heads).isdisjoint(shown.losers)
    if not asked and (attached.mode is Mode.ASK or own_lost):
        return Act.OFFER
    if attached.delivery is not None:
        return Act.WAIT
    return Act.BUSY if held.is_open else Act.DELIVER

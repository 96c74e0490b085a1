"""What `Device.handle` is told: each event is a frozen fact, and a batch wherever files are concerned."""

from __future__ import annotations

from p2psync.core.block import ORDINARY
from p2psync.core.entry import Entry, FileStat
from p2psync.core.ids import ChangeId, ContentId, DeviceId, MandateId
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.wire.messages import Message


@value
class Seen:
    """What stands at a path on this disk, read whole and stable."""

    path: RelPath
    entry: Entry
    """ABSENT when the path is gone and stayed gone for its settling time."""
    stat: FileStat | None = None
    """The stat from before the content was read; None when absent or a directory."""


@value
class Observed:
    """The scanner or watcher looked at some paths."""

    mandate: MandateId
    seen: tuple[Seen, ...]
    """At most 500 paths an event."""
    problems: tuple[Problem, ...] = ()
    """Paths that could not be taken in, with the reason."""
    cleared: tuple[RelPath, ...] = ()
    """Paths looked at that had a problem of the disk's kind before and have none now."""
    torn: tuple[Seen, ...] = ()
    """Files that lack their end and were given up: edits only where this device may make none, so that they are
    refused; told again while they stand there."""


@value
class Suspected:
    """Files were read whole that may not be saved whole yet: their quiet time is not over."""

    mandate: MandateId
    seen: tuple[Seen, ...]


@value
class ReadingBegun:
    """A large file is being read whole, of which others may hear soon."""

    mandate: MandateId
    path: RelPath
    size: int
    """Bytes."""


@value
class FolderOpened:
    """The mandate's folder was opened and its epoch marker compared with the database's."""

    mandate: MandateId
    continuous: bool
    """True if what stands in the folder follows from what this device last saw there."""
    epoch: bytes
    """The epoch that is being written to the marker now."""
    kept: frozenset[ContentId] = frozenset()
    """After a discontinuity: the contents that lie among the versions of this folder."""


@value
class EpochRenewed:
    """The running device writes a new epoch into the marker: a backup of the folder from before is recognised."""

    mandate: MandateId
    epoch: bytes


@value
class ScanFinished:
    """A whole scan of the folder ended; all its Observed events came before."""

    mandate: MandateId
    complete: bool
    """False if the folder vanished or its marker is missing: then nothing counts as deleted."""


@value
class Outcome:
    """How the placing of one path ended."""

    path: RelPath
    placed: bool
    """True if exactly what was asked for stands at the path now."""
    stat: FileStat | None = None
    """The new file's stat where one was placed."""
    found: Seen | None = None
    """What stood there instead of what was expected; it was left, or put back."""
    problem: Problem | None = None
    """Why the path could not be placed although what was expected stood there."""
    moved: bool = False
    """What stood there stands at another path of the batch now, and is not kept besides."""


@value
class Placed:
    """The placer is done with a batch."""

    mandate: MandateId
    outcomes: tuple[Outcome, ...]


@value
class Fetched:
    """Contents that were asked for lie in staging or among the versions, verified."""

    mandate: MandateId
    contents: tuple[ContentId, ...]
    file_class: str = ORDINARY


@value
class FetchFailed:
    """No connected peer could give these contents for now; they are asked for again when a peer has news."""

    mandate: MandateId
    contents: tuple[ContentId, ...]
    file_class: str = ORDINARY


@value
class Kept:
    """The bytes of a KeepVersion are among the versions now, verified."""

    mandate: MandateId
    path: RelPath
    entry: Entry
    reason: str
    change: ChangeId | None


@value
class LateWrite:
    """What a program wrote into a file that it held open while the file was replaced or removed."""

    path: RelPath
    """Where the file stood."""
    entry: Entry
    """What it holds now; the bytes are among the versions."""
    stood: tuple[ChangeId, ...]
    """As in the PlaceItem that took it out."""
    before: ContentId | None
    """What the late write before this one had left; None for the first."""
    whole: bool
    """False if the program seems to be in the midst of writing it."""
    overwritten: ContentId | None = None
    """A version that is kept no longer: these bytes came in its place."""


@value
class WrittenLate:
    """Programs went on writing into files that do not stand at their paths any more."""

    mandate: MandateId
    writes: tuple[LateWrite, ...]


@value
class Merged:
    """The bytes of several heads of an index file were merged; the result lies in staging."""

    mandate: MandateId
    path: RelPath
    sources: tuple[ContentId, ...]
    entry: Entry | None
    """None if nothing came of it."""
    problems: tuple[Problem, ...] = ()
    unmergeable: bool = True
    """With no entry: they are no index files, so one of them has to win; False if a source is not here any more."""


@value
class LinkUp:
    """An authenticated link to another device is usable; nothing was said on it yet."""

    link: int
    """A number that this process never uses again."""
    device: DeviceId
    initiator: bool
    """True if this side dialled."""
    way: str
    """"lan", "direct", "webrtc" or "relay"."""


@value
class LinkDown:
    link: int
    reason: str
    blamed: bool = False
    """It was closed because the other side broke the rules."""


@value
class Received:
    """A message came over a link; already decoded, its limits checked."""

    link: int
    message: Message


@value
class Tick:
    """The time that a WakeAt effect asked for has come."""


DiskEvent = (
    Observed
    | Suspected
    | ReadingBegun
    | FolderOpened
    | EpochRenewed
    | ScanFinished
    | Placed
    | Fetched
    | FetchFailed
    | Kept
    | WrittenLate
    | Merged
)
LinkEvent = LinkUp | LinkDown | Received
Event = DiskEvent | LinkEvent | Tick

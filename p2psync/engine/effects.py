"""What `Device.handle` asks the runtime to do, after the transaction of that call is durable."""

from __future__ import annotations

from p2psync.core.block import ORDINARY
from p2psync.core.entry import Entry, FileStat
from p2psync.core.ids import ChangeId, ContentId, DeviceId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.wire.messages import Message


@value
class Send:
    link: int
    message: Message


@value
class CloseLink:
    link: int
    reason: str
    """Shown in the log and, where it is the peer's fault, in `status`."""


@value
class Drain:
    """A better way to the same device took over: nothing more is asked for on this link."""

    link: int
    close: bool
    """Close it as soon as nothing is owed on it, to either side; else the other side does."""


@value
class Wanted:
    """A content that this device needs, and where it may come from."""

    content: ContentId
    size: int
    path: RelPath
    """A path whose change names this content; the old version there may hold most of it."""


@value
class Fetch:
    """Bring contents here: from this disk where it has them, else from peers; answered by Fetched or FetchFailed."""

    mandate: MandateId
    wanted: tuple[Wanted, ...]
    file_class: str = ORDINARY
    """Of all the paths: bytes that are here, or at a peer, for files of another class are out of reach."""


@value
class PushContents:
    """Give these contents of files that were just saved to connected members, before they ask: a hint."""

    mandate: MandateId
    contents: tuple[ContentId, ...]
    file_class: str = ORDINARY


@value
class OfferContent:
    """Tell connected members what is new in a big file that is being saved, before it is announced: a hint."""

    mandate: MandateId
    path: RelPath
    content: ContentId
    size: int
    base: ContentId
    """What the file held before."""
    file_class: str = ORDINARY


@value
class StreamFile:
    """Give the member on a link the beginning of a big new file while it is read here: a hint."""

    mandate: MandateId
    path: RelPath
    size: int
    """Bytes."""
    link: int
    file_class: str = ORDINARY


@value
class PlaceItem:
    """Make `put` stand at `path` if `expect` stands there now."""

    path: RelPath
    expect: Entry
    expect_stat: FileStat | None
    """The stat known for `expect`; equal means that its bytes need not be read again."""
    put: Entry
    keep_reason: str
    """Why the replaced bytes are kept: "replaced", "removed", "conflict", "refused", "damaged", "set-aside"."""
    stood: tuple[ChangeId, ...] = ()
    """The heads that `expect` is: what a program that holds the file open knows, however late it writes."""
    source: RelPath | None = None
    """Where the same file stands and is to vanish in the same batch: it may be moved, which needs no copy."""


@value
class Place:
    """Compare and swap a batch of paths, new ones before vanishing ones; answered by Placed."""

    mandate: MandateId
    items: tuple[PlaceItem, ...]


@value
class KeepVersion:
    """Copy bytes that stand at the path or lie in staging into the versions; answered by Kept, or FetchFailed."""

    mandate: MandateId
    path: RelPath
    entry: Entry
    """A file."""
    reason: str
    """"edited" or "conflict"."""
    change: ChangeId | None
    """The change that stated these bytes."""
    file_class: str = ORDINARY
    """Of the path."""


@value
class Merge:
    """Merge the index files of several heads, in the order given; answered by Merged."""

    mandate: MandateId
    path: RelPath
    sources: tuple[ContentId, ...]


@value
class Rescan:
    """Look at the paths again, or at the whole folder when none is named."""

    mandate: MandateId
    paths: tuple[RelPath, ...] = ()


@value
class HoldBack:
    """Let what is found many at once wait for who is on this link, which has much left to place; None: go on."""

    mandate: MandateId
    link: int | None


@value
class MembersChanged:
    """Who may connect, or the discovery secret, changed: rebuild TLS contexts and announcements."""

    mandate: MandateId


@value
class WakeAt:
    """Send a Tick at this time (seconds of the clock that `now` comes from); replaces the one before."""

    at_s: float


@value
class Notice:
    """Something a person may want to see at once: logged, and streamed to the page."""

    name: str
    """Static, like "edit.refused"."""
    mandate: MandateId | None
    fields: tuple[tuple[str, str], ...]


@value
class PeerJoined:
    """A member's session for a mandate is open on a link (its contents can be fetched there)."""

    link: int
    mandate: MandateId
    device: DeviceId


@value
class PeerLeft:
    link: int
    mandate: MandateId
    device: DeviceId


Effect = (
    Send
    | CloseLink
    | Drain
    | Fetch
    | PushContents
    | OfferContent
    | StreamFile
    | Place
    | KeepVersion
    | Merge
    | Rescan
    | HoldBack
    | MembersChanged
    | WakeAt
    | Notice
    | PeerJoined
    | PeerLeft
)

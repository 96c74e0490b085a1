"""What two devices say to each other on a link: plain frozen data, each limit beside what it bounds.

A link serves every mandate that both devices are members of, so each message but Hello, Ping, Pong and
Close names its mandate. `codec` turns these into frames and back.
"""

from __future__ import annotations

from enum import IntEnum

from p2psync.core.block import ORDINARY
from p2psync.core.clock import Tips
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.value import value

PROTOCOL_VERSION = 1
FRAME_BYTES_MAX = 1 << 20
"""A frame's length, before decompression and after."""
MANDATES_MAX = 1000
"""Mandates in a Hello."""
LOGS_MAX = 10_000
"""Logs in a Have."""
TIPS_PER_LOG_MAX = 1024
"""Branches of one log; a device that makes more than a few is not listened to, but what others took in is."""
BLOCKS_MAX = 64
"""Blocks in an IndexUpdate."""
BLOCK_BYTES_MAX = 256 * 1024
REQUEST_ITEMS_MAX = 1024
"""Contents or chunks in one Request."""
RESPONSE_DATA_BYTES_MAX = 512 * 1024
"""Bytes that one Response carries; a Request that is answered by more is answered by several."""
HOLDS_ALL = b""
"""What is answered instead of a bit for each chunk."""
PUSH_ITEMS_MAX = 256
"""Contents in one Push."""
PUSH_BYTES_MAX = 256 * 1024
"""Bytes that one Push carries."""
UNPLACED_MAX = 500
"""Paths with reasons in a Placed; the count goes on beyond."""
LANES_MAX = 16
"""Further connections of one session."""
TOKEN_BYTES = 16
TEXT_CHARACTERS_MAX = 400
"""Any name or reason meant for people."""


@value
class Hello:
    """The first message of each side; a link that begins with anything else is closed."""

    version: int
    name: str
    """What the device calls itself, for people."""
    program: str
    """Name and version of the program, for people."""
    run_nonce: bytes
    """16 random bytes of this process: two live ones of one device are a clone."""
    wall_time_s: float
    """The sender's clock, to find one that is years off."""
    mandates: tuple[MandateId, ...]
    """Those that the sender has and counts the receiver a member of."""


@value
class Have:
    """What the sender has taken in, durably: also the answer to an IndexUpdate."""

    mandate: MandateId
    tips: Tips
    """For each log that the receiver may read; no tips of a log: send it from its beginning."""


@value
class IndexUpdate:
    """Blocks that the receiver lacks, each after what its clock names."""

    mandate: MandateId
    blocks: tuple[bytes, ...]
    """Signed blocks as they were made."""


@value
class Placed:
    """The sender has placed all that it knows of up to `tips`, except the paths listed."""

    mandate: MandateId
    tips: Tips
    waiting: int
    """Paths that the sender knows of and has not placed yet, problems included."""
    unplaced: tuple[tuple[str, str], ...]
    """(path, problem code) of those that will not be placed without somebody's help."""


@value
class Secret:
    """The newest discovery secret; travels only inside links."""

    mandate: MandateId
    number: int
    secret: bytes


class What(IntEnum):
    """What a Request asks for; the numbers are part of the protocol."""

    CONTENT = 1
    """Whole files, each of at most RESPONSE_DATA_BYTES_MAX."""
    MANIFEST = 2
    """The chunk list of one big file."""
    CHUNK = 3
    """Chunks of one big file."""
    HOLDING = 4
    """Which chunks of one big file there are: a bit for each, the lowest of each byte first, and then so many bits
    again, which tell also what was asked for and is to come; or HOLDS_ALL."""


@value
class Request:
    mandate: MandateId
    number: int
    """Chosen by the asker; the Responses carry it."""
    what: What
    contents: tuple[ContentId, ...]
    """Exactly one but for CONTENT: the big file."""
    chunks: tuple[int, ...] = ()
    """Indexes into the manifest, for CHUNK."""
    file_class: str = ORDINARY
    """Of the files that they are needed for; only what the other side has for files of that class is given."""


@value
class Response:
    mandate: MandateId
    number: int
    first: int
    """Index in the Request of the first item that this Response answers."""
    items: tuple[bytes | None, ...]
    """The bytes, or None for what the sender does not have (any more)."""
    last: bool
    """True if no further Response to this Request follows."""

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return sum(len(item) for item in self.items if item is not None)


@value
class Push:
    """Contents of changes that were just announced, unasked: a hint, which may be passed over."""

    mandate: MandateId
    contents: tuple[ContentId, ...]
    items: tuple[bytes, ...]
    """The bytes of each, in the same order."""
    file_class: str = ORDINARY


@value
class Offer:
    """How a big file is cut that may be announced soon, unasked: a hint, which may be passed over."""

    mandate: MandateId
    content: ContentId
    size: int
    """Bytes of the file."""
    base: ContentId
    """The version before."""
    difference: bytes
    """What is new, see `core.difference`."""
    file_class: str = ORDINARY


@value
class Ahead:
    """A piece of a big new file that is being read, and may be announced soon, unasked: a hint, which may be passed
    over. They come in order, from the first byte, and only so many before there is `Credit` for more."""

    mandate: MandateId
    path: str
    whole: int
    """Bytes of the file."""
    offset: int
    """Of the piece, in bytes from the start of the file."""
    data: bytes
    file_class: str = ORDINARY

    @property
    def size(self) -> int:
        """Bytes of the piece."""
        return len(self.data)


@value
class Credit:
    """So much of what came ahead of a file is on the receiver's disk: more may follow."""

    mandate: MandateId
    path: str
    end: int
    """Bytes from the start of the file."""
    file_class: str = ORDINARY


@value
class Ping:
    number: int


@value
class Pong:
    number: int


class CloseCode(IntEnum):
    """Why a link is closed; the numbers are part of the protocol."""

    GOODBYE = 0
    PROTOCOL_ERROR = 1
    VERSION = 2
    NOT_A_MEMBER = 3
    REPLACED = 4


@value
class Close:
    code: CloseCode
    reason: str


@value
class Widen:
    """Lanes that the session should have, to carry bulk beside it."""

    wish: int
    """How many the sender would like, for what it waits for."""
    granted: int
    """How many of those that the receiver likes it agrees to; 0 from the side that dialled, which says it by deeds."""
    token: bytes
    """Which of them show as they begin; empty from the side that dialled, which asks for it and brings them."""


@value
class Lane:
    """The first message, and the dialling side's alone, of a link that is a lane; Requests and Responses follow.

    A Request goes where its answer is to come: a lane that dies takes nothing along but what can be asked again.
    """

    token: bytes


Message = (
    Hello
    | Have
    | IndexUpdate
    | Placed
    | Secret
    | Request
    | Response
    | Ping
    | Pong
    | Close
    | Push
    | Widen
    | Lane
    | Offer
    | Ahead
    | Credit
)

ContentMessage = Request | Response | Push | Offer | Ahead | Credit
"""What asks for content, or brings some."""

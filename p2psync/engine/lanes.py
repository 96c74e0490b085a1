"""The bookkeeping of fetching: what a link owes, what is missing of a big file, what a compartment wants."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from p2psync.core.ids import ContentId
from p2psync.engine.orders import Compartment, Piece
from p2psync.engine.queues import Queue
from p2psync.engine.swarm import Holdings
from p2psync.wire.messages import Response, What

SILENCE_MAX_S = 30.0
"""A link that owes answers and brings none for so long is passed over."""
ANSWER_MAX_S = 300.0
"""A request is given up after this time however busy its link is."""
WINDOW_BYTES = 2 << 20
"""Asked of one link at a time in small files, and as much again in chunks."""
LANE_WINDOW_BYTES = 512 * 1024
"""The same of a lane at least: what one of several owes comes no faster by way of the others."""
WINDOW_REQUESTS = 8
"""Requests of one kind that a link may owe at a time."""
BIG_AT_ONCE = 4
"""Big files of one compartment that are under way at the same time; each may keep a file open."""


class Pace(Protocol):
    """Keeps what comes over some links to a rate."""

    def limits_asking(self, link: int) -> bool:
        """Whether it counts what is asked for there."""

    @property
    def request_bytes_max(self) -> int:
        """What one Request asks for at most where that counts."""

    def may_ask(self, small: bool, owed: int) -> bool:
        """Whether something may be asked for where that counts; `owed`: bytes that are asked for on such links."""


class Unpaced:
    """As fast as it goes."""

    request_bytes_max = WINDOW_BYTES

    def limits_asking(self, link: int) -> bool:
        return False

    def may_ask(self, small: bool, owed: int) -> bool:
        return True


@dataclass(slots=True, eq=False)
class Item:
    """One content that is wanted."""

    content: ContentId
    size: int
    tried: frozenset[int] = frozenset()
    staging: bool = False
    """True while its bytes are with the disk for verification."""
    wanted: bool = True
    """False while a peer only says that it may be wanted soon."""


@dataclass(slots=True, eq=False)
class BigFile:
    """A big file whose manifest is known."""

    item: Item
    giver: int
    """The link that the manifest came from."""
    attempt: int = 0
    """A number that no other attempt at any file has."""
    todo: Queue[Piece] = field(default_factory=Queue)
    holdings: Holdings = field(default_factory=Holdings)
    open: int = 0
    """Pieces that wait, are asked for or are being written."""
    missing: int = 0
    """Bytes that are not on this disk yet."""
    dropped: bool = False
    """True when it failed, while pieces of it may still be asked for."""

    def push(self, piece: Piece) -> None:
        self.todo.push(piece)
        self.open += 1

    def cut(self, piece: Piece, bytes_max: int) -> Piece:
        """As much of the piece as one Request asks for; the rest goes back to its place."""
        count = max(1, len(piece.chunks) * bytes_max // max(1, piece.size))
        if count >= len(piece.chunks):
            return piece
        self.todo.push_back(piece.part(piece.chunks[count:], None))
        self.open += 1
        return piece.part(piece.chunks[:count], None)


@dataclass(slots=True, eq=False)
class Asked:
    """A Request that is not answered to its end."""

    compartment: Compartment
    what: What
    at_s: float
    owed: int
    """Bytes that are expected and have not come."""
    items: list[Item] = field(default_factory=list)
    """The contents, in the Request's order."""
    file: BigFile | None = None
    piece: Piece | None = None
    number: int = 0
    """Of the Request, once it is made."""
    next: int = 0
    """Index of the first item, or manifest part, that is not answered."""
    parts: list[bytes] = field(default_factory=list)

    def is_of(self, compartment: Compartment, content: ContentId) -> bool:
        """Whether it is about that big file alone."""
        return self.compartment == compartment and self.items[0].content == content

    @property
    def chunks_to_come(self) -> Sequence[int]:
        """None unless chunks are asked for."""
        return self.piece.chunks[self.next :] if self.piece is not None else ()

    @property
    def count(self) -> int:
        """Items that the Request names."""
        return len(self.piece.chunks) if self.piece is not None else len(self.items)

    def fits(self, message: Response) -> bool:
        """True if the message is the next part of the answer."""
        if message.mandate != self.compartment.mandate or message.first != self.next:
            return False
        return self.what is What.MANIFEST or self.next + len(message.items) <= self.count


class Peer:
    """What one link, or one lane of a link, owes."""

    def __init__(self, link: int, now: float, lane_of: Peer | None = None) -> None:
        self.link = link
        self.lane_of = lane_of
        self.giver: int = link if lane_of is None else lane_of.giver
        """The link by which people know it: what one lane could not give, the others cannot either."""
        self.lanes = 0
        """Of a link: while it has some, bulk goes there, and nothing small waits behind it."""
        self.compartments: deque[Compartment] = deque()
        """Those it serves, the one whose turn it is first."""
        self.asked: dict[int, Asked] = {}
        self.heard_s = now
        self.took_s = 0.0
        """From a request for chunks to the end of its answer, the last time."""
        self.banned = False
        self.draining = False
        """Nothing more is asked of it."""
        self._owed = {what: 0 for what in What}
        self._requests = {what: 0 for what in What}

    def room(self, what: What) -> int:
        """Bytes that may still be asked of this link."""
        if self.banned or self.draining or self._requests[what] >= WINDOW_REQUESTS:
            return 0
        if what is What.CHUNK and self.lanes:
            return 0
        return self.window_bytes - self._owed[what]

    @property
    def owed(self) -> int:
        """Bytes of all kinds that it owes."""
        return sum(self._owed.values())

    @property
    def window_bytes(self) -> int:
        """What it may owe of one kind."""
        return WINDOW_BYTES if self.lane_of is None else max(LANE_WINDOW_BYTES, WINDOW_BYTES // self.lane_of.lanes)

    @property
    def request_bytes_max(self) -> int:
        """What one Request asks for, about: several of them fill the window."""
        return self.window_bytes // 4

    def add(self, asked: Asked) -> None:
        self.asked[asked.number] = asked
        self._owed[asked.what] += asked.owed
        self._requests[asked.what] += 1

    def settle(self, asked: Asked, size: int) -> int:
        """That many bytes are answered for; returns by how much less is owed."""
        less = min(size, asked.owed)
        asked.owed -= less
        self._owed[asked.what] -= less
        return less

    def close(self, asked: Asked) -> int:
        """The Request is over; returns by how much less is owed."""
        less = self.settle(asked, asked.owed)
        del self.asked[asked.number]
        self._requests[asked.what] -= 1
        if asked.what is What.CHUNK:
            self.took_s = max(0.0, self.heard_s - asked.at_s)
        return less

    def due_s(self, asked: Asked) -> float:
        """When this Request is given up."""
        return min(max(asked.at_s, self.heard_s) + SILENCE_MAX_S, asked.at_s + ANSWER_MAX_S)

    def turns(self) -> Iterator[Compartment]:
        """Each compartment once; the one that is taken comes last the next time."""
        for _ in range(len(self.compartments)):
            compartment = self.compartments[0]
            self.compartments.rotate(-1)
            yield compartment


def may_ask(pace: Pace, peer: Peer, what: What, peers: Iterable[Peer]) -> bool:
    """Whether its rate allows to ask a peer; `peers` are all that there are."""
    if not pace.limits_asking(peer.link):
        return True
    owed = sum(one.owed for one in peers if pace.limits_asking(one.link))
    return pace.may_ask(what is not What.CHUNK, owed)


def request_bytes_max(pace: Pace, peer: Peer) -> int:
    """What one Request asks of a peer for, about."""
    most = peer.request_bytes_max
    return min(most, pace.request_bytes_max) if pace.limits_asking(peer.link) else most


@dataclass(slots=True, eq=False)
class Wants:
    """What one compartment wants, kept apart from all others."""

    links: set[int] = field(default_factory=set)
    """Those that may be asked."""
    items: dict[ContentId, Item] = field(default_factory=dict)
    small: Queue[Item] = field(default_factory=Queue)
    big: Queue[Item] = field(default_factory=Queue)
    """Big files whose manifest is to be asked for."""
    manifests_asked: int = 0
    beginning: set[ContentId] = field(default_factory=set)
    """Those whose manifest is with the disk."""
    files: dict[ContentId, BigFile] = field(default_factory=dict)

    def has_for(self, link: int) -> bool:
        """Whether more could be asked of this link."""
        return self.small.has_for(link) or any(file.todo.has_for(link) for file in self.files.values())

    @property
    def has_room_for_big(self) -> bool:
        """Whether one more big file may be taken up."""
        return self.manifests_asked + len(self.beginning) + len(self.files) < BIG_AT_ONCE

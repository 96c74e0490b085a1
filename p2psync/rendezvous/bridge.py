"""A stream through the relay whose two sides are at different hosts: what one host takes in, the other hands out.

Each host sees the far side as a `Side` of its own. A window bounds what is on its way, a number on each piece shows
if the bus has lost one; then the stream ends, and the members' links find another.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import msgpack

from p2psync.errors import CodecError
from p2psync.rendezvous.protocol.streams import Join
from p2psync.wire.shapes import Maybe, OneOf, Raw, Row, Whole

if TYPE_CHECKING:
    from p2psync.rendezvous.relay import Side

WINDOW_BYTES: Final = 512 * 1024
"""Sent, and not yet taken by the other side's member."""
PIECE_BYTES_MAX: Final = 64 * 1024
END_BYTES: Final = 8


class What(IntEnum):
    """What hosts say about a stream; part of their protocol."""

    WAITING = 1
    """A side of it is here."""
    MEETING = 2
    """So is one here: they belong together."""
    PIECE = 3
    TAKEN = 4
    """So many bytes were handed out; the number tells how many."""
    END = 5


Said = tuple[What, bytes, bytes | None, int, bytes]
"""(what, from which end, to which end or all, number, bytes)"""
_END = Raw(END_BYTES, END_BYTES)
_SAID = Row((OneOf(What), _END, Maybe(_END), Whole(), Raw(0, PIECE_BYTES_MAX)))


def pack(said: Said) -> bytes:
    packed: bytes = msgpack.packb(_SAID.pack(said))
    return packed


def unpack(data: bytes) -> Said:
    """Raises CodecError."""
    try:
        fields: Any = msgpack.unpackb(
            data, use_list=False, max_bin_len=PIECE_BYTES_MAX, max_array_len=8, max_str_len=0, max_map_len=0
        )
        what, sender, to, number, piece = _SAID.unpack(fields)
    except (ValueError, msgpack.UnpackException):
        raise CodecError("what another host says of a stream cannot be read") from None
    return what, sender, to, number, piece


class Bridge:
    """One side's bridge to a far one: looks for it first, then takes its place."""

    def __init__(
        self, number: int, join: Join, near: Side, say: Callable[[bytes], None], left: Callable[[Bridge], None]
    ) -> None:
        """`number` names it at the relay; `say` reaches the other hosts; `left` is called once, at its end."""
        self.number: Final = number
        self.network: Final = f"bridge {number}"
        self.join: Final = join
        self.full = False
        self.active_at = asyncio.get_running_loop().time()
        self.near: Final = near
        self.far: bytes | None = None
        """The other end's name, once it is known."""
        self._me: Final = secrets.token_bytes(END_BYTES)
        self._say = say
        self._left = left
        self._sent = 0
        self._heard = 0
        """Numbers of the last pieces."""
        self._on_its_way_bytes = 0
        self._owed_bytes = 0
        """Handed out to a member that is not reading fast enough to be sent more."""
        self._over = False
        self._tell(What.WAITING)

    def heard(self, data: bytes) -> bool:
        """What another host said on the stream's channel; True if this has just found the far side."""
        try:
            what, sender, to, number, piece = unpack(data)
        except CodecError:
            return False
        if self.far is None:
            return self._look_for(what, sender, to)
        if to == self._me and sender == self.far:
            self._converse(what, number, piece)
        elif to == self._me and what is What.MEETING:
            self._say(pack((What.END, self._me, sender, 0, b"")))  # too late: somebody else was faster
        return False

    # What the relay and the near side call.

    def meet(self, other: Side | Bridge) -> None:
        """The far side's own host lets it know."""

    def take(self, piece: bytes) -> None:
        self.active_at = asyncio.get_running_loop().time()
        for at in range(0, len(piece), PIECE_BYTES_MAX):
            self._sent += 1
            self._tell(What.PIECE, self._sent, piece[at : at + PIECE_BYTES_MAX])
        self._on_its_way_bytes += len(piece)
        self.full = self._on_its_way_bytes >= WINDOW_BYTES

    def go_on(self) -> None:
        """The near side can take more."""
        if self._owed_bytes:
            self._tell(What.TAKEN, self._owed_bytes)
            self._owed_bytes = 0

    def refuse(self, reason: object) -> None:
        """Nobody is told: the far side's own host does that."""
        self.end()

    def end(self) -> None:
        if not self._over:
            self._over = True
            if self.far is not None:
                self._tell(What.END)
            self._left(self)

    abort = end

    # Inside.

    def _look_for(self, what: What, sender: bytes, to: bytes | None) -> bool:
        if what is What.WAITING or (what is What.MEETING and to == self._me):
            self.far = sender
            if what is What.WAITING:
                self._tell(What.MEETING)
            return True
        return False

    def _converse(self, what: What, number: int, piece: bytes) -> None:
        self.active_at = asyncio.get_running_loop().time()
        if what is What.PIECE and number == self._heard + 1:
            self._heard = number
            self.near.take(piece)
            self._owed_bytes += len(piece)
            if not self.near.full:
                self.go_on()
        elif what is What.TAKEN:
            self._on_its_way_bytes = max(0, self._on_its_way_bytes - number)
            if self.full and self._on_its_way_bytes < WINDOW_BYTES // 2:
                self.full = False
                self.near.go_on()
        elif what in (What.PIECE, What.END):
            self.end()

    def _tell(self, what: What, number: int = 0, piece: bytes = b"") -> None:
        self._say(pack((what, self._me, self.far, number, piece)))

"""A byte stream made of messages: what a data channel lacks to be a transport for TLS.

A channel takes whatever it is given, however slow the other side reads. So each side says how many bytes in all it may
be sent, and says more as its reader takes them. A message is a byte that tells its kind, and what belongs to it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from p2psync.errors import RemoteProtocolError

DATA, ROOM, END = b"\x00", b"\x01", b"\x02"
ROOM_BYTES: Final = 8
WINDOW_BYTES: Final = 4 << 20
"""Sent and not taken by the other side's reader: enough for 100 Mbit/s with a round trip of 300 ms."""
ROOM_EVERY_BYTES: Final = WINDOW_BYTES // 8


class Sender:
    """What is written, cut into messages as far as the other side has room."""

    def __init__(self, message_bytes: int) -> None:
        """`message_bytes`: of a whole message, at most."""
        self._data_max = message_bytes - len(DATA)
        self._chunks: deque[memoryview] = deque()
        self._room = WINDOW_BYTES
        self._granted = WINDOW_BYTES
        self.bytes = 0
        """Written, and not in a message yet."""

    def write(self, data: bytes) -> None:
        self._chunks.append(memoryview(data))
        self.bytes += len(data)

    def message(self) -> bytes | None:
        """The next one to send; None if there is nothing to send, or no room for it."""
        size = min(self.bytes, self._room, self._data_max)
        if not size:
            return None
        self.bytes -= size
        self._room -= size
        parts: list[bytes | memoryview] = [DATA]
        while size:
            chunk = self._chunks.popleft()
            if len(chunk) > size:
                self._chunks.appendleft(chunk[size:])
                chunk = chunk[:size]
            parts.append(chunk)
            size -= len(chunk)
        return b"".join(parts)

    def grant(self, body: bytes) -> None:
        """The other side has more room. Raises RemoteProtocolError if what it says cannot be."""
        total = int.from_bytes(body, "big")
        sent = self._granted - self._room
        if len(body) != ROOM_BYTES or not self._granted <= total <= sent + WINDOW_BYTES:
            raise RemoteProtocolError("room that cannot be")
        self._room += total - self._granted
        self._granted = total


class Receiver:
    """What arrives, and how much more may."""

    def __init__(self) -> None:
        self._granted = WINDOW_BYTES
        self._arrived = 0
        self._taken = 0

    def arrived(self, size: int) -> None:
        """Raises RemoteProtocolError if it is more than there is room for."""
        self._arrived += size
        if self._arrived > self._granted:
            raise RemoteProtocolError("more than there is room for")

    def taken(self, size: int) -> bytes | None:
        """The reader has taken so many bytes; the message that tells it, if it is worth one."""
        self._taken += size
        if self._taken + WINDOW_BYTES - self._granted < ROOM_EVERY_BYTES:
            return None
        self._granted = self._taken + WINDOW_BYTES
        return ROOM + self._granted.to_bytes(ROOM_BYTES, "big")

"""Packets that are on their way: which of them an acknowledgement names, and which must be lost.

What was sent later and has arrived tells that what was sent before is lost, since lines hardly ever change an order
by more than REORDERED_MAX packets; where one does, more time is given. This counts transmissions, not chunks: also a
packet that was sent again, and got lost again, is noticed after one round trip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

from p2psync.net.webrtc.serial import MODULO, unwrapped

REORDERED_MAX: Final = 3
PATIENCE_MIN_S, PATIENCE_MAX_S = 0.001, 0.05

T = TypeVar("T")


class Packet(Generic[T]):
    """One chunk of data with its fate."""

    __slots__ = ("arrived", "chunk", "in_flight", "number", "sent_s", "size", "times")

    def __init__(self, chunk: T, size: int) -> None:
        self.chunk = chunk
        self.size = size
        self.number = -1
        """Of its latest transmission."""
        self.sent_s = 0.0
        self.times = 0
        """Sent so often."""
        self.in_flight = False
        self.arrived = False


class Flight(Generic[T]):
    """All chunks that were sent and are not acknowledged, by their numbers on the wire."""

    def __init__(self, first: int) -> None:
        """`first`: the number of the first chunk."""
        self.bytes = 0
        """On their way: neither acknowledged nor taken for lost."""
        self.following = 0
        """The number of the next transmission."""
        self.lost: deque[Packet[T]] = deque()
        """To be sent again, in the order in which they were found to be missing."""
        self._next = first
        """The next chunk, as a whole number."""
        self._packets: dict[int, Packet[T]] = {}
        self._oldest = first
        self._beyond: tuple[tuple[int, int], ...] = ()
        """Runs beyond the oldest that are acknowledged."""
        self._sent: deque[tuple[int, Packet[T]]] = deque()
        """Transmissions in order, with their numbers."""
        self._latest = -1
        """The latest transmission that is known to have arrived."""
        self._latest_s = 0.0
        """When it was sent."""
        self._patience_s = 0.0
        """How much later than another one a packet must have been sent to tell that the other one is lost."""

    def __len__(self) -> int:
        """Chunks that are not acknowledged."""
        return len(self._packets)

    @property
    def last_acknowledged(self) -> int:
        """All chunks up to this one have arrived."""
        return (self._oldest - 1) % MODULO

    def add(self, packet: Packet[T], now: float) -> None:
        """The next chunk is being sent."""
        self._packets[self._next] = packet
        self._next += 1
        self._send(packet, now)

    def again(self, now: float) -> Packet[T]:
        """The first lost one is being sent again."""
        packet = self.lost.popleft()
        self._send(packet, now)
        return packet

    def drop_arrived(self) -> None:
        """Forget of the lost ones those that have arrived after all, so that the first is to be sent."""
        while self.lost and self.lost[0].arrived:
            self.lost.popleft()

    def acknowledge(self, last: int, gaps: Iterable[tuple[int, int]], sent_before_s: float) -> list[Packet[T]]:
        """The packets that this names for the first time.

        `last`: all chunks up to this one have arrived; `gaps`: runs beyond, as distances from it. An acknowledgement
        of what was not sent, or one that was overtaken by a later one, names none. It cannot be the answer to what
        was sent after `sent_before_s`: then it means an earlier transmission of the same chunk.
        """
        whole = unwrapped(last, self._oldest - 1)
        runs = tuple((whole + first, whole + last) for first, last in gaps)
        if not self._oldest - 1 <= whole < self._next or not _rising(runs, whole, self._next):
            return []
        named = [self._packets.pop(at) for at in range(self._oldest, whole + 1) if at in self._packets]
        self._oldest = whole + 1
        for at in _fresh(runs, self._beyond):
            packet = self._packets.pop(at, None)
            if packet is not None:
                named.append(packet)
        self._beyond = runs
        # Together with others that were sent once only, one that was sent again has arrived with them, the first time.
        only_again = all(packet.times > 1 for packet in named)
        for packet in named:
            self._arrived(packet, sent_before_s, only_again)
        return named

    def find_lost(self) -> int:
        """Take for lost what must be; returns how many these are."""
        count = 0
        while self._sent and self._sent[0][0] + REORDERED_MAX <= self._latest:
            number, packet = self._sent[0]
            if packet.number == number and packet.in_flight and packet.sent_s + self._patience_s > self._latest_s:
                break
            self._sent.popleft()
            if packet.number == number and packet.in_flight:
                self._lose(packet)
                count += 1
        return count

    def probe(self) -> None:
        """Nothing is heard: let the oldest packet be sent again, so that its acknowledgement tells of all others."""
        self.following += REORDERED_MAX
        packet = next(iter(self._packets.values()))
        if packet.in_flight:
            self._lose(packet)
            self.lost.rotate(1)

    def lose_all(self) -> None:
        """Take everything for lost."""
        self._sent.clear()
        self.lost.clear()
        for packet in self._packets.values():
            if packet.in_flight:
                self._lose(packet)
            else:
                self.lost.append(packet)

    def _send(self, packet: Packet[T], now: float) -> None:
        packet.number = self.following
        packet.sent_s = now
        packet.times += 1
        packet.in_flight = True
        self.bytes += packet.size
        self._sent.append((self.following, packet))
        self.following += 1

    def _lose(self, packet: Packet[T]) -> None:
        packet.in_flight = False
        self.bytes -= packet.size
        self.lost.append(packet)

    def _arrived(self, packet: Packet[T], sent_before_s: float, only_again: bool) -> None:
        packet.arrived = True
        if packet.in_flight:
            packet.in_flight = False
            self.bytes -= packet.size
            if packet.times > 1 and packet.sent_s > sent_before_s:
                self._patience_s = min(max(2 * self._patience_s, PATIENCE_MIN_S), PATIENCE_MAX_S)
            elif packet.number > self._latest and (packet.times == 1 or only_again):
                self._latest, self._latest_s = packet.number, packet.sent_s


def _rising(runs: tuple[tuple[int, int], ...], above: int, below: int) -> bool:
    for first, last in runs:
        if not above < first <= last < below:
            return False
        above = last
    return True


def _fresh(runs: tuple[tuple[int, int], ...], known: tuple[tuple[int, int], ...]) -> Iterator[int]:
    """The numbers in `runs` that are not in `known`; both are in order."""
    at = 0
    for first, last in runs:
        while at < len(known) and known[at][1] < first:
            at += 1
        for begin, end in known[at:]:
            if begin > last:
                break
            yield from range(first, begin)
            first = max(first, end + 1)
        yield from range(first, last + 1)

"""How much of an association may be on its way at once: as much as several TCP connections side by side would have.

One connection that halves at every loss gets 1.1 MB/s out of a line with a round trip of 40 ms that loses one packet in
a thousand, whatever the line could carry. Several at once share the losses: this one counts for 8 to 16 of them, for
more where the line carries more. What they do not do, it does: where packets wait in a long queue, it takes back, so
that others on a slow line still get through.
"""

from __future__ import annotations

import math
from typing import Final

WEIGHT_MIN, WEIGHT_MAX = 8.0, 16.0
"""TCP connections that this counts for; as many lanes are opened where TCP gets through."""
PACKETS_PER_WEIGHT: Final = 24
PACKETS_FIRST: Final = 16
PACKETS_MIN: Final = 4
PACKETS_MAX: Final = 8192
"""On their way at most; more than a window of the stream."""
RESTART_PACKETS: Final = 64
"""The most that leaves in one go after a silence."""
QUEUE_BEGINS_S: Final = 0.008
"""A round trip that takes so much longer than the shortest one, or an eighth, has met a queue."""
GO_BACK: Final = 0.6
QUEUE_LONG_S: Final = 0.120
"""And so much longer, or as long again: take back."""
SAMPLES_MIN: Final = 4
"""Round trips to judge a round by; fewer say more about the processors than about the line."""
ROUNDS_IN_VAIN: Final = 2
"""After taking back so often without the round trips getting short, the queue is not of our making."""


class Window:
    """In bytes. Packets have numbers, rising in the order in which they are sent; one sent again gets a new one."""

    def __init__(self, packet_bytes: int) -> None:
        """`packet_bytes`: what a full packet carries."""
        self.size = float(PACKETS_FIRST * packet_bytes)
        self.shortest_s = math.inf
        """The shortest round trip so far."""
        self._packet = packet_bytes
        self._threshold = math.inf
        """Up to here it doubles each round."""
        self._round_ends = 0
        """With the first number that is acknowledged and not below."""
        self._round_s = math.inf
        self._samples = 0
        self._cuts = 0
        """Losses that counted in this round."""
        self._queued = 0
        """Round trips in a row that met one."""
        self._in_vain = 0
        self._draining = False
        """The last round took back; this one still sees the queue as it was."""

    @property
    def weight(self) -> float:
        """TCP connections that it counts for now."""
        return min(max(self.size / self._packet / PACKETS_PER_WEIGHT, WEIGHT_MIN), WEIGHT_MAX)

    def acknowledged(
        self, count_bytes: int, number: int, following: int, round_trip_s: float | None, full: bool
    ) -> None:
        """So many bytes have arrived, the latest sent of them in packet `number`; `following` is the next one's.

        `full`: the window was all used. `round_trip_s`: None if it cannot be told.
        """
        if round_trip_s is not None:
            self._samples += 1
            self._round_s = min(self._round_s, round_trip_s)
            self.shortest_s = min(self.shortest_s, round_trip_s)
            self._look_for_queue(round_trip_s)
        if full:
            self._grow(count_bytes)
        if number >= self._round_ends:
            self._end_round()
            self._round_ends = following

    def lost(self) -> None:
        """A packet is lost. A round counts at most `weight` of them, then all connections would have halved."""
        if self._cuts >= self.weight:
            return
        self._cuts += 1
        self._shrink(0.5 if self.size < self._threshold else 1 - 0.5 / self.weight)

    def silent(self) -> None:
        """Nothing was acknowledged for a long time, though much was sent: begin anew."""
        self._threshold = max(self.size / 2, self._packet * PACKETS_MIN)
        self.size = float(self._packet * PACKETS_MIN)

    def idle(self) -> None:
        """Nothing was on its way for a while: what the line can carry has to be found out again."""
        if self.size > self._packet * RESTART_PACKETS:
            self._threshold = self.size
            self.size = float(self._packet * RESTART_PACKETS)

    def _grow(self, count_bytes: int) -> None:
        if self.size < self._threshold:
            self.size += count_bytes
        else:
            self.size += self.weight * self._packet * count_bytes / self.size
        self.size = min(self.size, float(self._packet * PACKETS_MAX))

    def _shrink(self, factor: float) -> None:
        self.size = self._threshold = max(self.size * factor, float(self._packet * PACKETS_MIN))

    def _look_for_queue(self, round_trip_s: float) -> None:
        """Where it begins, stop doubling, and go back: what tells of it was sent when the window was half as large."""
        if round_trip_s - self.shortest_s <= max(QUEUE_BEGINS_S, self.shortest_s / 8):
            self._queued = 0
        elif self.size < self._threshold:
            self._queued += 1
            if self._queued >= SAMPLES_MIN:
                self._shrink(GO_BACK)

    def _end_round(self) -> None:
        if self._draining:
            self._draining = False
        elif self._samples >= SAMPLES_MIN:
            if self._round_s - self.shortest_s > self._queue_max_s():
                self._take_back()
            else:
                self._in_vain = 0
        self._round_s, self._samples, self._cuts = math.inf, 0, 0

    def _queue_max_s(self) -> float:
        return max(QUEUE_LONG_S, self.shortest_s)

    def _take_back(self) -> None:
        """So much that half of the queue goes that may be there."""
        self._in_vain += 1
        if self._in_vain > ROUNDS_IN_VAIN:
            self.shortest_s, self._in_vain = self._round_s, 0
        else:
            self._draining = True
            self._shrink(max(0.7, (self.shortest_s + self._queue_max_s() / 2) / self._round_s))

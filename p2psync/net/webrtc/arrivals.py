"""Which chunks have arrived: all up to one, and ranges beyond, as an acknowledgement tells them."""

from __future__ import annotations

from typing import Final

from p2psync.net.webrtc.serial import MODULO, unwrapped

AHEAD_MAX: Final = 16_384
"""Chunks further ahead of the first missing one are not taken: no honest sender has so many on their way."""
RANGES_MAX: Final = 250
"""As many as fit into an acknowledgement."""


class Arrivals:
    """Chunks are given by their numbers on the wire."""

    def __init__(self, last: int) -> None:
        """`last`: the number before the first that is to come."""
        self._last = last
        self._ranges: list[list[int]] = []
        """First and last of each run that lies beyond a missing chunk, in order, never touching."""

    @property
    def last(self) -> int:
        """All chunks up to this one are here."""
        return self._last % MODULO

    @property
    def complete(self) -> bool:
        """Nothing lies beyond a missing chunk."""
        return not self._ranges

    def takes(self, number: int) -> bool:
        """Whether it is new, and not too far ahead."""
        whole = unwrapped(number, self._last)
        if not self._last < whole <= self._last + AHEAD_MAX:
            return False
        if not self._ranges or whole > self._ranges[-1][1]:
            return len(self._ranges) < RANGES_MAX or whole == self._ranges[-1][1] + 1
        return not any(first <= whole <= last for first, last in self._ranges)

    def add(self, number: int) -> bool:
        """Note a chunk that `takes` said yes to. True if a gap opened before it, which the sender should hear of."""
        whole = unwrapped(number, self._last)
        if not self._ranges and whole == self._last + 1:
            self._last = whole
            return False
        opened = self._insert(whole)
        if self._ranges[0][0] == self._last + 1:
            self._last = self._ranges.pop(0)[1]
        return opened

    def gaps(self) -> list[tuple[int, int]]:
        """The runs beyond, as distances from `last`."""
        return [(first - self._last, last - self._last) for first, last in self._ranges]

    def _insert(self, whole: int) -> bool:
        at = len(self._ranges)
        while at and whole < self._ranges[at - 1][0]:
            at -= 1
        if at and self._ranges[at - 1][1] == whole - 1:
            self._ranges[at - 1][1] = whole
            at -= 1
            opened = False
        else:
            opened = at == len(self._ranges)
            self._ranges.insert(at, [whole, whole])
        if at + 1 < len(self._ranges) and self._ranges[at + 1][0] == whole + 1:
            self._ranges[at][1] = self._ranges.pop(at + 1)[1]
        return opened

"""Numbers of 32 bits that begin anywhere and wrap around, as SCTP counts its chunks, and as whole numbers."""

from __future__ import annotations

from typing import Final

MODULO: Final = 1 << 32
_HALF: Final = MODULO >> 1


def unwrapped(number: int, near: int) -> int:
    """The whole number closest to `near` that is this one on the wire."""
    return near + (number - near + _HALF) % MODULO - _HALF

"""The ways of a link, as `status` shows them, and which of two is better."""

from __future__ import annotations

from typing import Final

LAN: Final = "lan"
DIRECT: Final = "direct"
PUNCHED: Final = "punched"
WEBRTC: Final = "webrtc"
RELAY: Final = "relay"

NEAR: Final = frozenset({LAN, DIRECT})
"""Plain TCP connections: none of them is worth to give up another one."""

LANED: Final = frozenset({PUNCHED})
"""Of the ways that have to be agreed on those that carry more by several connections at once."""

_RANKS: Final = {LAN: 0, DIRECT: 0, PUNCHED: 1, WEBRTC: 2, RELAY: 3}


def rank(way: str) -> int:
    """0 for the best; a way that this version does not know comes last."""
    return _RANKS.get(way, len(_RANKS))

"""Better ways come first; local and direct connections are as good as each other."""

from __future__ import annotations

from p2psync.core.ways import DIRECT, LAN, NEAR, PUNCHED, RELAY, WEBRTC, rank


def test_ways_have_an_order() -> None:
    assert sorted([RELAY, WEBRTC, PUNCHED, DIRECT], key=rank) == [DIRECT, PUNCHED, WEBRTC, RELAY]
    assert {way for way in (LAN, DIRECT, PUNCHED, WEBRTC, RELAY) if rank(way) == 0} == NEAR
    assert rank("by pigeon") > rank(RELAY)

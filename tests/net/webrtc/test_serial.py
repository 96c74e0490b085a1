"""Numbers that wrap around are told apart by what is near."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2psync.net.webrtc.serial import MODULO, unwrapped


@given(st.integers(0, 10 * MODULO), st.integers(-MODULO // 2 + 1, MODULO // 2 - 1))
def test_what_is_near_is_found(near: int, distance: int) -> None:
    assert unwrapped((near + distance) % MODULO, near) == near + distance

"""When a member is called next, for whoever waits for it."""

from __future__ import annotations

from random import Random

from p2psync.core.ids import DeviceId, MandateId
from p2psync.net.dialer import Address, Dialer, Match, Sighting

M, N = MandateId(b"M" * 16), MandateId(b"N" * 16)
BOB, CAROL = DeviceId(b"B" * 32), DeviceId(b"C" * 32)


def test_when_a_member_is_called_next_is_known() -> None:
    dialer = Dialer(Random(1))
    dialer.set_mandates({M: (b"new",), N: (b"other",)}, 0)
    assert dialer.next_call(BOB, M, 0) is None, "nobody knows where it is"
    dialer.sighted(Sighting(b"n" * 16, (Match(M, b"new"),), (Address("192.168.1.5", 7000),)), 5)
    assert (dialer.next_call(BOB, M, 5), dialer.next_call(BOB, N, 5)) == (5, None), "it may be anybody of the mandate"
    (attempt,) = dialer.next_attempts(5)
    assert dialer.next_call(BOB, M, 7) == 7, "it is being called"
    dialer.failed(attempt, 8)
    assert dialer.next_call(BOB, M, 8) == dialer.wake_at()
    assert dialer.next_call(BOB, M, 100) == 100, "what was due before is due now"
    (attempt,) = dialer.next_attempts(100)
    dialer.connected(attempt, CAROL, 100)
    assert dialer.next_call(BOB, M, 100) is None, "it is somebody else's address"
    assert dialer.next_call(CAROL, M, 100) is None, "it is linked"

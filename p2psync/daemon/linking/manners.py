"""What is expected of a peer: how much it may say in a time, and how long it stays outside after it broke the rules.

Both are pure; all times are seconds of one clock that never goes back.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from p2psync.core.ids import DeviceId
from p2psync.engine.conduct import FORGIVEN_S
from p2psync.errors import RemoteProtocolError
from p2psync.wire.messages import (
    Ahead,
    ContentMessage,
    Have,
    Hello,
    IndexUpdate,
    Message,
    Offer,
    Placed,
    Request,
    Response,
)

POINTS_MAX: Final = 5_000.0
"""What a peer may spend at once."""
POINTS_PER_S: Final = 500.0
"""What it gets back; an honest one, in an office of fifty that all save all the time, spends a tenth of that."""
ITEMS_A_POINT: Final = 16
BLOCK_BYTES_A_POINT: Final = 32 * 1024
RESEND_POINTS: Final = 50
"""For the wish to have a log from its beginning, which costs the one who says it nothing."""
NEEDLESS_ANSWER_POINTS: Final = 50
"""For an answer that nobody waits for. After a silence some come too late, but not one after the other for ever."""
AHEAD_FREE_FROM_BYTES: Final = 16 * 1024
"""Smaller pieces, which cost more to take than to send, come where a file ends, or faster than it is read."""

OUTSIDE_MIN_S: Final = 2.0
OUTSIDE_MAX_S: Final = 60.0
"""As long as the dialler's longest pause: a peer that is only of a faulty version loses little by it."""
OUTCASTS_MAX: Final = 1024


def points(message: Message) -> int:
    """What a message costs its sender. Requests wait at a desk, answers were asked for, and of what comes ahead only
    so much is kept: all are bounded there.
    """
    match message:
        case Request() | Response():
            return 0
        case Ahead():
            return int(message.size < AHEAD_FREE_FROM_BYTES)
        case IndexUpdate(_, blocks):
            return 1 + sum(map(len, blocks)) // BLOCK_BYTES_A_POINT
        case Offer():
            return 1 + len(message.difference) // BLOCK_BYTES_A_POINT
        case Have(_, tips):
            return 1 + len(tips) // ITEMS_A_POINT + RESEND_POINTS * sum(not named for named in tips.values())
        case Placed(_, tips, _, unplaced):
            return 1 + (len(tips) + len(unplaced)) // ITEMS_A_POINT
        case Hello():
            return 1 + len(message.mandates) // ITEMS_A_POINT
        case _:
            return 1


def needless_points(message: ContentMessage) -> int:
    """What it costs its sender besides if nobody here can do anything with it."""
    return NEEDLESS_ANSWER_POINTS if isinstance(message, Response) else 1


class Allowance:
    """What one link may still say; it fills up again as time passes."""

    def __init__(self, now_s: float) -> None:
        self._points = POINTS_MAX
        self._as_of_s = now_s

    def spend(self, cost: int, now_s: float) -> None:
        """Raises RemoteProtocolError when that is more than there is."""
        self._points = min(POINTS_MAX, self._points + (now_s - self._as_of_s) * POINTS_PER_S) - cost
        self._as_of_s = now_s
        if self._points < 0:
            raise RemoteProtocolError("the other device says more than anybody has to say")


class _Record(NamedTuple):
    times: int
    at_s: float
    until_s: float


class Outcasts:
    """Devices that broke the rules a moment ago: another link would only cost time, and bring the same again."""

    def __init__(self) -> None:
        self._records: OrderedDict[DeviceId, _Record] = OrderedDict()

    def add(self, device: DeviceId, now_s: float) -> None:
        """It broke the rules; each time it stays outside twice as long."""
        old = self._records.pop(device, None)
        times = old.times + 1 if old is not None and now_s - old.at_s < FORGIVEN_S else 1
        outside_s = min(OUTSIDE_MAX_S, OUTSIDE_MIN_S * 2.0 ** min(times - 1, 16))
        self._records[device] = _Record(times, now_s, now_s + outside_s)
        if len(self._records) > OUTCASTS_MAX:
            self._records.popitem(last=False)

    def has(self, device: DeviceId, now_s: float) -> bool:
        """Whether it is still to stay outside."""
        record = self._records.get(device)
        return record is not None and now_s < record.until_s

"""How many lanes a session should have: a pure judge of what comes in.

One connection over a long path that loses packets now and then is far slower than the path: each loss halves it, and
it needs seconds to grow again. Several at once fill the path. So whoever waits for bulk from far away asks for some
lanes, then for more while more of them bring more, and for none when it is over.
"""

from __future__ import annotations

from typing import Final

from p2psync.wire.messages import LANES_MAX

FAR_MS: Final = 5.0
"""A round trip from here on makes a path long."""
LOOK_S: Final = 0.25
"""How often `look` wants to be called."""
STEPS: Final = (0, 4, 8, LANES_MAX)
HUNGRY_LOOKS: Final = 2
"""In a row, until the first step: what one connection can bring quickly needs no more of them."""
JUDGE_S: Final = 1.0
"""How long a step is watched; new connections begin slowly."""
GAIN: Final = 1.15
"""The rate has to grow by this for another step."""
IDLE_S: Final = 10.0
"""Nothing came for so long: it is over."""


class Width:
    """One session while bulk comes in. All times are seconds of one monotonic clock."""

    def __init__(self, now: float, received_bytes: int) -> None:
        """`received_bytes` is a count that only grows, of all lanes together; so it is in `look`."""
        self._step = 0
        self._hungry_looks = 0
        self._judged_at = now
        self._judged_bytes = received_bytes
        self._rate_before = 0.0
        self._last_bytes = received_bytes
        self._last_at = now

    def look(self, now: float, received_bytes: int, hungry: bool) -> int | None:
        """How many lanes there should be now; None if there is no reason to look any longer.

        `hungry`: more is wanted than may be asked for at once.
        """
        if received_bytes != self._last_bytes:
            self._last_bytes, self._last_at = received_bytes, now
        elif now - self._last_at >= IDLE_S:
            return None
        self._hungry_looks = self._hungry_looks + 1 if hungry else 0
        if not hungry:
            self._judge_anew(now, received_bytes)
        elif self._step == 0:
            if self._hungry_looks >= HUNGRY_LOOKS:
                self._step_up(now, received_bytes, 0.0)
        elif self._step < len(STEPS) - 1 and now - self._judged_at >= JUDGE_S:
            self._judge(now, received_bytes)
        return STEPS[self._step]

    def _judge(self, now: float, received_bytes: int) -> None:
        rate = (received_bytes - self._judged_bytes) / (now - self._judged_at)
        if rate >= self._rate_before * GAIN:
            self._step_up(now, received_bytes, rate)
        else:
            self._judge_anew(now, received_bytes)

    def _step_up(self, now: float, received_bytes: int, rate: float) -> None:
        self._step += 1
        self._rate_before = rate
        self._judge_anew(now, received_bytes)

    def _judge_anew(self, now: float, received_bytes: int) -> None:
        self._judged_at, self._judged_bytes = now, received_bytes

"""Who broke the rules of the exchange: shown as long as it may happen again, and over when it behaved for a while."""

from __future__ import annotations

from typing import Final

from p2psync.core.ids import DeviceId, device_text
from p2psync.core.problem import Code, Problem
from p2psync.engine.scope import Scope
from p2psync.engine.state import MandateState

FORGIVEN_S: Final = 600.0
"""Whoever behaved for so long begins anew; ten times as long as anybody is kept outside."""


class Conduct:
    """Of the members of one mandate, in this run."""

    def __init__(self, state: MandateState, scope: Scope):
        self._state = state
        self._scope = scope
        self._blamed_s: dict[DeviceId, float] = {}
        """When each broke the rules last (monotonic seconds), in the order of these times."""

    def blame(self, device: DeviceId) -> None:
        """It broke the rules just now."""
        self._blamed_s.pop(device, None)
        self._blamed_s[device] = self._scope.now.monotonic_s
        self._show()

    def tick(self) -> None:
        """Forgive who behaved for long enough."""
        since_s = self._scope.now.monotonic_s - FORGIVEN_S
        forgiven = [device for device, at_s in self._blamed_s.items() if at_s <= since_s]
        for device in forgiven:
            del self._blamed_s[device]
        if forgiven or self._blamed_s:
            self._show()

    def _show(self) -> None:
        if not self._blamed_s:
            self._state.clear_problems([""], [Code.PEER_MISBEHAVED])
            return
        oldest, newest = next(iter(self._blamed_s)), next(reversed(self._blamed_s))
        self._state.put_problems([Problem("", Code.PEER_MISBEHAVED, device_text(newest))])
        self._scope.wake_in(self._blamed_s[oldest] + FORGIVEN_S - self._scope.now.monotonic_s)

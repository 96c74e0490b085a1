"""What the parts of one mandate's engine share during a `handle`: the time, and where effects go."""

from __future__ import annotations

from typing import NamedTuple

from p2psync.core.ids import MandateId
from p2psync.engine.effects import Effect, Notice


class Now(NamedTuple):
    """Both clocks at the moment of an event."""

    monotonic_s: float
    """For timers; never goes back."""
    wall_ms: int
    """Milliseconds since 1970, for people; may be years off."""


class Scope:
    """One per device, handed to each of its mandates."""

    def __init__(self) -> None:
        self.now = Now(0.0, 0)
        self._effects: list[Effect] = []
        self.wake_at_s: float | None = None
        """When the earliest Tick asked for is due, in seconds of the monotonic clock."""

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def notice(self, name: str, mandate: MandateId | None, **fields: object) -> None:
        """Something a person may want to see; the name is static, the facts are fields."""
        self.emit(Notice(name, mandate, tuple((key, str(value)) for key, value in fields.items())))

    def wake_in(self, seconds: float) -> None:
        """Ask for a Tick no later than that from now."""
        at_s = self.now.monotonic_s + seconds
        if self.wake_at_s is None or at_s < self.wake_at_s:
            self.wake_at_s = at_s

    def take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

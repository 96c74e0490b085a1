"""Pace: what is found many at once is told of as quickly as the one member places it who is given the contents, too.

It is no gain to run ahead: what a member has no room for it asks for later, and by then it is read and sent anew. But
nobody waits for who is far slower than that costs, or has stopped altogether.
"""

from __future__ import annotations

from p2psync.engine.effects import HoldBack
from p2psync.engine.site import Site

AHEAD_MAX = 6_000
"""Paths that the member may have left to place: less than as many as make it keep nothing that comes unasked."""
PATIENCE_S = 2.0
"""How long it may take to come below that; who takes longer is not waited for again until it has placed all."""


class Pace:
    """Of one mandate."""

    def __init__(self, site: Site):
        self._site = site
        self._held_for: int | None = None
        """The link of the member that is waited for."""
        self._since_s = 0.0
        self._given_up: int | None = None

    def keep(self) -> None:
        """Let this device's scan go on, or wait; to be asked after every event."""
        link, waiting = self._behind()
        if waiting == 0 or link != self._given_up:
            self._given_up = None
        if waiting <= AHEAD_MAX or self._given_up is not None:
            self._hold_back(None)
            return
        self._hold_back(link)
        rest_s = self._since_s + PATIENCE_S - self._site.scope.now.monotonic_s
        if rest_s > 0:
            self._site.scope.wake_in(rest_s)
        else:
            self._given_up = link
            self._hold_back(None)

    def _behind(self) -> tuple[int | None, int]:
        """The only member that hears this device, if there is one, and what it has left to place."""
        if len(self._site.followers) != 1:
            return None, 0
        ((link, follower),) = self._site.followers.items()
        return link, follower.waiting

    def _hold_back(self, link: int | None) -> None:
        if link != self._held_for:
            self._held_for, self._since_s = link, self._site.scope.now.monotonic_s
            self._site.scope.emit(HoldBack(self._site.mandate, link))

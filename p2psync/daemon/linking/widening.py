"""Lanes: further connections of a session, for bulk, while there is a long way to go and much to bring.

The side that waits for bulk says how many lanes there should be (`width`); the other one may want fewer. Whoever
dialled the session dials its lanes too, the way it came; each begins with a token that the other side gave out in the
session, and both ends are the same two devices. A session without its lanes is only slower.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from p2psync.daemon.linking.width import LOOK_S, Width
from p2psync.daemon.tasks import Tasks
from p2psync.errors import P2PSyncError, RemoteProtocolError
from p2psync.net.link import Link
from p2psync.wire.messages import LANES_MAX, TOKEN_BYTES, Widen

Again = Callable[[], Awaitable[Link]]
"""Makes another connection, the way the session came. Raises P2PSyncError."""

REST_S: Final = 10.0
"""After a lane could not be dialled, or broke."""
STEADY_LANES: Final = 1
"""Where one connection keeps its speed: bulk goes there, so that nothing small waits behind it."""


@dataclass(slots=True, eq=False)
class Bundle:
    """One session, and its lanes."""

    again: Again | None
    """None on the side that was dialled, or where there is no way to dial again."""
    dialled: bool
    limit: int = LANES_MAX
    """Of lanes that the other side may want, for what it waits for."""
    far: bool = False
    wish: int = 0
    """Lanes that this side would like."""
    their_wish: int = 0
    granted: int = 0
    """On the side that dialled: of its own wish that to which the other side agrees."""
    token: bytes = b""
    rest_until_s: float = 0.0
    """No lane is dialled before."""
    lanes: set[int] = field(default_factory=set)
    received_bytes: int = 0
    watching: asyncio.Task[None] | None = None
    filling: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """On the side that dialled: lanes that there should be."""
        return max(self.agreed, self.granted) if self.again is not None else 0

    @property
    def agreed(self) -> int:
        """Of those that the other side would like."""
        return min(self.their_wish, self.limit)


class Widening:
    """The lanes of all sessions; sessions and lanes are known by the numbers of their links."""

    def __init__(
        self,
        tasks: Tasks,
        say: Callable[[int, Widen], None],
        add: Callable[[int, Link, bytes], object],
        close: Callable[[int, str], None],
        is_hungry: Callable[[int], bool],
    ) -> None:
        """`say` and `close` are for a link, `add` makes a lane of one that was dialled; `is_hungry` tells whether more
        is wanted from a link than may be asked for at once.
        """
        self._tasks = tasks
        self._say = say
        self._add = add
        self._close = close
        self._is_hungry = is_hungry
        self._bundles: dict[int, Bundle] = {}

    def began(self, main: int, dialled: bool, again: Again | None) -> None:
        """A session's link is there."""
        self._bundles[main] = Bundle(again if dialled else None, dialled)

    def ended(self, main: int) -> None:
        bundle = self._bundles.pop(main, None)
        if bundle is None:
            return
        for task in (bundle.watching, bundle.filling):
            if task is not None:
                task.cancel()
        for lane in tuple(bundle.lanes):
            self._close(lane, "the connection that it belongs to is closed")

    def is_far(self, main: int, steady: bool) -> None:
        """The path turned out to be long; `steady`: what this side sends keeps its speed though packets get lost."""
        bundle = self._bundles.get(main)
        if bundle is not None:
            bundle.far = True
            bundle.limit = STEADY_LANES if steady else LANES_MAX

    def arrived(self, main: int, size: int) -> None:
        """So many bytes of content came, on the session's link or one of its lanes."""
        bundle = self._bundles.get(main)
        if bundle is None:
            return
        bundle.received_bytes += size
        if bundle.far and bundle.watching is None:
            bundle.watching = self._tasks.start(self._watch(main, bundle), f"width of link {main}")

    def heard(self, main: int, message: Widen) -> None:
        """Raises RemoteProtocolError if the token comes from the wrong side."""
        bundle = self._bundles.get(main)
        if bundle is None:
            return
        if bundle.dialled is not bool(message.token):
            raise RemoteProtocolError("a token for lanes from the side that brings them, or none from the other")
        bundle.their_wish = message.wish
        if bundle.dialled:
            bundle.granted, bundle.token = message.granted, message.token
            self._fill(main, bundle)
        else:
            self._agree(main, bundle)

    def adopt(self, token: bytes, is_same: Callable[[int], bool]) -> int | None:
        """The session that a new lane belongs to; None if there is none, or it has lanes enough.

        `is_same` tells whether the other side of a session is that of the lane.
        """
        for main, bundle in self._bundles.items():
            if not bundle.dialled and bundle.token and secrets.compare_digest(bundle.token, token):
                return main if is_same(main) and len(bundle.lanes) < LANES_MAX else None
        return None

    def lanes(self, main: int) -> tuple[int, ...]:
        """Those that a session has now."""
        bundle = self._bundles.get(main)
        return tuple(sorted(bundle.lanes)) if bundle is not None else ()

    def lane_up(self, main: int, lane: int) -> None:
        bundle = self._bundles.get(main)
        if bundle is not None:
            bundle.lanes.add(lane)

    def lane_down(self, main: int, lane: int) -> None:
        bundle = self._bundles.get(main)
        if bundle is None:
            return
        bundle.lanes.discard(lane)
        if bundle.dialled and len(bundle.lanes) < bundle.count:
            self._rest(bundle)
            self._fill(main, bundle)

    # -- one session -----------------------------------------------------------------------------------

    async def _watch(self, main: int, bundle: Bundle) -> None:
        width = Width(self._now_s(), bundle.received_bytes)
        while (wish := width.look(self._now_s(), bundle.received_bytes, self._is_hungry(main))) is not None:
            self._wish(main, bundle, wish)
            await asyncio.sleep(LOOK_S)
        bundle.watching = None
        self._wish(main, bundle, 0)

    def _wish(self, main: int, bundle: Bundle, wish: int) -> None:
        if wish == bundle.wish:
            return
        bundle.wish = wish
        if not bundle.dialled:
            self._agree(main, bundle)
        elif bundle.again is not None:
            self._say(main, Widen(wish, 0, b""))

    def _agree(self, main: int, bundle: Bundle) -> None:
        """On the side that was dialled: say how many lanes should come."""
        bundle.token = bundle.token or secrets.token_bytes(TOKEN_BYTES)
        self._say(main, Widen(bundle.wish, bundle.agreed, bundle.token))

    def _fill(self, main: int, bundle: Bundle) -> None:
        """On the side that dialled: have as many lanes as there should be."""
        for lane in sorted(bundle.lanes)[bundle.count :]:
            self._close(lane, "it is not needed any more")
        if len(bundle.lanes) < bundle.count and bundle.filling is None:
            bundle.filling = self._tasks.start(self._dial_missing(main, bundle), f"lanes of link {main}")

    async def _dial_missing(self, main: int, bundle: Bundle) -> None:
        while len(bundle.lanes) < bundle.count:
            await asyncio.sleep(bundle.rest_until_s - self._now_s())
            missing = bundle.count - len(bundle.lanes)
            if not all(await asyncio.gather(*(self._dial(main, bundle) for _ in range(missing)))):
                self._rest(bundle)
        bundle.filling = None
        self._fill(main, bundle)

    async def _dial(self, main: int, bundle: Bundle) -> bool:
        """Whether there is one more lane."""
        assert bundle.again is not None
        try:
            link = await bundle.again()
        except (P2PSyncError, OSError):
            return False
        self._add(main, link, bundle.token)
        return True

    def _rest(self, bundle: Bundle) -> None:
        bundle.rest_until_s = self._now_s() + REST_S

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

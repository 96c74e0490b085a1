"""One member's session for one mandate over one link: what they have, what they lack, what they have placed.

Announcing is have/want: the first Have of a session says all tips, each later one only what is new, and
doubles as the acknowledgement of an IndexUpdate. Own blocks go out at once; blocks of others only to who
still lacks them a second later, since most likely somebody nearer has sent them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from p2psync.core.clock import Tip, Tips
from p2psync.core.ids import DeviceId, LogId, MandateId
from p2psync.core.value import value
from p2psync.engine.effects import Send
from p2psync.engine.ledger import Ledger
from p2psync.engine.scope import Scope
from p2psync.engine.state import BlockRow, MandateState
from p2psync.errors import RemoteProtocolError
from p2psync.wire.messages import BLOCKS_MAX, LOGS_MAX, Have, IndexUpdate, Placed, Secret

UPDATE_BYTES_MAX = 512 * 1024
"""Signed bytes in one IndexUpdate."""
UPDATES_IN_FLIGHT_MAX = 4
"""IndexUpdates that were not acknowledged yet."""
FOLLOWS_MAX = 2 * UPDATES_IN_FLIGHT_MAX
"""Who has so much left to acknowledge is busy enough."""
WAITING_MAX = 8_000
"""Who has so many paths left to place keeps no more contents that come unasked: they would come twice."""
FORWARD_AFTER_S = 1.0
RESENDS_MAX = 8
"""Blocks without those that they name, one after the other and nothing usable between; more is no accident."""


@value
class _Item:
    intake: int
    size: int
    log: LogId
    tip: Tip


@value
class Parted:
    """How a member's session ended."""

    at_s: float
    """Monotonic seconds."""
    placed: Placed | None
    """What the member said last."""
    had_caught_us_up: bool
    """All that it had when the session began was here."""


class Peer:
    def __init__(
        self, link: int, device: DeviceId, mandate: MandateId, state: MandateState, ledger: Ledger, scope: Scope
    ):
        self.link = link
        self.device = device
        self._mandate = mandate
        self._state = state
        self._ledger = ledger
        self._scope = scope
        self.theirs: dict[LogId, tuple[Tip, ...]] = {}
        """What they have said they have."""
        self.placed: Placed | None = None
        self.greeted = False
        """True once their first Have is here."""
        self.secret_number = 0
        """The newest discovery secret that they have shown to know."""
        self.claimed: tuple[int, bytes] | None = None
        """A discovery secret that they told and our log does not know, or not yet."""
        self._goal: Tips = {}
        """What they had when the session began: when that is here too, we have caught up with them."""
        self._said: dict[LogId, tuple[Tip, ...]] = {}
        self._outbox: deque[_Item] = deque()
        self._in_flight: deque[_Item] = deque()
        self._forward: deque[tuple[float, _Item]] = deque()
        self._placed_said: Placed | None = None
        self._resends = 0

    def begin(self, secret: tuple[int, bytes] | None) -> None:
        if secret is not None:
            self.say_secret(secret)
        self.say_have(full=True)

    def say_secret(self, secret: tuple[int, bytes]) -> None:
        self._send(Secret(self._mandate, *secret))

    def say_have(self, full: bool = False) -> None:
        """Tell what is here, as far as it is news to them and they may read it."""
        tips = self._ledger.readable_tips(self.device)
        news = {log: many for log, many in tips.items() if self._said.get(log) != many}
        if news or full:
            self._send(Have(self._mandate, news))
            self._said = tips

    def acknowledge(self, logs: Iterable[LogId]) -> None:
        """Answer an IndexUpdate, also when it brought nothing new."""
        for log in logs:
            self._said.pop(log, None)
            self._resends = 0
        self.say_have()

    def ask_again(self, log: LogId) -> None:
        """They sent a block without one that it names: have the log sent from its beginning.

        Raises RemoteProtocolError when that happens too often.
        """
        self._resends += 1
        if self._resends > RESENDS_MAX:
            raise RemoteProtocolError("blocks keep coming without those that they name")
        self._said.pop(log, None)
        self._send(Have(self._mandate, {log: ()}))

    # -- what they have --------------------------------------------------------------------------------

    def on_have(self, have: Have) -> None:
        """Raises RemoteProtocolError when they claim more logs than a mandate can have."""
        self.theirs.update(have.tips)
        if len(self.theirs) > LOGS_MAX:
            raise RemoteProtocolError("more logs than a mandate can have")
        while self._in_flight and self._they_have(self._in_flight[0]):
            self._in_flight.popleft()
        if not self.greeted:
            self.greeted = True
            self._goal = dict(have.tips)
            self._enqueue_lacking(self._ledger.readable_tips(self.device))
        else:
            again = any(not tips and log in self._ledger.tips for log, tips in have.tips.items())
            if again:  # what was on its way builds on what they lack, and was dropped with it
                self._in_flight.clear()
                self._outbox.clear()
                self._enqueue_lacking(self._ledger.readable_tips(self.device))

    def refresh(self) -> None:
        """Our view of what they may read, or of a log's branches, changed: look again at what they lack."""
        if self.greeted:
            self._outbox.clear()
            self._enqueue_lacking(self._ledger.readable_tips(self.device))
            self.say_have()

    def _enqueue_lacking(self, logs: Iterable[LogId]) -> None:
        rows = [row for log in logs if self._ledger.may_read(self.device, log) for row in self._lacking(log)]
        queued = {item.intake for item in self._outbox}
        rows.sort(key=lambda row: row.intake)
        self._outbox.extend(_item(row) for row in rows if row.intake not in queued)

    def _lacking(self, log: LogId) -> list[BlockRow]:
        """Blocks of a log that are not among or before the tips they named."""
        known = tuple(t for t in self.theirs.get(log, ()) if self._state.block(t.hash) is not None)
        ahead = len(known) < len(self.theirs.get(log, ()))
        ours = self._ledger.tips.get(log, ())
        if len(ours) == 1 and len(known) == 1:
            return list(self._state.blocks_of(log, known[0].seq))
        if len(ours) == 1 and ahead and not known:
            theirs = max(t.seq for t in self.theirs[log])
            return [] if theirs > ours[0].seq else list(self._state.blocks_of(log, 0))
        rows = self._state.blocks_of(log, 0)
        return [r for r in rows if not self._ledger.covered({log: known}, log, Tip(r.seq, r.hash))]

    def _they_have(self, item: _Item) -> bool:
        return self._ledger.covered(self.theirs, item.log, item.tip)

    def has_caught_us_up(self) -> bool:
        """Whether all that they had when the session began is here."""
        return self.greeted and all(
            self._state.block(tip.hash) is not None for tips in self._goal.values() for tip in tips
        )

    # -- announce --------------------------------------------------------------------------------------

    def announce(self, row: BlockRow) -> None:
        """A block of our own: they shall have it at once, and before it what it may name."""
        if self.greeted and self._ledger.may_read(self.device, row.log):
            self._outbox.extend(item for _, item in self._forward)
            self._forward.clear()
            self._outbox.append(_item(row))

    def forward(self, row: BlockRow) -> None:
        """A block of somebody else: they get it if they still lack it in a second."""
        if self.greeted and self._ledger.may_read(self.device, row.log):
            self._forward.append((self._scope.now.monotonic_s + FORWARD_AFTER_S, _item(row)))
            self._scope.wake_in(FORWARD_AFTER_S)

    def forward_due(self) -> None:
        now_s = self._scope.now.monotonic_s
        while self._forward and self._forward[0][0] <= now_s:
            self._outbox.append(self._forward.popleft()[1])
        if self._forward:
            self._scope.wake_in(self._forward[0][0] - now_s)

    def flush(self) -> None:
        """Send what is due, as much as may be in flight."""
        while self._outbox and len(self._in_flight) < UPDATES_IN_FLIGHT_MAX:
            batch: list[_Item] = []
            size = 0
            while self._outbox and len(batch) < BLOCKS_MAX and (not batch or size < UPDATE_BYTES_MAX):
                if batch and size + self._outbox[0].size > UPDATE_BYTES_MAX:
                    break
                item = self._outbox.popleft()
                if self._ledger.may_read(self.device, item.log) and not self._they_have(item):
                    batch.append(item)
                    size += item.size
            if batch:
                self._send(IndexUpdate(self._mandate, tuple(self._state.raw_blocks([i.intake for i in batch]))))
                self._in_flight.append(batch[-1])

    # -- placed ----------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Paths that they have left to place, by what they said last."""
        return self.placed.waiting if self.placed is not None else 0

    @property
    def keeps_up(self) -> bool:
        """Whether they have acknowledged nearly all that was announced, and placed nearly all of that."""
        if self.waiting > WAITING_MAX:
            return False
        return self.greeted and len(self._outbox) + len(self._in_flight) < FOLLOWS_MAX

    def say_placed(self, placed: Placed) -> None:
        if placed != self._placed_said:
            self._placed_said = placed
            self._send(placed)

    def has_taken_everything(self) -> bool:
        """Whether they have acknowledged all that we have and they may read."""
        if self._outbox or self._in_flight or self._forward:
            return False
        ours = self._ledger.readable_tips(self.device)
        return all(self._ledger.covered(self.theirs, log, tip) for log, tips in ours.items() for tip in tips)

    def has_placed_everything(self) -> bool:
        """Whether they have placed all that we know and they may read, but for what they have listed."""
        if self.placed is None or self._outbox or self._in_flight or self._forward:
            return False
        ours = self._ledger.readable_tips(self.device)
        return all(self._ledger.covered(self.placed.tips, log, t) for log, tips in ours.items() for t in tips) and (
            self.placed.waiting <= len(self.placed.unplaced)
        )

    def _send(self, message: Have | IndexUpdate | Placed | Secret) -> None:
        self._scope.emit(Send(self.link, message))


def _item(row: BlockRow) -> _Item:
    return _Item(row.intake, row.size, row.log, Tip(row.seq, row.hash))

"""Two ends of a session, and what they say to each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from p2psync.core.change import Change
from p2psync.core.relpath import parse
from p2psync.engine.effects import Send
from p2psync.engine.ledger import MissingBlock, Taken
from p2psync.engine.peer import Peer
from p2psync.engine.scope import Now, Scope
from p2psync.wire.messages import Have, IndexUpdate, Message, Placed
from tests.engine.ledgers import Desk, entry, office

LINK = 7


class Side:
    """One end of a session."""

    def __init__(self, desk: Desk, other: Desk):
        self.desk = desk
        self.scope = Scope()
        self.peer = Peer(LINK, other.id, desk.mandate, desk.state, desk.ledger, self.scope)

    def out(self) -> list[Message]:
        """What it has said since it was last asked."""
        effects = self.scope.take_effects()
        sent = [effect for effect in effects if isinstance(effect, Send)]
        assert len(sent) == len(effects)
        assert {effect.link for effect in sent} <= {LINK}
        return [effect.message for effect in sent]

    def hears(self, message: Message) -> list[Message]:
        """Do what a mandate does with a message, and say what comes of it."""
        if isinstance(message, Have):
            self.peer.on_have(message)
        elif isinstance(message, IndexUpdate):
            self._take_in(message)
        elif isinstance(message, Placed):
            self.peer.placed = message
        self.peer.flush()
        return self.out()

    def _take_in(self, update: IndexUpdate) -> None:
        taken: list[Taken] = []
        try:
            for raw in update.blocks:
                one = self.desk.ledger.join(raw)
                taken += [one] if one is not None else []
        except MissingBlock as error:
            self.peer.ask_again(error.log)
        self.peer.acknowledge({one.row.log for one in taken})

    def saves(self, path: str, text: str) -> list[Message]:
        """Write a change, announce it at once."""
        heads = [Change(parse(path), entry(text), tuple(h.id for h in self.desk.heads(path)))]
        for taken in self.desk.ledger.append(heads, self.desk.ledger.class_of(parse(path)), 1):
            self.peer.announce(taken.row)
        self.peer.flush()
        return self.out()

    def time_passes(self, seconds: float) -> list[Message]:
        now = self.scope.now
        self.scope.now = Now(now.monotonic_s + seconds, now.wall_ms)
        self.peer.forward_due()
        self.peer.flush()
        return self.out()


class Session:
    """Both ends, and what is on its way between them."""

    def __init__(self, a: Desk, b: Desk):
        self.a, self.b = Side(a, b), Side(b, a)
        self._on_its_way: deque[tuple[Side, Message]] = deque()
        self.said: list[tuple[Side, Message]] = []

    def begin(self) -> Session:
        for side in (self.a, self.b):
            side.peer.begin(None)
            self.says(side, side.out())
        return self.settle()

    def says(self, side: Side, messages: Sequence[Message]) -> Session:
        self._on_its_way.extend((side, message) for message in messages)
        return self

    def settle(self) -> Session:
        """Deliver all that is said, and what it is answered with; it has to end."""
        for _ in range(1000):
            if not self._on_its_way:
                return self
            side, message = self._on_its_way.popleft()
            self.said.append((side, message))
            other = self.b if side is self.a else self.a
            self.says(other, other.hears(message))
        raise AssertionError("they do not stop talking")

    def updates(self, side: Side) -> list[IndexUpdate]:
        return [message for who, message in self.said if who is side and isinstance(message, IndexUpdate)]

    def assert_same(self) -> None:
        assert self.a.desk.outcome() == self.b.desk.outcome()
        for side in (self.a, self.b):
            assert side.peer.has_caught_us_up()
            assert side.out() == []


def pair(**kwargs: object) -> tuple[Desk, Desk]:
    a, b = office("a", "b", **kwargs)  # type: ignore[arg-type]
    return a, b

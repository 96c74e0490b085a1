"""The host's side of signalling: who is in which topic, what is passed on to whom, and what is too much.

It knows visitors by number, topics and handles, and nothing else; what it passes on it cannot read. Several hosts may
share their topics: what one takes in it offers to the others (`Share`), and hears from them (`shared`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from p2psync.core.value import value
from p2psync.rendezvous.protocol.buckets import Bucket, Rate
from p2psync.rendezvous.protocol.messages import (
    HANDLE_BYTES,
    Enter,
    Gone,
    Leave,
    Mail,
    Message,
    Post,
    Reason,
    Refused,
)

POST_OVERHEAD_BYTES: Final = 256
"""What an envelope costs beyond its bytes."""
VISITOR_BYTES: Final = Rate(4 << 20, 64 << 10)
TOPIC_BYTES_RATE: Final = Rate(8 << 20, 128 << 10)
"""All members of a mandate at once, after the host was restarted, say hello to each other."""
PATIENCE: Final = Rate(4096, 4)


@value
class HubLimits:
    """What one host allows. Bytes are those that it has to pass on, to all their recipients together."""

    visitors: int = 20_000
    topics_per_visitor: int = 2048
    """A fiduciary with 500 mandates is in 1000, and in more while a secret changes."""
    visitors_per_topic: int = 128
    entries: int = 400_000
    """All visitors' topics together."""
    visitor_bytes: Rate = VISITOR_BYTES
    topic_bytes: Rate = TOPIC_BYTES_RATE
    patience: Rate = PATIENCE
    """Refusals before a visitor is shown the door."""
    idle_s: float = 30.0
    """How long a visitor may be in no topic."""


DEFAULTS: Final = HubLimits()


@value
class Deliver:
    """Say this to these visitors."""

    to: tuple[int, ...]
    message: Message


@value
class Dismiss:
    """Close this visitor's connection; `left` is to be called as for any that ends."""

    visitor: int
    reason: Reason


@value
class Listen:
    """From now on (or no longer) this topic concerns this host."""

    topic: bytes
    on: bool


@value
class Share:
    """Other hosts' visitors in the topic may want this."""

    message: Mail | Gone
    to: bytes | None = None
    """A handle that is not here; None for all."""


Effect = Deliver | Dismiss | Listen | Share


@dataclass(slots=True)
class _Visitor:
    bytes_left: Bucket
    patience: Bucket
    handles: dict[bytes, bytes] = field(default_factory=dict)
    """By topic."""


@dataclass(slots=True)
class _Topic:
    bytes_left: Bucket
    visitors: dict[bytes, int] = field(default_factory=dict)
    """By handle."""


class Hub:
    """`now`: seconds of a clock that never goes back."""

    def __init__(self, random: Random, limits: HubLimits = DEFAULTS, *, alone: bool = True) -> None:
        """`random` draws handles; `alone`: no other host shares these topics."""
        self._random = random
        self._limits = limits
        self._alone = alone
        self._visitors: dict[int, _Visitor] = {}
        self._topics: dict[bytes, _Topic] = {}
        self._outside: dict[int, float] = {}
        """Visitors in no topic, and since when; the longest first."""
        self.entries = 0
        """All visitors' topics together."""

    @property
    def visitors(self) -> int:
        return len(self._visitors)

    @property
    def topics(self) -> int:
        return len(self._topics)

    def arrived(self, visitor: int, now: float) -> Reason | None:
        """A new visitor; a reason if there is no room for it."""
        if len(self._visitors) >= self._limits.visitors:
            return Reason.HOST_FULL
        limits = self._limits
        self._visitors[visitor] = _Visitor(Bucket(limits.visitor_bytes, now), Bucket(limits.patience, now))
        self._outside[visitor] = now
        return None

    def received(self, visitor: int, message: Message, now: float) -> list[Effect]:
        """What a visitor said."""
        match message:
            case Enter(entries):
                return [effect for topic, envelope in entries for effect in self._enter(visitor, topic, envelope, now)]
            case Leave(topics):
                return [effect for topic in topics for effect in self._leave(visitor, topic, now)]
            case Post(topic, to, envelope):
                return self._post(visitor, topic, to, envelope, now)
            case _:
                return [Dismiss(visitor, Reason.MALFORMED)]

    def left(self, visitor: int, now: float) -> list[Effect]:
        """A visitor's connection has ended, for whatever reason."""
        known = self._visitors.get(visitor)
        if known is None:
            return []
        effects = [effect for topic in list(known.handles) for effect in self._leave(visitor, topic, now)]
        del self._visitors[visitor]
        self._outside.pop(visitor, None)
        return effects

    def shared(self, message: Mail | Gone, to: bytes | None, now: float) -> list[Effect]:
        """What another host shares."""
        topic = self._topics.get(message.topic)
        if topic is None:
            return []
        if to is None:
            return _deliver(topic.visitors.values(), message)
        return _deliver((topic.visitors[to],), message) if to in topic.visitors else []

    def sweep(self, now: float) -> list[Effect]:
        """To be called every few seconds: who has come and is in no topic has to go."""
        idle = []
        for visitor, since in self._outside.items():
            if now - since < self._limits.idle_s:
                break
            idle.append(visitor)
        for visitor in idle:
            del self._outside[visitor]
        return [Dismiss(visitor, Reason.IDLE) for visitor in idle]

    def _enter(self, visitor: int, name: bytes, envelope: bytes, now: float) -> list[Effect]:
        known = self._visitors[visitor]
        if name in known.handles:
            return self._post(visitor, name, None, envelope, now)
        topic = self._topics.get(name)
        reason = self._no_room(known, topic)
        if reason is not None:
            return self._refuse(visitor, reason, name, now)
        effects: list[Effect] = []
        if topic is None:
            topic = self._topics[name] = _Topic(Bucket(self._limits.topic_bytes, now))
            effects.append(Listen(name, True))
        handle = self._random.randbytes(HANDLE_BYTES)
        known.handles[name] = handle
        topic.visitors[handle] = visitor
        self.entries += 1
        self._outside.pop(visitor, None)
        return effects + self._post(visitor, name, None, envelope, now)

    def _no_room(self, visitor: _Visitor, topic: _Topic | None) -> Reason | None:
        if len(visitor.handles) >= self._limits.topics_per_visitor:
            return Reason.TOO_MANY_TOPICS
        if topic is not None and len(topic.visitors) >= self._limits.visitors_per_topic:
            return Reason.TOPIC_FULL
        return Reason.HOST_FULL if self.entries >= self._limits.entries else None

    def _leave(self, visitor: int, name: bytes, now: float) -> list[Effect]:
        known = self._visitors[visitor]
        handle = known.handles.pop(name, None)
        if handle is None:
            return []
        topic = self._topics[name]
        del topic.visitors[handle]
        self.entries -= 1
        if not known.handles:
            self._outside[visitor] = now
        gone = Gone(name, handle)
        effects = [*_deliver(topic.visitors.values(), gone), *self._share(gone)]
        if not topic.visitors:
            del self._topics[name]
            effects.append(Listen(name, False))
        return effects

    def _post(self, visitor: int, name: bytes, to: bytes | None, envelope: bytes, now: float) -> list[Effect]:
        known = self._visitors[visitor]
        handle, topic = known.handles.get(name), self._topics.get(name)
        if handle is None or topic is None:
            return self._refuse(visitor, Reason.NOT_THERE, name, now)
        here = self._recipients(topic, handle, to)
        cost = (len(envelope) + POST_OVERHEAD_BYTES) * max(1, len(here))
        if not known.bytes_left.take(cost, now) or not topic.bytes_left.take(cost, now):
            return self._refuse(visitor, Reason.TOO_FAST, name, now)
        mail = Mail(name, handle, envelope)
        if to is not None and not here:
            return _deliver((visitor,), Gone(name, to)) if self._alone else self._share(mail, to)
        return [*_deliver(here, mail), *(self._share(mail) if to is None else ())]

    def _recipients(self, topic: _Topic, sender: bytes, to: bytes | None) -> tuple[int, ...]:
        if to is not None:
            return (topic.visitors[to],) if to in topic.visitors else ()
        return tuple(visitor for handle, visitor in topic.visitors.items() if handle != sender)

    def _share(self, message: Mail | Gone, to: bytes | None = None) -> list[Effect]:
        return [] if self._alone else [Share(message, to)]

    def _refuse(self, visitor: int, reason: Reason, topic: bytes, now: float) -> list[Effect]:
        if not self._visitors[visitor].patience.take(1, now):
            return [Dismiss(visitor, Reason.TOO_FAST)]
        return [Deliver((visitor,), Refused(reason, topic))]


def _deliver(to: Iterable[int], message: Message) -> list[Effect]:
    recipients = tuple(to)
    return [Deliver(recipients, message)] if recipients else []

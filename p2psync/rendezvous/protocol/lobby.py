"""A member's side of signalling: which topics to be in, who is there, what they say, and what of it is true.

The host is believed nothing. A letter counts if a member of the room wrote it to us, now: it is sealed and signed for
this topic (`envelope`), its number is higher than the last one's, and its writer has shown that he lives, by naming
the session that we drew when this connection began. What a host alters, repeats, swaps or invents is counted and
dropped; what it holds back is missed. It can keep members apart, and that is all.

    A: HELLO to all  ->  B: HERE, to A's session (A now knows that B lives)  ->  A: HERE, to B's session (so does B)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from p2psync.core.block import Sign, Verify
from p2psync.core.ids import DeviceId
from p2psync.core.value import value
from p2psync.errors import CodecError, LinkClosed, SignatureInvalid
from p2psync.rendezvous.protocol.acquaintances import Acquaintances, Known, Peer
from p2psync.rendezvous.protocol.buckets import Bucket, Rate
from p2psync.rendezvous.protocol.envelope import NONCE_BYTES, SESSION_BYTES, Kind, Letter, Recipient, seal, unseal
from p2psync.rendezvous.protocol.messages import ENTRIES_MAX, Enter, Gone, Leave, Mail, Message, Post, Reason, Refused
from p2psync.rendezvous.protocol.topics import day_at, topics_at

ANNOUNCE_S: Final = 240.0
"""How often a member says hello again: where hosts share topics, one that breaks down says no farewell for others."""
FORGET_S: Final = 3 * ANNOUNCE_S + 30.0
"""A member that was silent for so long is not there any more."""
AGAIN_MIN_S, AGAIN_MAX_S = 5.0, 20.0
"""When to say hello again where the host had no room or no time."""
INCOMING: Final = Rate(4096, 200)
"""Letters that are looked at; a host that sends more wastes its own time only."""
ENTRIES_BYTES_MAX: Final = 48 * 1024

ASKING: Final = b"?"
"""Body of a HELLO or HERE that wants an answer from everybody who gets it. Any other hello is answered by those only
who do not know yet that its writer lives."""
FOR_LATER: Final = frozenset({Reason.TOO_FAST, Reason.TOPIC_FULL, Reason.HOST_FULL, Reason.NOT_THERE})
"""Refusals after which it is worth to enter the topic again."""


@value
class Room:
    """Whom to meet."""

    secrets: tuple[bytes, ...] = field(repr=False)
    """Whoever holds one of these can come; newest first."""
    members: frozenset[DeviceId] | None
    """Who is listened to; None for everybody who holds the secret: inviter and newcomer."""


@value
class Say:
    """To the host."""

    message: Message


@value
class Found:
    """A member is there, now, and can be written to."""

    peer: Peer


@value
class Lost:
    """It is not there any more, or the host says so."""

    peer: Peer


@value
class Heard:
    """What a member wrote to us: once, in the order in which it was written, perhaps with gaps."""

    peer: Peer
    kind: Kind
    body: bytes


Outcome = Say | Found | Lost | Heard


@dataclass(slots=True)
class Counts:
    """What became of the letters that a host delivered."""

    good: int = 0
    unreadable: int = 0
    """Sealed for another topic, by somebody without the secret, or altered."""
    forged: int = 0
    """Not signed by whom they name."""
    strangers: int = 0
    """From somebody who is no member (any more)."""
    misdelivered: int = 0
    """To another member, or to us in an earlier session."""
    repeated: int = 0
    """Older than what was heard before."""
    missed: int = 0
    """Written to us and never delivered."""
    too_many: int = 0


@value
class _Place:
    room: bytes
    secret: bytes = field(repr=False)


class Lobby:
    """`now`: seconds of a clock that never goes back; `wall_s`: seconds since 1970."""

    def __init__(self, device: DeviceId, sign: Sign, verify: Verify, random: Random) -> None:
        """`random` draws sessions and nonces: it has to be one that nobody can foresee."""
        self._device = device
        self._sign = sign
        self._verify = verify
        self._random = random
        self._rooms: Mapping[bytes, Room] = {}
        self._places: dict[bytes, _Place] = {}
        """By topic; empty while there is no connection."""
        self._connected = False
        self._session = b""
        self._hellos = 0
        self._known = Acquaintances()
        self._incoming = Bucket(INCOMING, 0.0)
        self._day = 0
        self._announce_at = 0.0
        self._again: dict[bytes, float] = {}
        """Topics to say hello in again, and when."""
        self.counts = Counts()

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Those that are there."""
        return tuple(peer for peer in self._known if self._living(peer) is not None)

    def set_rooms(self, rooms: Mapping[bytes, Room], wall_s: float, now: float) -> list[Outcome]:
        """Be in these rooms and no others. Who may come now may have said hello before: everybody is asked again."""
        grown = {room for room, what in rooms.items() if _grows(self._rooms.get(room), what)}
        again = [topic for topic, place in self._places.items() if place.room in grown]
        self._rooms = dict(rooms)
        outcomes = self._lose([peer for peer in self._known if not self._belongs(peer.room, peer.device)])
        if self._connected:
            outcomes += self._settle(wall_s)
            outcomes += self._enter([topic for topic in again if topic in self._places], ASKING)
        return outcomes

    def connected(self, wall_s: float, now: float) -> list[Outcome]:
        """A connection to the host begins, and with it a session."""
        self._connected = True
        return self._begin(wall_s, now)

    def disconnected(self) -> list[Outcome]:
        """It has ended; nobody can be written to."""
        self._connected = False
        self._places.clear()
        self._again.clear()
        return self._lose(self._known)

    def tick(self, wall_s: float, now: float) -> list[Outcome]:
        """To be called every few seconds."""
        if not self._connected:
            return []
        if self._known.worn_out:
            return [*self._lose(self._known), *self._begin(wall_s, now)]
        outcomes = self._lose(self._known.silent_since(now - FORGET_S))
        if day_at(wall_s) != self._day:
            outcomes += self._settle(wall_s)
        due = [topic for topic, at in self._again.items() if at <= now]
        for topic in due:
            del self._again[topic]
        outcomes += self._enter(due, ASKING)
        if now >= self._announce_at:
            self._announce_at = self._next_announcement(now)
            outcomes += self._enter(tuple(self._places), b"")
        return outcomes

    def received(self, message: Message, now: float) -> list[Outcome]:
        """What the host said."""
        match message:
            case Mail(topic, sender, envelope):
                return self._open(topic, sender, envelope, now)
            case Gone(topic, handle):
                return _losses(self._known.lose(topic, handle))
            case Refused(reason, bytes(topic)) if topic in self._places and reason in FOR_LATER:
                self._again[topic] = now + self._random.uniform(AGAIN_MIN_S, AGAIN_MAX_S)
        return []

    def write(self, peer: Peer, kind: Kind, body: bytes) -> list[Outcome]:
        """A letter to one member. Raises LinkClosed if it is not there any more."""
        return self._write(peer, self._present(peer), kind, body)

    def topic_of(self, peer: Peer) -> bytes:
        """A topic that both are in. Raises LinkClosed if the peer is not there any more."""
        return next(reversed(self._present(peer).routes))

    def shares(self, peer: Peer, topic: bytes) -> bool:
        """Whether a topic is one of the peer's room."""
        place = self._places.get(topic)
        return place is not None and place.room == peer.room

    # -- being there -----------------------------------------------------------------------------------

    def _begin(self, wall_s: float, now: float) -> list[Outcome]:
        """A session in which nobody has met us yet."""
        self._session = self._random.randbytes(SESSION_BYTES)
        self._hellos = 0
        self._known = Acquaintances()
        self._announce_at = self._next_announcement(now)
        entered = tuple(self._places)
        return [*self._enter(entered, ASKING), *self._settle(wall_s)]

    def _settle(self, wall_s: float) -> list[Outcome]:
        """Be in the topics of this time."""
        self._day = day_at(wall_s)
        wanted = {
            topic: _Place(room, secret)
            for room, what in self._rooms.items()
            for secret in what.secrets
            for topic in topics_at(secret, wall_s)
        }
        old = [topic for topic, place in self._places.items() if wanted.get(topic) != place]
        new = [topic for topic, place in wanted.items() if self._places.get(topic) != place]
        lost = [peer for topic in old for peer in self._known.lose_topic(topic)]
        self._places = wanted
        for topic in old:
            self._again.pop(topic, None)
        leaving = [Say(Leave(tuple(old[at : at + ENTRIES_MAX]))) for at in range(0, len(old), ENTRIES_MAX)]
        return [*_losses(lost), *leaving, *self._enter(new, ASKING)]

    def _enter(self, topics: Sequence[bytes], body: bytes) -> list[Outcome]:
        """Say hello there, in as few messages as it takes."""
        entries = [(topic, self._seal(topic, self._hello(body))) for topic in topics]
        size = max((len(topic) + len(envelope) for topic, envelope in entries), default=1)
        fits = min(ENTRIES_MAX, ENTRIES_BYTES_MAX // size)
        return [Say(Enter(tuple(entries[at : at + fits]))) for at in range(0, len(entries), fits)]

    def _hello(self, body: bytes) -> Letter:
        self._hellos += 1
        return Letter(self._device, self._session, self._hellos, None, Kind.HELLO, body)

    def _next_announcement(self, now: float) -> float:
        return now + ANNOUNCE_S * self._random.uniform(0.8, 1.0)

    def _seal(self, topic: bytes, letter: Letter) -> bytes:
        place = self._places[topic]
        return seal(letter, place.room, topic, place.secret, self._sign, self._random.randbytes(NONCE_BYTES))

    def _write(self, peer: Peer, known: Known, kind: Kind, body: bytes) -> list[Outcome]:
        topic, handle = next(reversed(known.routes.items()))
        known.from_us += 1
        to = Recipient(peer.device, peer.session)
        letter = Letter(self._device, self._session, known.from_us, to, kind, body)
        return [Say(Post(topic, handle, self._seal(topic, letter)))]

    # -- hearing ---------------------------------------------------------------------------------------

    def _open(self, topic: bytes, handle: bytes, envelope: bytes, now: float) -> list[Outcome]:
        place = self._places.get(topic)
        if place is None:
            return []
        if not self._incoming.take(1, now):
            self.counts.too_many += 1
            return []
        try:
            opened = unseal(envelope, place.room, topic, place.secret)
            if not self._concerns_us(place.room, opened.letter):
                return []
            opened.verify(self._verify)
        except CodecError:
            self.counts.unreadable += 1
            return []
        except SignatureInvalid:
            self.counts.forged += 1
            return []
        self.counts.good += 1
        return self._believe(place.room, opened.letter, topic, handle, now)

    def _concerns_us(self, room: bytes, letter: Letter) -> bool:
        """Whether it is from a member, to us, and new. Cheaper than its signature, so asked first."""
        if letter.sender == self._device:
            return False
        if not self._belongs(room, letter.sender):
            self.counts.strangers += 1
            return False
        if letter.to is not None and letter.to != Recipient(self._device, self._session):
            self.counts.misdelivered += 1
            return False
        peer = Peer(room, letter.sender, letter.session)
        known = self._known.get(peer)
        last = 0 if known is None else known.to_all if letter.to is None else known.to_us
        if letter.number <= last or self._known.is_retired(peer):
            self.counts.repeated += 1
            return False
        return True

    def _believe(self, room: bytes, letter: Letter, topic: bytes, handle: bytes, now: float) -> list[Outcome]:
        peer = Peer(room, letter.sender, letter.session)
        known, lost = self._known.get(peer), list[Peer]()
        if known is None:
            known, lost = self._known.meet(peer, now)
        lost += self._known.heard(peer, topic, handle, now)
        outcomes = _losses(lost)
        if letter.to is None:
            known.to_all = letter.number
            wants_answer = letter.body == ASKING or not known.lives
        else:
            self.counts.missed += letter.number - known.to_us - 1
            known.to_us = letter.number
            wants_answer = letter.kind is Kind.HERE and letter.body == ASKING
            outcomes += [] if known.lives else [Found(peer)]
            known.lives = True
        if wants_answer:
            outcomes += self._write(peer, known, Kind.HERE, b"" if known.lives else ASKING)
        if letter.to is not None and letter.kind not in (Kind.HELLO, Kind.HERE):
            outcomes.append(Heard(peer, letter.kind, letter.body))
        return outcomes

    def _belongs(self, room: bytes, device: DeviceId) -> bool:
        what = self._rooms.get(room)
        return what is not None and (what.members is None or device in what.members)

    def _living(self, peer: Peer) -> Known | None:
        known = self._known.get(peer)
        return known if known is not None and known.lives else None

    def _present(self, peer: Peer) -> Known:
        known = self._living(peer)
        if known is None:
            raise LinkClosed("The device is not at the meeting host any more")
        return known

    def _lose(self, peers: Iterable[Peer]) -> list[Outcome]:
        return _losses([lost for peer in peers for lost in self._known.lost(peer)])


def _grows(before: Room | None, now: Room) -> bool:
    """Whether there are members that were strangers."""
    if before is None or before.members is None:
        return False
    return now.members is None or not now.members <= before.members


def _losses(peers: Iterable[Peer]) -> list[Outcome]:
    return [Lost(peer) for peer in peers]

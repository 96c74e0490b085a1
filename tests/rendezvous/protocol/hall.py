"""Members at a host that may meddle with what it passes on, without any network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from p2psync.core.block import verify_ed25519
from p2psync.rendezvous.protocol.acquaintances import Peer
from p2psync.rendezvous.protocol.envelope import Kind
from p2psync.rendezvous.protocol.hub import Deliver, Hub
from p2psync.rendezvous.protocol.lobby import Found, Heard, Lobby, Lost, Outcome, Room, Say
from p2psync.rendezvous.protocol.messages import Message
from tests.rendezvous.people import ALICE, BOB, EVERYBODY, NOW_S, ROOM, SECRET, Person

ROOMS: Mapping[bytes, Room] = {ROOM: Room((SECRET,), EVERYBODY)}


@dataclass
class Guest:
    """A lobby, and what it told its daemon."""

    lobby: Lobby
    number: int
    clock_off_s: float = 0.0
    broken: bool = False
    """Does nothing more, and nobody was told."""
    events: list[Found | Lost | Heard] = field(default_factory=list)
    heard: list[tuple[bytes, Heard]] = field(default_factory=list)
    """All that was heard, and in which session of its own."""

    def told(self) -> list[Found | Lost | Heard]:
        """Since the last look."""
        events, self.events = self.events, []
        return events

    @property
    def here(self) -> set[Peer]:
        return set(self.lobby.peers)


class World:
    """Members at a host; messages travel at once, unless `meddle` has something else in mind."""

    def __init__(self) -> None:
        self.hub = Hub(Random(0))
        self.guests: dict[int, Guest] = {}
        self.now = 0.0
        self.meddle: Callable[[Guest, Message], list[tuple[int, Message]]] = lambda to, m: [(to.number, m)]
        self.said: list[tuple[int, Message]] = []

    def guest(self, person: Person, rooms: Mapping[bytes, Room] = ROOMS, clock_off_s: float = 0.0) -> Guest:
        """A member that is not connected yet."""
        number = len(self.guests) + 1
        lobby = Lobby(person.device, person.sign, verify_ed25519, Random(number))
        guest = self.guests[number] = Guest(lobby, number, clock_off_s)
        lobby.set_rooms(rooms, self.wall_s(guest), self.now)
        return guest

    def arrive(self, *guests: Guest) -> None:
        for guest in guests:
            assert self.hub.arrived(guest.number, self.now) is None
            self.perform(guest, guest.lobby.connected(self.wall_s(guest), self.now))

    def leave(self, guest: Guest) -> None:
        self.perform(guest, guest.lobby.disconnected())
        self.deliver(self.hub.left(guest.number, self.now))

    def wall_s(self, guest: Guest) -> float:
        return NOW_S + self.now + guest.clock_off_s

    def pass_time(self, seconds: float) -> None:
        """All guests tick at its end."""
        self.now += seconds
        for guest in [one for one in self.guests.values() if not one.broken]:
            self.perform(guest, guest.lobby.tick(self.wall_s(guest), self.now))

    def perform(self, guest: Guest, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Say):
                self.said.append((guest.number, outcome.message))
                self.deliver(self.hub.received(guest.number, outcome.message, self.now))
            else:
                guest.events.append(outcome)
            if isinstance(outcome, Heard):
                guest.heard.append((guest.lobby._session, outcome))

    def deliver(self, effects: Sequence[object]) -> None:
        for effect in effects:
            if isinstance(effect, Deliver):
                for to in effect.to:
                    for number, message in self.meddle(self.guests[to], effect.message):
                        self.give(number, message)

    def keep(self) -> list[Message]:
        """What is delivered from now on."""
        kept: list[Message] = []

        def keep(to: Guest, message: Message) -> list[tuple[int, Message]]:
            kept.append(message)
            return [(to.number, message)]

        self.meddle = keep
        return kept

    def give(self, number: int, message: Message) -> None:
        guest = self.guests[number]
        if not guest.broken:
            self.perform(guest, guest.lobby.received(message, self.now))

    def write(self, guest: Guest, peer: Peer, kind: Kind, body: bytes) -> None:
        self.perform(guest, guest.lobby.write(peer, kind, body))


def two() -> tuple[World, Guest, Guest]:
    """Alice and Bob have met."""
    world = World()
    alice, bob = world.guest(ALICE), world.guest(BOB)
    world.arrive(alice, bob)
    return world, alice, bob


def only(guest: Guest) -> Peer:
    (peer,) = guest.here
    return peer

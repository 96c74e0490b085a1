"""Members find and hear each other through an honest host; through one that lies, they hear nothing that is not so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.block import verify_ed25519
from p2psync.errors import LinkClosed
from p2psync.rendezvous.protocol.acquaintances import SESSIONS_PER_DEVICE_MAX, Peer
from p2psync.rendezvous.protocol.envelope import Kind, Letter, Recipient, seal
from p2psync.rendezvous.protocol.hub import Deliver, Hub
from p2psync.rendezvous.protocol.lobby import (
    ANNOUNCE_S,
    FORGET_S,
    INCOMING,
    Found,
    Heard,
    Lobby,
    Lost,
    Outcome,
    Room,
    Say,
)
from p2psync.rendezvous.protocol.messages import Enter, Gone, Leave, Mail, Message, Post, Reason, Refused
from p2psync.rendezvous.protocol.topics import DAY_S, topics_at
from tests.rendezvous.people import ALICE, BOB, CAROL, EVERYBODY, MALLORY, NOW_S, ROOM, SECRET, Person

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


# -- an honest host ----------------------------------------------------------------------------------------


def test_two_members_find_each_other() -> None:
    _world, alice, bob = two()
    assert [type(event) for event in alice.told()] == [Found]
    assert [type(event) for event in bob.told()] == [Found]
    assert only(alice)[:2] == (ROOM, BOB.device)
    assert only(bob)[:2] == (ROOM, ALICE.device)


def test_many_members_find_each_other() -> None:
    world = World()
    people = [Person(100 + n) for n in range(12)]
    rooms = {ROOM: Room((SECRET,), frozenset(p.device for p in people))}
    guests = [world.guest(person, rooms) for person in people]
    world.arrive(*guests)
    assert all(len(guest.here) == 11 for guest in guests)
    assert all(guest.lobby.counts.missed == 0 for guest in guests)


def test_a_letter_is_heard_by_whom_it_is_for() -> None:
    world, alice, bob = two()
    carol = world.guest(CAROL)
    world.arrive(carol)
    alice.told(), bob.told(), carol.told()
    to_bob = next(peer for peer in alice.here if peer.device == BOB.device)
    for n in range(3):
        world.write(alice, to_bob, Kind.OFFER, bytes([n]))
    heard = bob.told()
    assert [(e.kind, e.body, e.peer.device) for e in heard if isinstance(e, Heard)] == [
        (Kind.OFFER, bytes([n]), ALICE.device) for n in range(3)
    ]
    assert alice.told() == carol.told() == []


def test_who_leaves_is_lost_and_comes_back_as_another() -> None:
    world, alice, bob = two()
    first = only(alice)
    world.leave(bob)
    assert bob.here == alice.here == set()
    with pytest.raises(LinkClosed):
        alice.lobby.write(first, Kind.OFFER, b"")
    with pytest.raises(LinkClosed):
        alice.lobby.topic_of(first)
    world.arrive(bob)
    assert only(alice).device == BOB.device
    assert only(alice) != first


@pytest.mark.parametrize("off_s", [-DAY_S + 60, -3600.0, 3600.0, DAY_S - 60])
def test_clocks_may_differ_and_days_may_pass(off_s: float) -> None:
    world = World()
    alice, bob = world.guest(ALICE), world.guest(BOB, clock_off_s=off_s)
    world.arrive(alice, bob)
    for _ in range(60):
        assert only(alice).device == BOB.device
        assert only(bob).device == ALICE.device
        world.pass_time(3600.0)
        world.pass_time(ANNOUNCE_S)
    assert alice.lobby.counts.missed == bob.lobby.counts.missed == 0
    entered = {topic for _, m in world.said if isinstance(m, Enter) for topic, _ in m.entries}
    left = {topic for _, m in world.said if isinstance(m, Leave) for topic in m.topics}
    assert len(entered - left) <= 3, "of each day that passed nothing is left"


def test_one_who_knows_only_the_older_secret_is_found() -> None:
    newer = b"n" * 32
    world = World()
    alice = world.guest(ALICE, {ROOM: Room((newer, SECRET), EVERYBODY)})
    bob = world.guest(BOB)
    world.arrive(alice, bob)
    assert only(alice).device == BOB.device
    world.perform(bob, bob.lobby.set_rooms({ROOM: Room((newer, SECRET), EVERYBODY)}, world.wall_s(bob), world.now))
    for guest in (alice, bob):
        world.perform(guest, guest.lobby.set_rooms({ROOM: Room((newer,), EVERYBODY)}, world.wall_s(guest), world.now))
    assert only(alice).device == BOB.device
    assert only(bob).device == ALICE.device


def test_two_rooms_are_two_peers_and_a_room_can_be_left() -> None:
    other = b"o" * 16
    rooms = {**ROOMS, other: Room((b"x" * 32,), EVERYBODY)}
    world = World()
    alice, bob = world.guest(ALICE, rooms), world.guest(BOB, rooms)
    world.arrive(alice, bob)
    assert {peer.room for peer in alice.here} == {ROOM, other}
    world.perform(alice, alice.lobby.set_rooms(ROOMS, world.wall_s(alice), world.now))
    assert {peer.room for peer in alice.here} == {peer.room for peer in bob.here} == {ROOM}
    world.perform(alice, alice.lobby.set_rooms(rooms, world.wall_s(alice), world.now))
    assert {peer.room for peer in alice.here} == {peer.room for peer in bob.here} == {ROOM, other}


def test_one_who_is_no_member_any_more_is_not_listened_to() -> None:
    world = World()
    mallory = world.guest(MALLORY, {ROOM: Room((SECRET,), EVERYBODY | {MALLORY.device})})
    alice = world.guest(ALICE)
    world.arrive(mallory, alice)
    assert alice.here == set()
    assert alice.lobby.counts.strangers > 0
    bob = world.guest(BOB)
    world.arrive(bob)
    world.perform(bob, bob.lobby.set_rooms({ROOM: Room((SECRET,), frozenset())}, world.wall_s(bob), world.now))
    assert bob.here == set()
    assert [type(e) for e in bob.told()] == [Found, Lost]


def test_an_inviter_and_a_newcomer_meet_by_their_ticket() -> None:
    ticket = {b"ticketid": Room((b"t" * 32,), None)}
    world = World()
    inviter, newcomer = world.guest(ALICE, {**ROOMS, **ticket}), world.guest(MALLORY, ticket)
    world.arrive(inviter, newcomer)
    assert only(newcomer)[:2] == (b"ticketid", ALICE.device)
    assert only(inviter)[:2] == (b"ticketid", MALLORY.device)


def test_where_there_was_no_room_it_is_tried_again() -> None:
    world = World()
    alice, bob = world.guest(ALICE), world.guest(BOB)
    world.arrive(alice, bob)
    world.leave(bob)
    refusing = True

    def refuse(to: Guest, message: Message) -> list[tuple[int, Message]]:
        if refusing and isinstance(message, Mail):
            return [(bob.number, Refused(Reason.TOO_FAST, message.topic))] if to is alice else []
        return [(to.number, message)]

    world.meddle = refuse
    world.arrive(bob)
    assert alice.here == bob.here == set()
    refusing = False
    world.pass_time(30.0)
    assert only(alice).device == BOB.device
    assert only(bob).device == ALICE.device


def test_a_refusal_for_good_is_not_tried_again() -> None:
    world, alice, _ = two()
    (topic, _) = topics_at(SECRET, NOW_S)
    world.give(alice.number, Refused(Reason.TOO_MANY_TOPICS, topic))
    world.give(alice.number, Refused(Reason.TOO_FAST, b"x" * 32))
    world.give(alice.number, Refused(Reason.TOO_FAST, None))
    before = len(world.said)
    world.pass_time(30.0)
    assert len(world.said) == before


def test_one_that_breaks_down_is_forgotten_and_one_that_says_hello_is_not() -> None:
    """Several hosts share topics, and one goes down: nobody says that its visitors are gone."""
    world, alice, bob = two()
    bob.broken = True
    for _ in range(int(FORGET_S / ANNOUNCE_S) + 2):
        world.pass_time(ANNOUNCE_S)
    assert alice.here == set()
    world, alice, bob = two()
    for _ in range(20):
        world.pass_time(ANNOUNCE_S)
    assert only(alice).device == BOB.device


def test_a_lost_hello_or_answer_is_made_good_by_the_next() -> None:
    for lost in range(1, 8):
        world = World()
        alice, bob = world.guest(ALICE), world.guest(BOB)
        count = 0

        def lose(to: Guest, message: Message, lost: int = lost) -> list[tuple[int, Message]]:
            nonlocal count
            count += 1
            return [] if count <= lost else [(to.number, message)]

        world.meddle = lose
        world.arrive(alice, bob)
        for _ in range(4):
            world.pass_time(ANNOUNCE_S)
        assert only(alice).device == BOB.device, lost
        assert only(bob).device == ALICE.device, lost


def test_a_fiduciary_with_many_mandates_needs_few_messages() -> None:
    rooms = {n.to_bytes(16, "big"): Room((n.to_bytes(32, "big"),), EVERYBODY) for n in range(300)}
    world = World()
    alice = world.guest(ALICE, rooms)
    world.arrive(alice)
    assert len(world.said) <= 8
    assert sum(len(m.entries) for _, m in world.said if isinstance(m, Enter)) == 600


def test_a_session_that_met_too_many_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.rendezvous.protocol.acquaintances.RETIRED_MAX", 3)
    world, alice, bob = two()
    before = only(bob).session
    for _ in range(10):
        world.leave(bob)
        world.arrive(bob)
    world.pass_time(1.0)
    assert only(alice).device == BOB.device
    assert only(bob).device == ALICE.device
    assert only(bob).session != before


# -- a host that lies --------------------------------------------------------------------------------------


def test_what_a_host_alters_is_dropped() -> None:
    world, alice, bob = two()
    bob.told()

    def alter(to: Guest, message: Message) -> list[tuple[int, Message]]:
        assert isinstance(message, Mail)
        return [(to.number, Mail(message.topic, message.sender, message.envelope[:-1] + b"\0"))]

    world.meddle = alter
    world.write(alice, only(alice), Kind.OFFER, b"v=0")
    assert bob.told() == []
    assert bob.lobby.counts.unreadable == 1


def test_what_a_host_repeats_is_dropped() -> None:
    world, alice, bob = two()
    bob.told()
    world.meddle = lambda to, m: [(to.number, m)] * 3
    world.write(alice, only(alice), Kind.OFFER, b"v=0")
    assert len(bob.told()) == 1
    assert bob.lobby.counts.repeated == 2


def test_what_a_host_repeats_after_saying_that_one_is_gone_is_dropped() -> None:
    world, alice, bob = two()
    kept = world.keep()
    world.write(alice, only(alice), Kind.OFFER, b"v=0")
    bob.told()
    for route in list(bob.lobby._known.get(only(bob)).routes.items()):  # type: ignore[union-attr]
        world.give(bob.number, Gone(*route))
    assert [type(e) for e in bob.told()] == [Lost]
    for message in kept:
        world.give(bob.number, message)
    assert bob.told() == []
    assert bob.lobby.counts.repeated == 1


def test_what_a_host_repeats_to_a_later_session_is_dropped() -> None:
    world, alice, bob = two()
    kept = world.keep()
    world.write(alice, only(alice), Kind.OFFER, b"v=0")
    world.leave(alice)
    world.leave(bob)
    world.meddle = lambda to, m: [(to.number, m)]
    world.arrive(bob)
    bob.told()
    for message in kept:
        world.give(bob.number, message)
    assert bob.told() == []
    assert bob.here == set(), "a hello of long ago brings nobody back"
    assert bob.lobby.counts.misdelivered == 1


def test_what_a_host_delivers_to_somebody_else_is_dropped() -> None:
    world, alice, bob = two()
    carol = world.guest(CAROL)
    world.arrive(carol)
    carol.told()
    world.meddle = lambda to, m: [(carol.number, m)]
    to_bob = next(peer for peer in alice.here if peer.device == BOB.device)
    world.write(alice, to_bob, Kind.OFFER, b"v=0")
    assert carol.told() == []
    assert carol.lobby.counts.misdelivered == 1
    assert bob.lobby.counts.missed == 0
    world.meddle = lambda to, m: [(to.number, m)]
    world.write(alice, to_bob, Kind.OFFER, b"v=0")
    assert bob.lobby.counts.missed == 1, "what is held back is noticed with the next letter"


def test_what_a_host_delivers_in_another_topic_is_dropped() -> None:
    world, alice, bob = two()
    bob.told()
    topics = topics_at(SECRET, NOW_S)

    def misplace(to: Guest, message: Message) -> list[tuple[int, Message]]:
        assert isinstance(message, Mail)
        return [(to.number, Mail(elsewhere, message.sender, message.envelope))]

    world.meddle = misplace
    for elsewhere in (*topics, b"x" * 32):
        world.write(alice, only(alice), Kind.OFFER, elsewhere)
    assert [e.body for e in bob.told() if isinstance(e, Heard)] in ([topics[0]], [topics[1]])


def test_what_one_member_says_in_the_name_of_another_is_dropped() -> None:
    """Bob has the secret, and the host is his."""
    world, alice, _ = two()
    topic = topics_at(SECRET, NOW_S)[0]
    alice.told()
    me = Recipient(ALICE.device, alice.lobby._session)
    for to in (None, me):
        letter = Letter(CAROL.device, b"c" * 16, 1, to, Kind.OFFER, b"v=0")
        envelope = seal(letter, ROOM, topic, SECRET, BOB.sign, b"n" * 12)
        world.give(alice.number, Mail(topic, b"h" * 8, envelope))
    assert alice.told() == []
    assert alice.lobby.counts.forged == 2
    assert {peer.device for peer in alice.here} == {BOB.device}


def test_what_a_host_repeats_of_a_session_long_gone_is_dropped() -> None:
    world, alice, bob = two()
    kept = world.keep()
    for n in range(2 * SESSIONS_PER_DEVICE_MAX):
        world.write(bob, only(bob), Kind.OFFER, bytes([n]))
        world.leave(bob)
        world.arrive(bob)
    heard = len([event for event in alice.told() if isinstance(event, Heard)])
    assert heard == 2 * SESSIONS_PER_DEVICE_MAX
    for message in [one for one in kept if isinstance(one, Mail)]:
        world.give(alice.number, message)
    assert [event for event in alice.told() if isinstance(event, Heard)] == []


def test_a_flood_is_looked_at_so_far_and_no_further() -> None:
    world, _, bob = two()
    for _ in range(int(INCOMING.burst) + 100):
        world.give(bob.number, Mail(topics_at(SECRET, NOW_S)[0], b"h" * 8, b"e" * 200))
    assert bob.lobby.counts.too_many >= 100
    assert bob.lobby.counts.unreadable <= INCOMING.burst


LIES = ("drop", "repeat", "swap", "alter", "retopic", "rehandle", "gone", "hold")


@settings(max_examples=80)
@given(
    st.integers(0, 1 << 32),
    st.sets(st.sampled_from(LIES), min_size=1),
    st.lists(st.tuples(st.sampled_from("wwwwwtlj"), st.integers(0, 2), st.integers(0, 2)), max_size=25),
)
def test_whatever_a_host_does_nothing_is_heard_that_was_not_written(
    seed: int, lies: set[str], acts: list[tuple[str, int, int]]
) -> None:
    """To this recipient, in this session, by this member; in order, and once."""
    world = World()
    people = [ALICE, BOB, CAROL]
    guests = [world.guest(person) for person in people]
    world.meddle = _Liar(world, sorted(lies), Random(seed)).meddle
    written: dict[tuple[bytes, bytes, bytes, bytes], list[bytes]] = defaultdict(list)
    world.arrive(*guests)
    here = {0, 1, 2}
    for number, (act, who, whom) in enumerate(acts):
        guest = guests[who]
        if act == "w" and who in here:
            for peer in [p for p in guest.here if p.device == people[whom].device]:
                body = number.to_bytes(2, "big")
                session = guest.lobby._session
                written[people[who].device, session, peer.device, peer.session].append(body)
                world.write(guest, peer, Kind.CANDIDATES, body)
        elif act == "t":
            world.pass_time(200.0 * (whom + 1))
        elif act == "l" and who in here:
            here.discard(who)
            world.leave(guest)
        elif act == "j" and who not in here:
            here.add(who)
            world.arrive(guest)
        _check(guests, people, written)


def _check(
    guests: list[Guest], people: list[Person], written: Mapping[tuple[bytes, bytes, bytes, bytes], list[bytes]]
) -> None:
    for guest, person in zip(guests, people, strict=True):
        sure: set[Peer] = set()
        for event in guest.events:
            if isinstance(event, Found):
                assert event.peer.device in EVERYBODY - {person.device}
                assert event.peer not in sure
                sure.add(event.peer)
            elif isinstance(event, Lost):
                sure.remove(event.peer)
            else:
                assert event.peer in sure
        assert sure == guest.here
        heard: dict[tuple[bytes, bytes, bytes, bytes], list[bytes]] = defaultdict(list)
        for session, event in guest.heard:
            heard[event.peer.device, event.peer.session, person.device, session].append(event.body)
        for key, bodies in heard.items():
            assert bodies == sorted(set(bodies)), "in order, and once"
            assert set(bodies) <= set(written[key])


class _Liar:
    """Of every three messages it meddles with one."""

    def __init__(self, world: World, lies: list[str], random: Random) -> None:
        self._world = world
        self._lies = lies
        self._random = random
        self._kept: list[tuple[int, Message]] = []

    def meddle(self, to: Guest, message: Message) -> list[tuple[int, Message]]:
        lie = self._random.choice(self._lies) if self._random.random() < 1 / 3 else "honest"
        number = self._random.randrange(1 << 30)
        honest = [(to.number, message)]
        self._kept.append((to.number, message))
        kept = self._random.choice(self._kept[-20:])
        somebody = 1 + number % 3
        if not isinstance(message, Mail):
            return [] if lie == "drop" else honest
        match lie:
            case "drop":
                return []
            case "repeat":
                return [*honest, *honest, kept, kept]
            case "swap":
                return [(somebody, message)]
            case "alter":
                flipped = bytearray(message.envelope)
                flipped[number % len(flipped)] ^= 1 << number % 8
                return [(to.number, Mail(message.topic, message.sender, bytes(flipped)))]
            case "retopic":
                topics = topics_at(SECRET, NOW_S + self._world.now)
                return [(to.number, Mail(topics[number % 2], message.sender, message.envelope))]
            case "rehandle":
                return [(to.number, Mail(message.topic, bytes([number % 3]) * 8, message.envelope))]
            case "gone":
                return [*honest, (to.number, Gone(message.topic, message.sender)), kept]
            case "hold":
                return [kept]
        return honest


def test_posts_go_to_the_peer_alone() -> None:
    """Offers, answers and candidates are not told to everybody in the topic."""
    world, alice, _ = two()
    world.said.clear()
    world.write(alice, only(alice), Kind.OFFER, b"v=0")
    ((_, message),) = world.said
    assert isinstance(message, Post)
    assert message.to is not None

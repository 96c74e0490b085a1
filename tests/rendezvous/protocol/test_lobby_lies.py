"""Through a host that lies, members hear nothing that is not so: it can keep them apart, and that is all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.rendezvous.protocol.acquaintances import SESSIONS_PER_DEVICE_MAX, Peer
from p2psync.rendezvous.protocol.envelope import Kind, Letter, Recipient, seal
from p2psync.rendezvous.protocol.lobby import INCOMING, Found, Heard, Lost
from p2psync.rendezvous.protocol.messages import Gone, Mail, Message
from p2psync.rendezvous.protocol.topics import topics_at
from tests.rendezvous.people import ALICE, BOB, CAROL, EVERYBODY, NOW_S, ROOM, SECRET, Person
from tests.rendezvous.protocol.hall import Guest, World, only, two


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

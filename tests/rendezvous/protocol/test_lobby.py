"""Members find and hear each other through an honest host."""

from __future__ import annotations

import pytest

from p2psync.errors import LinkClosed
from p2psync.rendezvous.protocol.envelope import Kind
from p2psync.rendezvous.protocol.lobby import ANNOUNCE_S, FORGET_S, Found, Heard, Lost, Room
from p2psync.rendezvous.protocol.messages import Enter, Leave, Mail, Message, Post, Reason, Refused
from p2psync.rendezvous.protocol.topics import DAY_S, topics_at
from tests.rendezvous.people import ALICE, BOB, CAROL, EVERYBODY, MALLORY, NOW_S, ROOM, SECRET, Person
from tests.rendezvous.protocol.hall import ROOMS, Guest, World, only, two


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


def test_who_was_a_stranger_is_met_when_he_is_known() -> None:
    """A newcomer said hello before the others knew that it is a member."""
    world, alice, bob = two()
    carol = world.guest(CAROL)
    with_carol = {ROOM: Room((SECRET,), EVERYBODY)}
    without = {ROOM: Room((SECRET,), EVERYBODY - {CAROL.device})}
    world.perform(alice, alice.lobby.set_rooms(without, world.wall_s(alice), world.now))
    world.arrive(carol)
    assert {peer.device for peer in carol.here} == {BOB.device}
    world.perform(alice, alice.lobby.set_rooms(with_carol, world.wall_s(alice), world.now))
    assert {peer.device for peer in carol.here} == {ALICE.device, BOB.device}
    said = len(world.said)
    world.perform(bob, bob.lobby.set_rooms(with_carol, world.wall_s(bob), world.now))
    assert len(world.said) == said, "nobody is new to Bob"


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


def test_posts_go_to_the_peer_alone() -> None:
    """Offers, answers and candidates are not told to everybody in the topic."""
    world, alice, _ = two()
    world.said.clear()
    world.write(alice, only(alice), Kind.OFFER, b"v=0")
    ((_, message),) = world.said
    assert isinstance(message, Post)
    assert message.to is not None

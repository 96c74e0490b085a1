"""The hub passes on what it is given to those who are there, to nobody else, and not more than it allows."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.protocol.hub import DEFAULTS, Deliver, Dismiss, Effect, Hub, HubLimits, Listen, Share
from p2psync.rendezvous.protocol.messages import Enter, Gone, Leave, Mail, Message, Post, Reason, Refused, Welcome

T1, T2 = b"1" * 32, b"2" * 32
E = b"e" * 200
A, B, C = 1, 2, 3


class Host:
    """A hub with visitors A, B and C, and what each was told."""

    def __init__(self, limits: HubLimits = DEFAULTS, alone: bool = True) -> None:
        self.hub = Hub(Random(1), limits, alone=alone)
        self.now = 0.0
        self.told: dict[int, list[Message]] = {A: [], B: [], C: []}
        self.others: list[Effect] = []
        for visitor in self.told:
            assert self.hub.arrived(visitor, 0.0) is None

    def say(self, visitor: int, message: Message) -> None:
        self.perform(self.hub.received(visitor, message, self.now))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Deliver):
                for to in effect.to:
                    self.told[to].append(effect.message)
            else:
                self.others.append(effect)

    def heard(self, visitor: int) -> list[Message]:
        """What was told since the last look."""
        messages, self.told[visitor] = self.told[visitor], []
        return messages


def both_there(host: Host) -> tuple[bytes, bytes]:
    """A and B are in T1; returns their handles."""
    host.say(A, Enter(((T1, E),)))
    host.say(B, Enter(((T1, E),)))
    (to_a,) = host.heard(A)
    assert isinstance(to_a, Mail)
    host.say(A, Post(T1, to_a.sender, E))
    (to_b,) = host.heard(B)
    assert isinstance(to_b, Mail)
    return to_b.sender, to_a.sender


def test_who_enters_is_heard_by_those_who_are_there() -> None:
    host = Host()
    host.say(A, Enter(((T1, E), (T2, E))))
    assert host.heard(A) == []
    host.say(B, Enter(((T1, b"x" * 200),)))
    (mail,) = host.heard(A)
    assert isinstance(mail, Mail)
    assert (mail.topic, mail.envelope) == (T1, b"x" * 200)
    assert host.heard(B) == host.heard(C) == []


def test_a_letter_to_one_reaches_that_one() -> None:
    host = Host()
    _, handle_of_b = both_there(host)
    host.say(C, Enter(((T1, E),)))
    host.heard(A), host.heard(B)
    host.say(A, Post(T1, handle_of_b, b"y" * 200))
    assert [m.envelope for m in host.heard(B) if isinstance(m, Mail)] == [b"y" * 200]
    assert host.heard(A) == host.heard(C) == []


def test_nobody_hears_himself() -> None:
    host = Host()
    host.say(A, Enter(((T1, E),)))
    host.say(A, Enter(((T1, E),)))
    host.say(A, Post(T1, None, E))
    assert host.heard(A) == []


def test_who_leaves_is_missed() -> None:
    host = Host()
    handle_of_a, _ = both_there(host)
    host.say(A, Leave((T1, T2)))
    assert host.heard(B) == [Gone(T1, handle_of_a)]
    host.say(B, Post(T1, handle_of_a, E))
    assert host.heard(B) == [Gone(T1, handle_of_a)]


def test_so_is_who_hangs_up() -> None:
    host = Host()
    handle_of_a, _ = both_there(host)
    host.perform(host.hub.left(A, 1.0))
    assert host.heard(B) == [Gone(T1, handle_of_a)]
    assert host.hub.left(A, 1.0) == []
    assert (host.hub.visitors, host.hub.topics, host.hub.entries) == (2, 1, 1)


def test_who_is_not_in_a_topic_cannot_write_there() -> None:
    host = Host()
    _, handle_of_b = both_there(host)
    host.say(C, Post(T1, handle_of_b, E))
    host.say(C, Post(T1, None, E))
    assert host.heard(A) == host.heard(B) == []
    assert host.heard(C) == [Refused(Reason.NOT_THERE, T1)] * 2


def test_what_only_a_host_says_is_nonsense_from_a_visitor() -> None:
    host = Host()
    host.say(A, Welcome(1, "", 0, 0, True))
    assert host.others == [Dismiss(A, Reason.MALFORMED)]


def test_limits_of_places() -> None:
    host = Host(replace(DEFAULTS, topics_per_visitor=1, visitors_per_topic=1))
    host.say(A, Enter(((T1, E), (T2, E))))
    host.say(B, Enter(((T1, E),)))
    assert host.heard(A) == [Refused(Reason.TOO_MANY_TOPICS, T2)]
    assert host.heard(B) == [Refused(Reason.TOPIC_FULL, T1)]
    full = Host(replace(DEFAULTS, entries=1))
    full.say(A, Enter(((T1, E), (T2, E))))
    assert full.heard(A) == [Refused(Reason.HOST_FULL, T2)]
    assert Hub(Random(1), replace(DEFAULTS, visitors=0)).arrived(A, 0.0) is Reason.HOST_FULL


def test_limits_of_speed_are_the_visitors_and_the_topics() -> None:
    host = Host(replace(DEFAULTS, visitor_bytes=Rate(1500, 456)))
    both_there(host)
    for _ in range(3):
        host.say(A, Post(T1, None, E))
    assert Refused(Reason.TOO_FAST, T1) in host.heard(A)
    host.heard(B)
    host.now = 1.0
    host.say(A, Post(T1, None, E))
    assert len(host.heard(B)) == 1
    slow_topic = Host(replace(DEFAULTS, topic_bytes=Rate(1500, 1)))
    both_there(slow_topic)
    slow_topic.say(A, Post(T1, None, E))
    assert slow_topic.heard(A) == [Refused(Reason.TOO_FAST, T1)]
    slow_topic.say(A, Enter(((T2, E),)))
    assert slow_topic.heard(A) == [], "another mandate is not concerned"


def test_many_recipients_cost_more() -> None:
    host = Host(replace(DEFAULTS, visitor_bytes=Rate(456 * 2, 0.001)))
    host.say(B, Enter(((T1, E),)))
    host.say(C, Enter(((T1, E),)))
    host.say(A, Enter(((T1, E),)))
    host.heard(A)
    host.say(A, Post(T1, None, E))
    assert host.heard(A) == [Refused(Reason.TOO_FAST, T1)]


def test_patience_has_an_end() -> None:
    host = Host(replace(DEFAULTS, patience=Rate(3, 0.001)))
    for _ in range(4):
        host.say(A, Post(T1, None, E))
    assert len(host.heard(A)) == 3
    assert host.others == [Dismiss(A, Reason.TOO_FAST)]


def test_who_comes_for_nothing_has_to_go() -> None:
    host = Host()
    host.say(A, Enter(((T1, E),)))
    assert host.hub.sweep(DEFAULTS.idle_s - 1) == []
    assert host.hub.sweep(DEFAULTS.idle_s) == [Dismiss(B, Reason.IDLE), Dismiss(C, Reason.IDLE)]
    host.now = 100.0
    host.say(A, Leave((T1,)))
    assert host.hub.sweep(100.0 + DEFAULTS.idle_s) == [Dismiss(A, Reason.IDLE)]


def test_several_hosts_share_what_others_may_want() -> None:
    host = Host(alone=False)
    handle_of_a, _ = both_there(host)
    assert [type(effect) for effect in host.others] == [Listen, Share, Share]
    host.others.clear()
    host.say(A, Post(T1, b"far away", E))
    assert host.others == [Share(Mail(T1, handle_of_a, E), b"far away")]
    host.others.clear()
    host.perform(host.hub.left(A, 0.0))
    host.perform(host.hub.left(B, 0.0))
    assert host.others[:1] == [Share(Gone(T1, handle_of_a))]
    assert host.others[-1:] == [Listen(T1, False)]


def test_what_other_hosts_share_reaches_those_who_are_here() -> None:
    host = Host(alone=False)
    handle_of_a, _ = both_there(host)
    mail = Mail(T1, b"far away", E)
    host.perform(host.hub.shared(mail, None, 0.0))
    assert host.heard(A) == host.heard(B) == [mail]
    host.perform(host.hub.shared(mail, handle_of_a, 0.0))
    assert (host.heard(A), host.heard(B)) == ([mail], [])
    for lost in (host.hub.shared(mail, b"nobody  ", 0.0), host.hub.shared(Mail(T2, b"far away", E), None, 0.0)):
        assert lost == []


class Visitors(RuleBasedStateMachine):
    """Whatever visitors do: mail goes to others in the same topic only, and everything stays within its limits."""

    limits = HubLimits(
        visitors=6,
        topics_per_visitor=3,
        visitors_per_topic=3,
        entries=9,
        visitor_bytes=Rate(20_000, 500),
        topic_bytes=Rate(30_000, 800),
        patience=Rate(20, 1),
        idle_s=10,
    )

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub(Random(7), self.limits)
        self.inside: dict[int, set[bytes]] = {}
        self.next = 0
        self.now = 0.0

    def check(self, speaker: int, effects: list[Effect]) -> None:
        dismissed = set()
        for effect in effects:
            if isinstance(effect, Dismiss):
                dismissed.add(effect.visitor)
            if isinstance(effect, Deliver) and isinstance(effect.message, Mail):
                assert speaker not in effect.to
                assert all(effect.message.topic in self.inside[to] for to in effect.to)
        for visitor in dismissed:
            self.inside.pop(visitor, None)
            self.hub.left(visitor, self.now)

    @rule()
    def arrives(self) -> None:
        self.next += 1
        if self.hub.arrived(self.next, self.now) is None:
            self.inside[self.next] = set()

    @rule(who=st.integers(0, 5), topic=st.integers(0, 3), size=st.integers(92, 5000))
    def enters(self, who: int, topic: int, size: int) -> None:
        self.act(who, Enter(((bytes([topic]) * 32, bytes(size)),)))

    @rule(who=st.integers(0, 5), topic=st.integers(0, 3))
    def leaves(self, who: int, topic: int) -> None:
        self.act(who, Leave((bytes([topic]) * 32,)))

    @rule(who=st.integers(0, 5), topic=st.integers(0, 3), to=st.none() | st.binary(min_size=8, max_size=8))
    def posts(self, who: int, topic: int, to: bytes | None) -> None:
        self.act(who, Post(bytes([topic]) * 32, to, E))

    @rule(passed=st.floats(0, 8))
    def waits(self, passed: float) -> None:
        self.now += passed
        self.check(0, self.hub.sweep(self.now))

    @rule(who=st.integers(0, 5))
    def hangs_up(self, who: int) -> None:
        visitors = sorted(self.inside)
        if who < len(visitors):
            del self.inside[visitors[who]]
            self.check(visitors[who], self.hub.left(visitors[who], self.now))

    def act(self, who: int, message: Message) -> None:
        visitors = sorted(self.inside)
        if who >= len(visitors):
            return
        visitor = visitors[who]
        effects = self.hub.received(visitor, message, self.now)
        refused = {e.message.topic for e in effects if isinstance(e, Deliver) and isinstance(e.message, Refused)}
        if isinstance(message, Enter) and self.hub.entries > sum(map(len, self.inside.values())):
            self.inside[visitor].update(topic for topic, _ in message.entries)
        if isinstance(message, Leave):
            self.inside[visitor].difference_update(message.topics)
        assert refused <= {bytes([n]) * 32 for n in range(4)}
        self.check(visitor, effects)

    @invariant()
    def is_bounded(self) -> None:
        assert self.hub.visitors == len(self.inside) <= 6
        assert self.hub.entries == sum(map(len, self.inside.values())) <= 9
        assert self.hub.topics == len(set().union(*self.inside.values()))


Visitors.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestVisitors = Visitors.TestCase

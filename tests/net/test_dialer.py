"""Whatever gives hope is tried at once, what fails less and less often, who is linked not at all."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2psync.core.ids import DeviceId, MandateId
from p2psync.net.dialer import (
    ADDRESSES_PER_MANDATE_MAX,
    ADDRESSES_PER_SIGHTING_MAX,
    BACKOFF_MAX_S,
    BACKOFF_MIN_S,
    CALL_EVERY_S,
    CALLS_AT_ONCE,
    COPIES_MAX,
    IN_FLIGHT_MAX,
    RETRIES_IN_FLIGHT_MAX,
    SIGHTINGS_MAX,
    STABLE_S,
    STAGGER_S,
    Address,
    Attempt,
    Dialer,
    Match,
    Sighting,
)

M, N = MandateId(b"M" * 16), MandateId(b"N" * 16)
BOB, CAROL = DeviceId(b"B" * 32), DeviceId(b"C" * 32)
NONCE, RENEWED = b"n" * 16, b"r" * 16
HOME, OFFICE, SIX = Address("192.168.1.5", 7000), Address("10.0.0.5", 7000), Address("fe80::5%2", 7000)


@pytest.fixture
def dialer() -> Dialer:
    """With two mandates; the first has an older secret too."""
    dialer = Dialer(Random(1))
    dialer.set_mandates({M: (b"new", b"old"), N: (b"other",)}, 0)
    return dialer


def sighting(*addresses: Address, nonce: bytes = NONCE, match: Match | None = None, name: str = "") -> Sighting:
    return Sighting(nonce, (match or Match(M, b"new"),), addresses, name)


def only(attempts: list[Attempt]) -> Attempt:
    assert len(attempts) == 1
    return attempts[0]


def fail_until(dialer: Dialer, now: float, until: float) -> list[float]:
    """Let every attempt fail at once; the times of all attempts."""
    times = []
    while now <= until:
        for attempt in dialer.next_attempts(now):
            times.append(now)
            dialer.failed(attempt, now)
        wake_at = dialer.wake_at()
        assert wake_at is not None
        now = wake_at
    return times


# -- who is seen ----------------------------------------------------------------------------------------------------


def test_a_new_sighting_is_tried_at_once_with_what_its_tags_told(dialer: Dialer) -> None:
    assert dialer.wake_at() is None
    dialer.sighted(sighting(HOME, match=Match(M, b"old")), 5)
    assert dialer.wake_at() == 5
    assert only(dialer.next_attempts(5)) == Attempt(HOME, M, b"old", NONCE)
    assert dialer.next_attempts(5) == []
    assert dialer.wake_at() is None


def test_its_addresses_are_tried_one_after_the_other_until_one_answers(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME, OFFICE, SIX), 0)
    first = only(dialer.next_attempts(0))
    assert first.address == HOME
    assert dialer.wake_at() == STAGGER_S
    second = only(dialer.next_attempts(STAGGER_S))
    assert second.address == OFFICE
    dialer.connected(second, BOB, 0.3)
    assert dialer.next_attempts(10) == []
    dialer.failed(first, 10)
    assert dialer.wake_at() is None


def test_another_mandate_is_tried_where_the_first_is_refused(dialer: Dialer) -> None:
    dialer.sighted(Sighting(NONCE, (Match(M, b"new"), Match(N, b"other")), (HOME,)), 0)
    first = only(dialer.next_attempts(0))
    dialer.failed(first, 0)
    second = only(dialer.next_attempts(60))
    assert [(a.mandate, a.secret) for a in (first, second)] == [(M, b"new"), (N, b"other")]


def test_who_is_gone_is_forgotten(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    attempt = only(dialer.next_attempts(0))
    dialer.gone(NONCE)
    dialer.failed(attempt, 1)
    assert dialer.wake_at() is None
    dialer.gone(b"never seen")


def test_an_announcement_that_changes_keeps_what_was_learned(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    dialer.failed(only(dialer.next_attempts(0)), 0)
    dialer.sighted(sighting(HOME, OFFICE), 0.1)
    assert [a.address for a in dialer.next_attempts(0.1 + STAGGER_S)] == [OFFICE]
    dialer.sighted(sighting(OFFICE), 0.2)
    assert dialer.next_attempts(100) == []


def test_one_does_not_dial_oneself(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    dialer.set_own_nonces([NONCE, RENEWED])
    dialer.sighted(sighting(HOME, nonce=RENEWED), 0)
    assert dialer.next_attempts(0) == []


def test_a_secret_that_is_not_ours_any_more_is_not_used(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME, match=Match(M, b"old")), 0)
    dialer.set_mandates({M: (b"new",)}, 0)
    assert dialer.wake_at() is None
    dialer.sighted(sighting(HOME, match=Match(b"X" * 16, b"new")), 0)
    assert dialer.wake_at() is None


# -- known addresses ------------------------------------------------------------------------------------------------


def test_a_known_address_is_tried_by_each_secret_in_turn(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME], 0)
    first = only(dialer.next_attempts(0))
    dialer.failed(first, 0)
    second = only(dialer.next_attempts(60))
    assert (first, second) == (Attempt(HOME, M, b"new", None), Attempt(HOME, M, b"old", None))


def test_known_addresses_are_tried_at_once_all_of_them(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME, OFFICE], 0)
    dialer.set_addresses(N, [SIX], 0)
    assert {a.address for a in dialer.next_attempts(0)} == {HOME, OFFICE, SIX}


def test_an_address_that_is_taken_away_is_left(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME, OFFICE], 0)
    dialer.set_addresses(M, [OFFICE], 0)
    assert only(dialer.next_attempts(0)).address == OFFICE
    dialer.set_addresses(M, [], 0)
    assert dialer.next_attempts(60) == []


def test_a_mandate_that_is_not_shared_any_more_is_left_and_comes_back(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME], 0)
    dialer.sighted(sighting(OFFICE), 0)
    dialer.set_mandates({N: (b"other",)}, 0)
    assert dialer.next_attempts(0) == []
    dialer.set_mandates({M: (b"new",)}, 5)
    assert {a.address for a in dialer.next_attempts(5)} == {HOME, OFFICE}


# -- failing --------------------------------------------------------------------------------------------------------


def test_what_fails_is_tried_less_and_less_often(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME], 0)
    times = fail_until(dialer, 0, 1000)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert BACKOFF_MIN_S <= waits[0] <= 2 * BACKOFF_MIN_S
    assert all(BACKOFF_MAX_S / 2 <= wait <= BACKOFF_MAX_S for wait in waits[7:])
    assert max(waits) <= BACKOFF_MAX_S
    assert len(set(waits)) == len(waits)


def test_failing_for_years_overflows_nothing(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME], 0)
    assert len(fail_until(dialer, 0, 3600 * 24)) > 1440


def test_another_network_gives_new_hope(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME], 0)
    last = fail_until(dialer, 0, 500)[-1]
    dialer.network_changed(last + 1)
    assert only(dialer.next_attempts(last + 1)).address == HOME


def test_a_new_announcement_of_the_same_device_gives_new_hope(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    last = fail_until(dialer, 0, 500)[-1]
    dialer.sighted(sighting(HOME, nonce=RENEWED), last + 1)
    assert only(dialer.next_attempts(last + 1)).nonce == RENEWED


def test_dead_addresses_do_not_keep_a_new_announcement_waiting(dialer: Dialer) -> None:
    dead = [Address(f"10.0.1.{i}", 1) for i in range(30)]
    dialer.set_addresses(M, dead, 0)
    for _ in range(2):
        for attempt in dialer.next_attempts(0):
            dialer.failed(attempt, 0)
    assert len(dialer.next_attempts(100)) == RETRIES_IN_FLIGHT_MAX
    assert dialer.wake_at() is None
    dialer.sighted(sighting(HOME), 100)
    assert only(dialer.next_attempts(100)).address == HOME


# -- linked ---------------------------------------------------------------------------------------------------------


def test_who_is_linked_is_not_dialled_and_when_lost_is_dialled_at_once(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    dialer.connected(only(dialer.next_attempts(0)), BOB, 0)
    assert dialer.wake_at() is None
    dialer.lost(BOB, STABLE_S)
    assert dialer.wake_at() == STABLE_S
    assert only(dialer.next_attempts(STABLE_S)).address == HOME


def test_a_link_that_does_not_last_counts_as_a_failure(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    now, count = 0.0, 0
    while now < 600:
        dialer.connected(only(dialer.next_attempts(now)), BOB, now)
        dialer.lost(BOB, now)
        count += 1
        wake_at = dialer.wake_at()
        assert wake_at is not None
        now = wake_at
    assert count < 30


def test_a_renewed_announcement_of_a_linked_device_is_recognised_by_its_address(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME, OFFICE), 0)
    dialer.connected(only(dialer.next_attempts(0)), BOB, 0)
    dialer.sighted(sighting(OFFICE, HOME, nonce=RENEWED), 3600)
    dialer.gone(NONCE)
    assert dialer.wake_at() is None
    dialer.lost(BOB, 4000)
    assert {a.nonce for a in dialer.next_attempts(4001)} == {RENEWED}


def test_a_known_address_that_led_to_a_linked_device_is_left_alone_in_every_mandate(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME], 0)
    dialer.set_addresses(N, [HOME], 0)
    first, second = dialer.next_attempts(0)
    dialer.connected(first, BOB, 0)
    dialer.failed(second, 0)
    attempt = only(dialer.next_attempts(60))
    dialer.connected(attempt, BOB, 60)
    assert dialer.wake_at() is None


def test_who_called_us_is_dialled_once_to_learn_his_address(dialer: Dialer) -> None:
    dialer.linked(BOB, 0)
    dialer.sighted(sighting(HOME), 1)
    dialer.connected(only(dialer.next_attempts(1)), BOB, 1)
    assert dialer.wake_at() is None
    dialer.lost(CAROL, 2)
    assert dialer.wake_at() is None
    dialer.lost(BOB, 40)
    assert only(dialer.next_attempts(40)).address == HOME


def test_an_address_where_somebody_else_answers_now(dialer: Dialer) -> None:
    dialer.set_addresses(M, [HOME], 0)
    dialer.connected(only(dialer.next_attempts(0)), BOB, 0)
    dialer.lost(BOB, 100)
    dialer.connected(only(dialer.next_attempts(100)), CAROL, 100)
    dialer.linked(BOB, 101)
    dialer.lost(BOB, 200)
    assert dialer.wake_at() is None
    dialer.lost(CAROL, 300)
    assert only(dialer.next_attempts(300)).address == HOME


# -- bounds ---------------------------------------------------------------------------------------------------------


def test_tables_are_bounded(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    dialer.connected(only(dialer.next_attempts(0)), BOB, 0)
    for i in range(SIGHTINGS_MAX + 50):
        many = [Address(f"10.{i // 250}.{i % 250}.{k}", 1) for k in range(20)]
        dialer.sighted(sighting(*many, nonce=i.to_bytes(16, "big")), 0)
    assert len(dialer._targets) <= SIGHTINGS_MAX * ADDRESSES_PER_SIGHTING_MAX
    dialer.set_addresses(M, [Address("10.0.0.1", port) for port in range(1, 500)], 0)
    assert len(dialer._targets) <= SIGHTINGS_MAX * ADDRESSES_PER_SIGHTING_MAX + ADDRESSES_PER_MANDATE_MAX
    assert len(dialer.next_attempts(0)) == IN_FLIGHT_MAX


def test_who_repeats_an_announcement_replaces_nothing(dialer: Dialer) -> None:
    """Somebody else in the network, with an address of his own, under another name."""
    dialer.sighted(sighting(HOME, name="bob"), 0)
    dialer.sighted(sighting(OFFICE, name="mallory"), 0)
    bobs, mallorys = dialer.next_attempts(0)
    assert (bobs.address, mallorys.address) == (HOME, OFFICE)
    dialer.failed(mallorys, 1)
    dialer.gone(NONCE, "mallory")
    dialer.connected(bobs, BOB, 1)
    dialer.lost(BOB, 1 + STABLE_S)
    assert only(dialer.next_attempts(1 + STABLE_S)).address == HOME


def test_copies_of_a_linked_devices_announcement_are_left_alone(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME, name="bob"), 0)
    dialer.connected(only(dialer.next_attempts(0)), BOB, 0)
    for number in range(50):
        dialer.sighted(sighting(Address("10.6.6.6", number + 1), name=f"mallory {number}"), 1)
    assert dialer.next_attempts(1) == []


def test_an_address_is_left_alone_while_it_leads_to_a_linked_device_whoever_announced_it(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME, OFFICE), 0)
    home, office = dialer.next_attempts(STAGGER_S)
    dialer.connected(home, CAROL, 1)
    dialer.connected(office, BOB, 1)
    dialer.lost(BOB, 1 + STABLE_S)
    assert [attempt.address for attempt in dialer.next_attempts(1 + STABLE_S)] == [OFFICE]


def test_of_many_copies_few_are_tried_and_those_that_fail_make_room(dialer: Dialer) -> None:
    copies = [Address("10.6.6.6", number + 1) for number in range(100)]
    dialer.sighted(sighting(HOME, name="bob"), 0)
    for copy in copies:
        dialer.sighted(sighting(copy, name=str(copy.port)), 0)
    first = dialer.next_attempts(0)
    assert [attempt.address for attempt in first] == [HOME, *copies[: COPIES_MAX - 1]]
    for attempt in first[1:]:
        dialer.failed(attempt, 0)
    dialer.sighted(sighting(OFFICE, name="another"), 1)
    assert OFFICE in [attempt.address for attempt in dialer.next_attempts(1)]


def test_announcements_of_any_number_get_so_many_calls_and_no_more(dialer: Dialer) -> None:
    """A member that announces itself under a new nonce a thousand times a second calls nobody's port for us."""
    called, number = list[float](), 0
    for tick in range(10):
        for _ in range(60):
            number += 1
            dialer.sighted(sighting(Address("10.6.6.6", number), nonce=number.to_bytes(16, "big")), tick)
        while attempts := [attempt for attempt in dialer.next_attempts(tick) if attempt.nonce]:
            for attempt in attempts:
                called.append(tick)
                dialer.failed(attempt, tick)
    assert len(called) == CALLS_AT_ONCE + 1 + 9 / CALL_EVERY_S
    assert dialer.wake_at() == 9 + CALL_EVERY_S
    dialer.set_addresses(M, [HOME], 9)
    assert only(dialer.next_attempts(9)).address == HOME, "what a person gave is not held up by that"


def test_a_flood_of_announcements_makes_nobody_forget_who_is_linked(dialer: Dialer) -> None:
    dialer.sighted(sighting(HOME), 0)
    dialer.connected(only(dialer.next_attempts(0)), BOB, 0)
    for number in range(2 * SIGHTINGS_MAX):
        dialer.sighted(sighting(Address("10.6.6.6", 1 + number), nonce=number.to_bytes(16, "big")), 1)
    dialer.lost(BOB, 1 + STABLE_S)
    assert HOME in [target.address for target in dialer._targets.values()]


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(Attempt(HOME, M, b"hush", NONCE))
    assert "hush" not in repr(sighting(HOME, match=Match(M, b"hush")))


DEVICES = [DeviceId(bytes([i]) * 32) for i in range(3)]
NONCES = [bytes([i]) * 16 for i in range(4)]
ADDRESSES = [HOME, OFFICE, SIX]


class AnyLife(RuleBasedStateMachine):
    """Whatever happens in whatever order, the promises hold."""

    def __init__(self) -> None:
        super().__init__()
        self.dialer = Dialer(Random(0))
        self.now = 0.0
        self.flying: list[Attempt] = []
        self.linked: set[DeviceId] = set()
        self.answers: dict[Address, DeviceId] = {}
        self.own: set[bytes] = set()
        self.dialer.set_mandates({M: (b"new", b"old")}, 0)

    @rule(mandates=st.dictionaries(st.sampled_from([M, N]), st.sampled_from([(b"new", b"old"), (b"new",)])))
    def mandates_change(self, mandates: dict[MandateId, tuple[bytes, ...]]) -> None:
        self.dialer.set_mandates(mandates, self.now)

    @rule(mandate=st.sampled_from([M, N]), addresses=st.lists(st.sampled_from(ADDRESSES)))
    def addresses_change(self, mandate: MandateId, addresses: list[Address]) -> None:
        self.dialer.set_addresses(mandate, addresses, self.now)

    @rule(
        nonce=st.sampled_from(NONCES),
        name=st.sampled_from("xy"),
        matches=st.lists(st.builds(Match, st.sampled_from([M, N]), st.sampled_from([b"new", b"old"]))),
        addresses=st.lists(st.sampled_from(ADDRESSES)),
    )
    def sighted(self, nonce: bytes, name: str, matches: list[Match], addresses: list[Address]) -> None:
        self.dialer.sighted(Sighting(nonce, tuple(matches), tuple(addresses), name), self.now)

    @rule(nonce=st.sampled_from(NONCES), name=st.sampled_from("xy"))
    def gone(self, nonce: bytes, name: str) -> None:
        self.dialer.gone(nonce, name)

    @rule(nonces=st.sets(st.sampled_from(NONCES), max_size=2))
    def renew(self, nonces: set[bytes]) -> None:
        self.own = nonces
        self.dialer.set_own_nonces(nonces)

    @rule()
    def network_changes(self) -> None:
        self.dialer.network_changed(self.now)

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def dial(self) -> None:
        wake_at = self.dialer.wake_at()
        attempts = self.dialer.next_attempts(self.now)
        assert bool(attempts) == (wake_at is not None and wake_at <= self.now)
        assert len({(a.nonce or a.mandate, a.name, a.address) for a in attempts}) == len(attempts)
        for attempt in attempts:
            assert attempt not in self.flying
            assert attempt.nonce not in self.own
            assert self.answers.get(attempt.address) not in self.linked or attempt.nonce is None
        self.flying += attempts

    @rule(data=st.data())
    def an_attempt_fails(self, data: st.DataObject) -> None:
        if self.flying:
            attempt = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
            self.answers.pop(attempt.address, None)
            self.dialer.failed(attempt, self.now)

    @rule(data=st.data(), device=st.sampled_from(DEVICES))
    def an_attempt_connects(self, data: st.DataObject, device: DeviceId) -> None:
        if self.flying:
            attempt = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
            self.answers[attempt.address] = device
            self.dialer.connected(attempt, device, self.now)
            self.linked.add(device)

    @rule(device=st.sampled_from(DEVICES))
    def somebody_calls(self, device: DeviceId) -> None:
        self.dialer.linked(device, self.now)
        self.linked.add(device)

    @rule(device=st.sampled_from(DEVICES))
    def a_link_breaks(self, device: DeviceId) -> None:
        self.dialer.lost(device, self.now)
        self.linked.discard(device)
        self.answers = {address: d for address, d in self.answers.items() if d != device}

    @invariant()
    def so_many_at_once(self) -> None:
        assert len(self.flying) <= IN_FLIGHT_MAX


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=100, stateful_step_count=40)


def test_where_a_member_says_that_it_is_it_is_looked_for(dialer: Dialer) -> None:
    dialer.heard(BOB, M, [HOME, OFFICE], 0)
    first, second = dialer.next_attempts(0)
    assert (first.address, second.address, first.secret) == (HOME, OFFICE, b"new")
    dialer.failed(first, 1)
    dialer.connected(second, BOB, 1)
    assert dialer.wake_at() is None, "Bob is linked"
    dialer.lost(BOB, 500)
    assert len(dialer.next_attempts(500)) == 2
    dialer.heard(BOB, M, [], 501)
    assert dialer.wake_at() is None


def test_somebody_else_at_an_address_that_was_heard_is_called_once(dialer: Dialer) -> None:
    dialer.heard(BOB, M, [HOME], 0)
    dialer.connected(only(dialer.next_attempts(0)), CAROL, 0)
    assert dialer.next_attempts(10) == []


def test_addresses_that_were_heard_leave_room_for_an_announcement(dialer: Dialer) -> None:
    for number in range(SIGHTINGS_MAX):
        device = DeviceId(number.to_bytes(32, "big"))
        dialer.heard(device, M, [Address(f"203.0.113.{number % 250}", port) for port in range(1, 100)], 0)
    assert len(dialer.next_attempts(0)) == RETRIES_IN_FLIGHT_MAX
    dialer.sighted(sighting(HOME), 1)
    assert only(dialer.next_attempts(1)).address == HOME

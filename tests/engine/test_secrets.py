"""The newest secret announces; an older one is recognised until every member has shown a newer."""

from __future__ import annotations

from random import Random

from blake3 import blake3

from p2psync.core.ids import DeviceId, MandateId
from p2psync.engine.secrets import OUTDATED_MAX, SECRET_BYTES, Secrets
from p2psync.sim.state import MemoryDeviceState, MemoryMandateState

A, B, C = (DeviceId(name * 32) for name in (b"a", b"b", b"c"))
ONE, TWO, THREE = (bytes([number]) * SECRET_BYTES for number in (1, 2, 3))


def fresh() -> tuple[Secrets, MemoryMandateState]:
    state = MemoryDeviceState().add_mandate(MandateId(b"m" * 16))
    return Secrets(state), state


def knowing(*secrets: bytes) -> Secrets:
    made, _ = fresh()
    for number, secret in enumerate(secrets, 1):
        made.add(number, secret)
    return made


def test_a_mandate_begins_without_any() -> None:
    secrets, _ = fresh()
    assert (secrets.newest, secrets.recognised, secrets.all()) == (None, (), [])


def test_the_next_is_made_and_named_without_telling_it() -> None:
    secrets, _ = fresh()
    first, second = secrets.make_next(Random(1)), secrets.make_next(Random(2))
    assert [first.number, second.number] == [1, 2]
    assert secrets.newest == (2, Random(2).randbytes(SECRET_BYTES))
    assert [secrets.make_next(Random(3), above).number for above in (0, 7, 5)] == [3, 8, 9]
    assert second.digest == blake3(Random(2).randbytes(SECRET_BYTES)).digest()


def test_the_newest_comes_first() -> None:
    secrets, _ = fresh()
    for number, secret in ((2, TWO), (3, THREE), (1, ONE)):
        assert secrets.add(number, secret)
    assert secrets.newest == (3, THREE)
    assert secrets.recognised == (THREE, TWO, ONE)
    assert secrets.all() == [(1, ONE), (2, TWO), (3, THREE)]


def test_what_is_known_is_no_news_and_what_replaces_it_is() -> None:
    secrets = knowing(ONE)
    assert not secrets.add(1, ONE)
    assert secrets.add(1, TWO)
    assert secrets.all() == [(1, TWO)]


def test_an_older_one_stays_until_every_member_has_shown_a_newer() -> None:
    secrets = knowing(ONE, TWO)
    secrets.shown_by(A, 2, [A, B, C])
    secrets.shown_by(B, 2, [A, B, C])
    secrets.shown_by(C, 1, [A, B, C])
    assert secrets.recognised == (TWO, ONE), "C was offline when it changed"
    secrets.shown_by(C, 2, [A, B, C])
    assert list(secrets.recognised) == [TWO]


def test_who_was_revoked_is_not_waited_for() -> None:
    secrets = knowing(ONE, TWO)
    secrets.shown_by(A, 2, [A, B, C])
    secrets.shown_by(B, 2, [A, B])
    assert list(secrets.recognised) == [TWO]


def test_who_showed_a_newer_one_has_not_forgotten_it() -> None:
    secrets = knowing(ONE, TWO, THREE)
    secrets.shown_by(A, 3, [A, B])
    secrets.shown_by(A, 1, [A, B])
    secrets.shown_by(B, 3, [A, B])
    assert secrets.recognised == (THREE,)


def test_the_newest_stays_whatever_others_claim() -> None:
    secrets = knowing(ONE, TWO)
    secrets.shown_by(A, 9, [A])
    assert secrets.all() == [(2, TWO)]


def test_a_mandate_without_members_forgets_nothing() -> None:
    secrets = knowing(ONE, TWO)
    secrets.shown_by(A, 2, [])
    assert secrets.all() == [(1, ONE), (2, TWO)]


def test_all_of_it_survives_a_restart() -> None:
    secrets, state = fresh()
    for number, secret in ((1, ONE), (2, TWO)):
        secrets.add(number, secret)
    secrets.shown_by(A, 2, [A, B])
    again = Secrets(state)
    assert again.all() == [(1, ONE), (2, TWO)]
    again.shown_by(B, 2, [A, B])
    assert again.all() == [(2, TWO)], "that A had shown it was not forgotten"
    assert Secrets(state).all() == [(2, TWO)]


def test_what_opens_no_door_any_more_is_kept_to_find_the_removed_until_all_of_them_know() -> None:
    secrets, state = fresh()
    for number, secret in ((1, ONE), (2, TWO), (3, THREE)):
        secrets.add(number, secret)
    assert not secrets.outdated
    secrets.shown_by(A, 2, [A])
    secrets.shown_by(A, 3, [A])
    assert [*secrets.recognised, *secrets.outdated] == [THREE, TWO, ONE]
    assert len(secrets.recognised) == 1
    again = Secrets(state)
    assert again.outdated == (TWO, ONE)
    again.forget_outdated()
    assert len(again.outdated) == len(Secrets(state).outdated) == 0
    assert Secrets(state).recognised == (THREE,)


def test_few_of_them_are_kept() -> None:
    secrets, _ = fresh()
    for number in range(1, OUTDATED_MAX + 4):
        secrets.add(number, bytes([number]) * SECRET_BYTES)
    secrets.shown_by(A, OUTDATED_MAX + 3, [A])
    assert len(secrets.outdated) == OUTDATED_MAX
    assert ONE not in secrets.outdated

"""What is true of the state in dicts alone: transactions that are begun and undone by hand, and backups."""

from __future__ import annotations

import pytest

from p2psync.core.change import Change
from p2psync.sim.state import MemoryDeviceState
from tests.contracts.rows import MANDATE, OTHER, A, Author, everything, file, fill


def test_writes_outside_of_a_transaction_stay() -> None:
    device = MemoryDeviceState()
    state = device.add_mandate(MANDATE)
    state.put("folder", "/a")
    device.begin()
    state.put("folder", "/b")
    device.rollback()
    assert state.get("folder") == "/a"
    device.begin()
    state.put("folder", "/c")
    device.commit()
    assert state.get("folder") == "/c"


def test_transactions_do_not_nest() -> None:
    device = MemoryDeviceState()
    with pytest.raises(AssertionError):
        device.commit()
    with pytest.raises(AssertionError):
        device.rollback()
    device.begin()
    with pytest.raises(AssertionError):
        device.begin()
    with pytest.raises(AssertionError):
        device.copy()


def test_heads_seen_in_a_transaction_are_forgotten_with_it() -> None:
    device = MemoryDeviceState()
    state = device.add_mandate(MANDATE)
    author = Author(state)
    (one,) = author.save(Change(A, file("1"), ()))
    device.begin()
    (two,) = author.save(Change(A, file("2"), (one,)))
    assert [head.id for head in state.heads([A])[A]] == [two]
    device.rollback()
    assert [head.id for head in state.heads([A])[A]] == [one]


def test_a_backup_is_independent_both_ways() -> None:
    device = MemoryDeviceState()
    fill(device.add_mandate(MANDATE), MANDATE)
    before = everything(device.mandate(MANDATE))
    backup = device.copy()
    (head,) = device.mandate(MANDATE).heads([A])[A]
    device.mandate(MANDATE).judge_again([(head.id.block, [False, False])])
    device.mandate(MANDATE).drop_live([A])
    device.add_mandate(OTHER)
    assert backup.mandates() == [MANDATE]
    assert everything(backup.mandate(MANDATE)) == before
    changed = everything(device.mandate(MANDATE))
    backup.begin()
    backup.mandate(MANDATE).drop_bases([A])
    backup.mandate(MANDATE).put("folder", "elsewhere")
    backup.commit()
    assert everything(device.mandate(MANDATE)) == changed

"""A device that forks or opens logs without end is not listened to; what somebody took in of it, all take in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from p2psync.core.block import AUTHORITY, parse_block
from p2psync.core.clock import Tip
from p2psync.engine import ledger
from p2psync.engine.ledger import BRANCHES_MAX, TIPS_PER_DEVICE_MAX
from p2psync.errors import RemoteProtocolError
from tests.engine.ledgers import Desk, blocks_of, forged, new_block, next_block, office, two


def branches(desk: Desk, count: int, first: int = 0) -> list[bytes]:
    """Blocks that all follow the last one, each another."""
    return [forged(desk, replace(next_block(desk), time_ms=first + number)) for number in range(count)]


def logs(desk: Desk, count: int, first: int = 0) -> list[bytes]:
    """First blocks of many logs."""
    return [forged(desk, new_block(desk, number=first + number + 1)) for number in range(count)]


def test_a_device_may_tell_a_limited_number_of_branches_of_its_log() -> None:
    a, b = two()
    log, end = b.own(), b.tip()
    for raw in branches(b, BRANCHES_MAX):
        assert a.ledger.join(raw, b.id) is not None
    assert len(a.ledger.tips[log]) == BRANCHES_MAX
    before = a.outcome()
    [more] = branches(b, 1, 1000)
    with pytest.raises(RemoteProtocolError, match="too many branches"):
        a.ledger.join(more, b.id)
    assert a.outcome() == before
    longer = replace(next_block(b), seq=end.seq + 2, prev=a.ledger.tips[log][0].hash)
    assert a.ledger.join(forged(b, longer), b.id) is not None, "a branch may still grow"
    assert a.ledger.join(more, a.id) is not None, "somebody took it in"


def test_a_device_may_tell_a_limited_number_of_its_logs() -> None:
    a, b = two()
    for raw in logs(b, TIPS_PER_DEVICE_MAX - 1):
        a.ledger.join(raw, b.id)
    [more] = logs(b, 1, 1000)
    with pytest.raises(RemoteProtocolError, match="too many logs"):
        a.ledger.join(more, b.id)
    assert a.ledger.join(forged(b, next_block(b)), b.id) is not None
    assert a.ledger.join(more, a.id) is not None, "somebody took it in"


@pytest.mark.parametrize("make", [branches, logs])
def test_whoever_hears_whatever_of_a_liar_all_others_agree(make: Callable[[Desk, int, int], list[bytes]]) -> None:
    """It tells each of them as much as it may, and each something else: no two would take in the same at first."""
    limit = {branches: BRANCHES_MAX, logs: TIPS_PER_DEVICE_MAX - 1}[make]  # type: ignore[index]
    a, b, c, d = office("a", "b", "c", "d")
    b.save("x", "one")
    for number, desk in enumerate((a, c, d)):
        desk.read(b)
        for raw in make(b, limit, 1000 * number):
            assert desk.ledger.join(raw, b.id) is not None
    for desk in (a, c, d):
        for other in (a, c, d):
            for raw in other.blocks():
                desk.ledger.join(raw, other.id)
    assert a.outcome() == c.outcome() == d.outcome()
    assert sum(len(tips) for log, tips in a.ledger.tips.items() if a.ledger.author(log) == b.id) > 3 * limit - 3
    for desk in (a, c, d):
        desk.save(desk.name, "mine")
    for desk, other in ((a, c), (c, d), (d, a), (a, d)):
        desk.read(other)
    assert a.texts("c") == a.texts("d") == {"mine"}


def test_even_others_may_not_tell_of_a_device_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "TIPS_PER_LOG_MAX", 20)
    monkeypatch.setattr(ledger, "TIPS_OF_DEVICE_MAX", 30)
    a, b = two()
    for raw in [*branches(b, 20), *logs(b, 10)]:
        assert a.ledger.join(raw, a.id) is not None
    for raw, said in zip([*branches(b, 1, 1000), *logs(b, 1, 1000)], ("branches", "logs"), strict=True):
        with pytest.raises(RemoteProtocolError, match=f"too many {said}"):
            a.ledger.join(raw, a.id)


def test_a_clock_does_not_name_logs_without_end_but_what_its_changes_need() -> None:
    a, b, c = office("a", "b", "c")
    b.save("y", "one")
    theirs = logs(b, 3 * TIPS_PER_DEVICE_MAX)
    a.read(b)
    for raw in theirs:
        a.ledger.join(raw, c.id)
    a.save("mine", "one")
    assert {log for log, _ in blocks_of(a, a.own())[-1].clock} == {a.own(AUTHORITY)}
    [head] = a.heads("y")
    change = a.save("y", "two")
    [block] = [one for one in blocks_of(a, a.own()) if one.changes[0].path == "y"]
    assert block.clock == ((b.own(), Tip(1, head.id.block)),)
    for raw in a.blocks():
        if parse_block(a.mandate, raw).block.log in {a.own(), a.own(AUTHORITY), b.own()}:
            c.ledger.join(raw, a.id)
    assert c.accepted(change)
    newcomer = Desk("newcomer", a.mandate)
    newcomer.read(a)
    assert newcomer.outcome() == a.outcome()

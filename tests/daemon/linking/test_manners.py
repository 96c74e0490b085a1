"""A flood is noticed, ordinary talk never is, and whoever broke the rules stays outside for a while."""

from __future__ import annotations

import pytest

from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, ContentId, DeviceId, LogId, MandateId
from p2psync.daemon.linking.manners import (
    AHEAD_FREE_FROM_BYTES,
    NEEDLESS_ANSWER_POINTS,
    OUTCASTS_MAX,
    OUTSIDE_MAX_S,
    OUTSIDE_MIN_S,
    POINTS_MAX,
    POINTS_PER_S,
    Allowance,
    Outcasts,
    needless_points,
    points,
)
from p2psync.engine.conduct import FORGIVEN_S
from p2psync.errors import RemoteProtocolError
from p2psync.wire.messages import (
    BLOCK_BYTES_MAX,
    LOGS_MAX,
    Ahead,
    ContentMessage,
    Have,
    Hello,
    IndexUpdate,
    Message,
    Ping,
    Placed,
    Request,
    Response,
    What,
)

MANDATE = MandateId(b"m" * 16)
DEVICE, OTHER = DeviceId(b"d" * 32), DeviceId(b"o" * 32)
TIPS = {LogId(number.to_bytes(16, "big")): (Tip(1, BlockHash(bytes(32))),) for number in range(LOGS_MAX)}


@pytest.mark.parametrize(
    ("message", "cost"),
    [
        (Ping(1), 1),
        (Have(MANDATE, {}), 1),
        (Have(MANDATE, TIPS), 626),
        (Have(MANDATE, dict.fromkeys(list(TIPS)[:2], ())), 101),
        (Placed(MANDATE, TIPS, 500, (("a", "b"),) * 500), 657),
        (Hello(1, "a", "p", bytes(16), 0.0, (MANDATE,) * 1000), 63),
        (IndexUpdate(MANDATE, ()), 1),
        (IndexUpdate(MANDATE, (bytes(BLOCK_BYTES_MAX),) * 2), 17),
        (Request(MANDATE, 1, What.CONTENT, (ContentId(bytes(32)),) * 1024), 0),
        (Response(MANDATE, 1, 0, (bytes(1000),), True), 0),
        (Ahead(MANDATE, "a", 1 << 30, 0, bytes(AHEAD_FREE_FROM_BYTES)), 0),
        (Ahead(MANDATE, "a", 1 << 30, 0, bytes(AHEAD_FREE_FROM_BYTES - 1)), 1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_takes_longer_to_read_costs_more(message: Message, cost: int) -> None:
    assert points(message) == cost


@pytest.mark.parametrize(
    ("message", "cost"),
    [
        (Response(MANDATE, 1, 0, (), True), NEEDLESS_ANSWER_POINTS),
        (Ahead(MANDATE, "a", 1 << 30, 0, bytes(AHEAD_FREE_FROM_BYTES)), 1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_nobody_can_use_costs_more(message: ContentMessage, cost: int) -> None:
    assert needless_points(message) == cost


def test_a_flood_is_too_much_and_the_same_over_a_longer_time_is_not() -> None:
    flood = Allowance(100.0)
    for _ in range(int(POINTS_MAX)):
        flood.spend(1, 100.0)
    with pytest.raises(RemoteProtocolError, match="more than anybody has to say"):
        flood.spend(1, 100.0)
    talk = Allowance(100.0)
    for second in range(1000):
        talk.spend(int(POINTS_PER_S), 101.0 + second)


def test_nothing_is_saved_up_beyond_the_most() -> None:
    allowance = Allowance(0.0)
    with pytest.raises(RemoteProtocolError):
        allowance.spend(int(POINTS_MAX) + 1, 1e6)


def test_each_time_the_stay_outside_gets_longer_up_to_a_limit() -> None:
    outcasts = Outcasts()
    assert not outcasts.has(DEVICE, 0.0)
    now_s, stays = 0.0, list[float]()
    for _ in range(100):
        outcasts.add(DEVICE, now_s)
        assert outcasts.has(DEVICE, now_s)
        stays.append(next(s for s in (2.0**n for n in range(10)) if not outcasts.has(DEVICE, now_s + s)))
        assert not outcasts.has(OTHER, now_s)
        now_s += OUTSIDE_MAX_S
    assert stays[:4] == [OUTSIDE_MIN_S, 2 * OUTSIDE_MIN_S, 4 * OUTSIDE_MIN_S, 8 * OUTSIDE_MIN_S]
    assert not outcasts.has(DEVICE, now_s)


def test_who_behaved_for_long_begins_anew() -> None:
    outcasts = Outcasts()
    for _ in range(10):
        outcasts.add(DEVICE, 0.0)
    outcasts.add(DEVICE, FORGIVEN_S)
    assert outcasts.has(DEVICE, FORGIVEN_S + OUTSIDE_MIN_S / 2)
    assert not outcasts.has(DEVICE, FORGIVEN_S + OUTSIDE_MIN_S)


def test_few_are_remembered() -> None:
    outcasts = Outcasts()
    for number in range(OUTCASTS_MAX + 1):
        outcasts.add(DeviceId(number.to_bytes(32, "big")), 0.0)
    assert not outcasts.has(DeviceId((0).to_bytes(32, "big")), 0.0)
    assert outcasts.has(DeviceId((1).to_bytes(32, "big")), 0.0)

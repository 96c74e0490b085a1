"""SCTP on a line in memory: everything arrives in order, fast, whatever the line does; and aiortc is as it was."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from aiortc import RTCDtlsTransport, RTCIceGatherer, RTCIceTransport
from aiortc.rtcdtlstransport import RTCCertificate
from aiortc.rtcsctptransport import DataChunk, ForwardTsnChunk, RTCSctpTransport, SackChunk

from p2psync.errors import LinkError
from p2psync.net.webrtc import internals
from p2psync.net.webrtc.internals import RECEIVED_BYTES_MAX, Association, check_versions, far_end, take_role, widen
from tests.net.stillness import run_still
from tests.net.webrtc.lines import MESSAGE_BYTES, Conditions, Side, talk, until


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") + bytes(MESSAGE_BYTES - 4) for number in range(count)]


async def send_all(one: Side, other: Side, messages: list[bytes]) -> float:
    """Until all have arrived; returns bytes a second."""
    began, arrived = asyncio.get_running_loop().time(), len(other.received)
    for message in messages:
        await until(lambda: one.channel.bufferedAmount < 1 << 19)
        one.channel.send(message)
    await until(lambda: len(other.received) == arrived + len(messages))
    assert other.received[arrived:] == messages
    return sum(map(len, messages)) / (asyncio.get_running_loop().time() - began)


def measured(conditions: Conditions, count: int, seed: int = 0) -> tuple[float, Side]:
    rates: list[float] = []

    async def conversation(one: Side, other: Side) -> None:
        rates.append(await send_all(one, other, numbered(count)))

    one, _other = run_still(talk(conditions, conversation, seed))
    return rates[0], one


# -- speed


@pytest.mark.parametrize(
    ("conditions", "least"),
    [
        (Conditions(), 7.5e6),
        (Conditions(loss=0.001), 4e6),
        (Conditions(loss=0.05), 0.7e6),
        (Conditions(rate_bytes_s=1.25e6), 1.0e6),
        (Conditions(rate_bytes_s=1.25e6, queue_s=0.5), 1.0e6),
    ],
    ids=["good", "one in a thousand lost", "one in twenty lost", "slow", "slow with a long queue"],
)
def test_it_uses_what_the_line_can_carry(conditions: Conditions, least: float) -> None:
    """100 Mbit/s and 40 ms, if nothing else is said; in bytes a second."""
    rate, one = measured(conditions, 500 if conditions.rate_bytes_s > 2e6 else 300)
    assert rate > least
    assert one.wire.lost <= one.wire.sent * (conditions.loss * 1.5 + 0.05)


def test_a_long_queue_is_not_filled() -> None:
    """What somebody else says on the line waits for 0.2 s, not for the two that the router would allow."""
    line = Conditions(rate_bytes_s=0.625e6, queue_s=2.0)
    waits: list[float] = []

    async def conversation(one: Side, other: Side) -> None:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send_all(one, other, numbered(400)))
            while not sending.done():
                waits.append(one.wire.free_at - asyncio.get_running_loop().time())
                await asyncio.sleep(0.05)

    run_still(talk(line, conversation))
    assert sorted(waits)[len(waits) * 9 // 10] < 0.25


# -- whatever the line does


@pytest.mark.parametrize("seed", range(5))
def test_everything_arrives_in_order(seed: int) -> None:
    """30 % are lost, some come twice, and they overtake each other."""
    rate, _one = measured(Conditions(loss=0.3, jitter_s=0.01, twice=0.05), 40, seed)
    assert rate > 20_000


def test_overtaking_is_not_taken_for_loss_for_long() -> None:
    rate, _one = measured(Conditions(jitter_s=0.001), 500)
    assert rate > 3e6


def test_a_line_that_comes_back_is_used_again_soon() -> None:
    times: list[float] = []

    async def conversation(one: Side, other: Side) -> None:
        await send_all(one, other, numbered(100))
        line.cut = True
        for message in numbered(20):
            one.channel.send(message)
        await asyncio.sleep(30)
        assert one.wire.sent < 400 * 12, "it goes on as if somebody heard"
        line.cut = False
        began = asyncio.get_running_loop().time()
        await until(lambda: len(other.received) == 120)
        times.append(asyncio.get_running_loop().time() - began)
        assert other.received[100:] == numbered(20)

    line = Conditions()
    run_still(talk(line, conversation))
    assert times[0] < internals.TIMEOUT_MAX_S + 1


def test_the_last_packet_is_not_waited_for_long() -> None:
    """Nothing comes after it that would tell of its loss."""

    async def conversation(one: Side, other: Side) -> None:
        await send_all(one, other, numbered(20))
        await asyncio.sleep(1)
        line.cut = True
        one.channel.send(b"the last")
        await asyncio.sleep(0.01)
        line.cut = False
        began = asyncio.get_running_loop().time()
        await until(lambda: other.received[-1] == b"the last")
        assert asyncio.get_running_loop().time() - began < 0.5

    line = Conditions()
    run_still(talk(line, conversation))


def test_a_pause_of_the_other_side_costs_few_packets() -> None:
    """It is asked whether it still hears, and not told everything again."""

    async def conversation(one: Side, other: Side) -> None:
        await send_all(one, other, numbered(50))
        await until(lambda: one.association.idle)
        before = one.wire.sent
        line.delay_s = 0.2
        await send_all(one, other, numbered(10))
        await until(lambda: one.association.idle)
        assert one.wire.sent - before < 10 * 12 + 10

    line = Conditions()
    run_still(talk(line, conversation))


def test_both_talk_at_once_and_hear_when_all_has_arrived() -> None:
    async def conversation(one: Side, other: Side) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_all(one, other, numbered(100)))
            group.create_task(send_all(other, one, numbered(100)))
        await until(lambda: one.association.idle and other.association.idle)
        assert one.idle
        assert other.idle

    run_still(talk(Conditions(loss=0.01), conversation))


def test_few_acknowledgements_are_sent() -> None:
    async def conversation(one: Side, other: Side) -> None:
        before = one.wire.sent, other.wire.sent
        await send_all(one, other, numbered(100))
        assert other.wire.sent - before[1] < 0.35 * (one.wire.sent - before[0])

    run_still(talk(Conditions(), conversation))


# -- who does not play by the rules


def test_a_message_without_end_is_not_collected() -> None:
    async def conversation(one: Side, other: Side) -> None:
        association = other.association
        assert association._last_received_tsn is not None
        first = association._last_received_tsn + 1
        for number in range(2 * RECEIVED_BYTES_MAX // 60_000):
            chunk = DataChunk(flags=2 if number == 0 else 0)
            chunk.tsn, chunk.stream_id, chunk.stream_seq = (first + number) % (1 << 32), 0, 0
            chunk.user_data = bytes(60_000)
            await association._receive_data_chunk(chunk)
        kept = sum(len(c.user_data) for s in association._inbound_streams.values() for c in s.reassembly)
        assert kept <= RECEIVED_BYTES_MAX

    run_still(talk(Conditions(), conversation))


def test_acknowledgements_of_what_was_never_sent_mean_nothing() -> None:
    async def conversation(one: Side, other: Side) -> None:
        lie = SackChunk()
        lie.cumulative_tsn = (one.association._local_tsn + 1000) % (1 << 32)
        lie.gaps = [(1, 60_000)]
        await one.association._receive_sack_chunk(lie)
        forward = ForwardTsnChunk()
        forward.cumulative_tsn = (other.association._local_tsn + 1000) % (1 << 32)
        await one.association._receive_forward_tsn_chunk(forward)
        await send_all(one, other, numbered(3))
        await send_all(other, one, numbered(3))

    run_still(talk(Conditions(), conversation))


# -- what it stands on


def test_other_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_versions()
    monkeypatch.setattr(internals, "version", lambda name: "2.0.0")
    with pytest.raises(LinkError, match="aiortc 1"):
        check_versions()


def test_what_is_replaced_is_there() -> None:
    """aiortc promises none of this. Where this fails, read what its new version does, then change `internals`."""
    own = {name: f for name, f in vars(Association).items() if inspect.isfunction(f)}
    replaced = {name: f for name, f in own.items() if hasattr(RTCSctpTransport, name) and name != "__init__"}
    assert set(replaced) == {
        "_receive_data_chunk",
        "_receive_forward_tsn_chunk",
        "_receive_sack_chunk",
        "_send_chunk",
        "_send_sack",
        "_set_state",
        "_t3_expired",
        "_transmit",
        "_update_rto",
    }
    for name, function in replaced.items():
        theirs = getattr(RTCSctpTransport, name)
        assert inspect.iscoroutinefunction(function) == inspect.iscoroutinefunction(theirs), name
        assert list(inspect.signature(function).parameters) == list(inspect.signature(theirs).parameters), name


@pytest.mark.asyncio
async def test_what_is_used_is_there() -> None:
    gatherer = RTCIceGatherer(iceServers=[])
    ice = RTCIceTransport(gatherer)
    take_role(ice, True)
    assert ice.role == "controlling"
    assert far_end(ice) == ("", 0)
    widen(ice)
    sctp = RTCSctpTransport(RTCDtlsTransport(ice, [RTCCertificate.generateCertificate()]))
    for name in (
        "_advertised_rwnd",
        "_data_channel_queue",
        "_last_received_tsn",
        "_last_sacked_tsn",
        "_local_partial_reliability",
        "_local_tsn",
        "_outbound_queue",
        "_rto",
        "_rttvar",
        "_sack_needed",
        "_srtt",
        "_t3_handle",
    ):
        assert hasattr(sctp, name), name
    await ice.stop()

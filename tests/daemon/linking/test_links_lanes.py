"""Lanes of a link: they carry content and nothing else, and the engine never hears of them."""

from __future__ import annotations

from contextlib import suppress

import pytest

from p2psync.daemon.linking import links
from p2psync.daemon.linking.manners import NEEDLESS_ANSWER_POINTS, POINTS_MAX
from p2psync.engine.events import LinkDown, LinkUp
from p2psync.errors import LinkClosed
from p2psync.net.link import Link
from p2psync.wire.codec import decode, encode
from p2psync.wire.messages import TOKEN_BYTES, Close, CloseCode, Lane, Message, Ping, Pong, Widen
from tests.daemon.linking.test_links import ANSWER, HELLO, REQUEST, Hall, hall
from tests.daemon.patience import until
from tests.daemon.wires import LEFT, RIGHT, WireEnd, wire


@pytest.mark.asyncio
async def test_a_lane_belongs_to_a_link_and_carries_nothing_but_content() -> None:
    async with hall() as h:
        main, lane, here = await with_lane(h)
        await here.send(encode(REQUEST))
        await until(lambda: (lane, REQUEST) in h.content)
        assert [event for event in h.told if isinstance(event, LinkUp)] == [LinkUp(main, RIGHT, False, "lan")]
        assert h.lanes == [(main, lane, True)]
        await h.links.send_content(lane, ANSWER)
        assert decode(await here.receive()) == ANSWER
        await here.close()
        await until(lambda: h.lanes[-1] == (main, lane, False))
        assert not [event for event in h.told if isinstance(event, LinkDown)], "its link goes on"


@pytest.mark.asyncio
@pytest.mark.parametrize("message", [HELLO, Ping(1), Close(CloseCode.GOODBYE, "")], ids=lambda m: type(m).__name__)
async def test_anything_else_on_a_lane_ends_its_link_too(message: Message) -> None:
    async with hall() as h:
        main, _, here = await with_lane(h)
        await here.send(encode(message))
        await until(lambda: [e.link for e in h.told if isinstance(e, LinkDown)] == [main])
        assert "peer.misbehaved" in [event.name for event in h.events]


@pytest.mark.asyncio
async def test_a_lane_ends_with_its_link() -> None:
    async with hall() as h:
        main, lane, here = await with_lane(h)
        h.links.close(main, "done")
        await until(lambda: h.lanes[-1] == (main, lane, False))
        with pytest.raises(LinkClosed):
            await here.receive()


@pytest.mark.asyncio
async def test_answers_on_a_lane_that_nobody_waits_for_count_for_its_link() -> None:
    async with hall() as h:
        main, _, here = await with_lane(h)
        h.waits_for_answers = False
        with suppress(LinkClosed):
            for _ in range(int(POINTS_MAX) // NEEDLESS_ANSWER_POINTS + 100):
                await here.send(encode(ANSWER))
        await until(lambda: [e.link for e in h.told if isinstance(e, LinkDown)] == [main])


@pytest.mark.asyncio
async def test_a_lane_of_nothing_is_closed_and_forgiven() -> None:
    async with hall() as h:
        there, here = wire(towards=RIGHT)
        h.links.add(here)
        await there.send(encode(Lane(bytes(TOKEN_BYTES))))
        await until(lambda: here.closed)
        assert h.told == [], "the engine never heard of it"
        assert "peer.misbehaved" not in [event.name for event in h.events]


@pytest.mark.asyncio
async def test_a_lane_of_another_device_is_none() -> None:
    async with hall() as h:
        await with_lane(h)
        there, here = wire()
        h.links.add(here)
        await there.send(encode(Lane(h.token)))
        await until(lambda: here.closed)
        assert len(h.lanes) == 1


@pytest.mark.asyncio
async def test_a_lane_is_dialled_the_way_its_link_came() -> None:
    async with hall() as h:
        here, there = wire()
        lane_here, lane_there = wire()
        elsewhere_here, _ = wire(towards=LEFT)
        dialled = [elsewhere_here, lane_here]

        async def again() -> Link:
            return dialled.pop(0)

        main = h.links.add(here, again=again)
        await there.send(encode(HELLO))
        await there.send(encode(Widen(2, 0, b"t" * TOKEN_BYTES)))
        await until(lambda: h.lanes)
        assert h.lanes == [(main, h.lanes[0][1], True)]
        assert decode(await lane_there.receive()) == Lane(b"t" * TOKEN_BYTES)
        assert elsewhere_here.closed, "it led to another device"
        assert h.links.lanes(main) == (h.lanes[0][1],)


@pytest.mark.asyncio
@pytest.mark.parametrize("copes", [False, True])
async def test_a_long_path_is_noticed(copes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "FIRST_PINGS_S", 0.0)
    monkeypatch.setattr(links, "FAR_MS", 0.0)
    async with hall() as h:
        here, there = wire()
        here.copes = copes
        number = h.links.add(here)
        h.links.send(number, HELLO)
        await there.send(encode(HELLO))
        assert decode(await there.receive()) == HELLO
        for count in range(1, links.FIRST_PINGS + 1):
            assert decode(await there.receive()) == Ping(count)
        assert h.links.rtt_ms(number) is None
        await there.send(encode(Pong(links.FIRST_PINGS - 1)))
        await there.send(encode(Pong(links.FIRST_PINGS)))
        await until(lambda: any(event.name == "link.far" for event in h.events))
        (event,) = [event for event in h.events if event.name == "link.far"]
        assert ("steady", str(copes)) in event.fields


async def with_lane(h: Hall) -> tuple[int, int, WireEnd]:
    """A link and its lane, both dialled by the other side: their numbers, and the lane's other end."""
    there, here = wire(towards=RIGHT)
    main = h.links.add(here)
    await there.send(encode(HELLO))
    await there.send(encode(Widen(1, 0, b"")))
    given = decode(await there.receive())
    assert isinstance(given, Widen)
    h.token = given.token
    far, near = wire(towards=RIGHT)
    lane = h.links.add(near)
    await far.send(encode(Lane(given.token)))
    await until(lambda: h.lanes)
    return main, lane, far

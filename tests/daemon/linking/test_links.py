"""Open links: frames become events, messages keep their order, and a peer that does not behave loses its link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest

from p2psync.core.ids import ContentId, MandateId, content_of
from p2psync.daemon.linking import links
from p2psync.daemon.linking.links import GIVE_WAY_EVERY_S, GIVE_WAY_S, Links
from p2psync.daemon.linking.manners import AHEAD_FREE_FROM_BYTES, NEEDLESS_ANSWER_POINTS, POINTS_MAX
from p2psync.daemon.linking.width import FAR_MS
from p2psync.daemon.logs import EventLog, LogEvent
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.events import Event, LinkDown, LinkUp, Received
from p2psync.errors import LinkClosed, PeerRefused, RemoteProtocolError
from p2psync.wire.codec import decode, encode
from p2psync.wire.messages import (
    Ahead,
    Close,
    CloseCode,
    ContentMessage,
    Have,
    Hello,
    IndexUpdate,
    Message,
    Ping,
    Pong,
    Push,
    Request,
    Response,
    Secret,
    What,
)
from tests.daemon.patience import until
from tests.daemon.wires import RIGHT, wire

MANDATE = MandateId(b"m" * 16)
HELLO = Hello(1, "b", "p", b"n" * 16, 0.0, ())
ANSWER = Response(MANDATE, 1, 0, (b"bytes",), True)
REQUEST = Request(MANDATE, 1, What.CONTENT, (ContentId(b"c" * 32),))


@pytest.mark.asyncio
async def test_a_link_is_told_with_its_number_and_so_is_its_end() -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        await there.send(encode(HELLO))
        await until(lambda: len(h.told) == 2)
        await there.close()
        await until(lambda: len(h.told) == 3)
        assert h.told == [
            LinkUp(number, RIGHT, True, "lan"),
            Received(number, HELLO),
            LinkDown(number, "the other side closed"),
        ]
        assert h.ended == [number]
        assert h.links.add(wire()[0]) != number


@pytest.mark.asyncio
async def test_what_was_said_keeps_its_order_also_at_the_end() -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        said: list[Message] = [HELLO, Have(MANDATE, {}), Secret(MANDATE, 1, b"s" * 32), Close(CloseCode.GOODBYE, "")]
        for message in said:
            h.links.send(number, message)
        h.links.close(number, "done")
        assert [decode(await there.receive()) for _ in said] == said
        with pytest.raises(LinkClosed):
            await there.receive()
        assert h.told[-1] == LinkDown(number, "done")


@pytest.mark.asyncio
async def test_content_goes_another_way_than_events() -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        answer = Response(MANDATE, 1, 0, (b"bytes",), True)
        for message in (HELLO, REQUEST, answer):
            await there.send(encode(message))
        await until(lambda: len(h.content) == 2)
        assert h.content == [(number, REQUEST), (number, answer)]
        assert [event for event in h.told if isinstance(event, Received)] == [Received(number, HELLO)]


@pytest.mark.asyncio
async def test_only_what_is_kept_of_what_comes_unasked_is_told() -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        given = [Push(MANDATE, (content_of(data),), (data,)) for data in (b"1", b"2", b"3")]
        h.unwanted.append(given[1])
        await there.send(encode(HELLO))
        for message in given:
            await there.send(encode(message))
        await until(lambda: Received(number, given[2]) in h.told)
        assert [event for event in h.told if isinstance(event, Received)][1:] == [
            Received(number, given[0]),
            Received(number, given[2]),
        ]
        assert h.content == [(number, message) for message in given]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [10, links.ENCODE_HERE_BYTES_MAX + 1])
@pytest.mark.parametrize("is_asked_for", [True, False])
async def test_answers_are_bulk_and_questions_are_not(size: int, is_asked_for: bool) -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        data = b"x" * size
        answer = Response(MANDATE, 1, 0, (data,), True) if is_asked_for else Ahead(MANDATE, "a", size, 0, data)
        await h.links.send_content(number, answer)
        await h.links.send_content(number, REQUEST)
        assert [decode(await there.receive()), decode(await there.receive())] == [answer, REQUEST]
        assert [decode(frame) for frame in here.bulk] == [answer]
        h.links.close(number, "done")
        with pytest.raises(LinkClosed):
            await h.links.send_content(number, answer)


@pytest.mark.asyncio
@pytest.mark.parametrize("frame", [b"\xff" * 20, b"", encode(HELLO)[:-1]])
async def test_nonsense_ends_the_link(frame: bytes) -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        await there.send(frame)
        await until(lambda: here.closed)
        (end,) = [event for event in h.told if isinstance(event, LinkDown)]
        assert end.link == number


@pytest.mark.asyncio
async def test_content_that_breaks_the_rules_ends_the_link() -> None:
    async with hall() as h:
        here, there = wire()
        h.refuse = RemoteProtocolError("asks for too much")
        number = h.links.add(here)
        await there.send(encode(HELLO))
        await there.send(encode(REQUEST))
        await until(lambda: here.closed)
        assert h.told[-1] == LinkDown(number, "asks for too much", True)


@pytest.mark.asyncio
@pytest.mark.parametrize("message", [REQUEST, Ping(1), Have(MANDATE, {})], ids=lambda m: type(m).__name__)
async def test_nothing_is_answered_before_a_greeting(message: Message) -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        await there.send(encode(message))
        await until(lambda: here.closed)
        assert h.told[1:] == [LinkDown(number, f"a link that begins with {type(message).__name__}", True)]
        assert h.content == []


@pytest.mark.asyncio
@pytest.mark.parametrize("message", [Ping(1), HELLO, Have(MANDATE, {})], ids=lambda m: type(m).__name__)
async def test_a_flood_ends_the_link(message: Message) -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        await there.send(encode(HELLO))
        with suppress(LinkClosed):
            for _ in range(20 * int(POINTS_MAX)):  # more than it gets back meanwhile, on however slow a machine
                await there.send(encode(message))
        await until(lambda: here.closed)
        assert h.told[-1] == LinkDown(number, "the other device says more than anybody has to say", True)
        assert "peer.misbehaved" in [event.name for event in h.events]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("message", "points"),
    [
        (Response(MANDATE, 1, 0, (b"bytes",), True), NEEDLESS_ANSWER_POINTS),
        (Ahead(MANDATE, "a", 1 << 30, 0, bytes(AHEAD_FREE_FROM_BYTES)), 1),
    ],
)
async def test_answers_that_nobody_waits_for_end_the_link_and_others_do_not(
    message: Response | Ahead, points: int
) -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        await there.send(encode(HELLO))
        answer = encode(message)
        for _ in range(2 * int(POINTS_MAX)):
            await there.send(answer)
        await until(lambda: len(h.content) == 2 * POINTS_MAX)
        assert not here.closed
        h.waits_for_answers = False
        with suppress(LinkClosed):
            for _ in range(20 * int(POINTS_MAX) // points):  # more than it gets back meanwhile
                await there.send(answer)
        await until(lambda: here.closed)
        assert h.told[-1] == LinkDown(number, "the other device says more than anybody has to say", True)


@pytest.mark.asyncio
async def test_who_says_little_comes_between_who_says_much() -> None:
    async with hall() as h:
        much, little = wire(), wire()
        flooded, other = h.links.add(much[0]), h.links.add(little[0])
        for number in range(1000):
            await much[1].send(encode(HELLO if number == 0 else Have(MANDATE, {})))
        await little[1].send(encode(HELLO))
        await until(lambda: Received(other, HELLO) in h.told)
        heard = [event.link for event in h.told if isinstance(event, Received)]
        assert heard.index(other) < 10
        assert set(heard[10:]) <= {flooded}


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["nonsense", "blamed by the engine", "blamed for its content"])
async def test_who_broke_the_rules_is_not_let_in_again_at_once(how: str) -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        if how == "nonsense":
            await there.send(b"\xff")
        elif how == "blamed by the engine":
            h.links.send(number, Close(CloseCode.PROTOCOL_ERROR, "no block"))
            h.links.close(number, "no block")
        else:
            h.links.cast_out(number, "wrong bytes")
        await until(lambda: here.closed)
        [down] = [event for event in h.told if isinstance(event, LinkDown)]
        assert down.blamed
        told, lost = list(h.told), list[bool]()
        again, _ = wire()
        h.links.add(again, on_lost=lost.append)
        await until(lambda: again.closed)
        assert (h.told, lost) == (told, [False])


@pytest.mark.asyncio
async def test_who_just_left_is_let_in_again_at_once() -> None:
    async with hall() as h:
        here, there = wire()
        h.links.add(here)
        await there.close()
        await until(lambda: here.closed)
        again, _ = wire()
        number = h.links.add(again)
        assert h.told[-1] == LinkUp(number, RIGHT, True, "lan")


@pytest.mark.asyncio
async def test_a_peer_that_does_not_read_is_not_buffered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "UNSENT_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(links, "CLOSE_S", 0.0)
    async with hall() as h:
        here, there = wire()
        there.readable.clear()
        number = h.links.add(here)
        update = IndexUpdate(MANDATE, (bytes(range(256)) * 400,))
        for _ in range(2000):
            h.links.send(number, update)
        await until(lambda: here.closed)
        assert h.told[-1] == LinkDown(number, "the other device does not read what it is sent")


@pytest.mark.asyncio
async def test_pings_are_answered_and_measure_the_way() -> None:
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        await there.send(encode(HELLO))
        await there.send(encode(Ping(5)))
        h.links.send(number, HELLO)
        said = [decode(await there.receive()) for _ in range(3)]
        assert Pong(5) in said
        (ping,) = [message for message in said if isinstance(message, Ping)]
        assert h.links.rtt_ms(number) is None
        assert not h.links.is_near(number), "as far as is known"
        await there.send(encode(Pong(ping.number)))
        await until(lambda: h.links.rtt_ms(number) is not None)
        h.links._lines[number].shortest_rtt_ms = FAR_MS
        assert not h.links.is_near(number)
        h.links._lines[number].shortest_rtt_ms = FAR_MS / 2
        assert h.links.is_near(number)
        assert h.links.address(number) == "r.example:1"


@pytest.mark.asyncio
async def test_bulk_gives_way_to_a_save_near_by_and_not_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall() as h:
        now_s = 100.0
        monkeypatch.setattr(h.links, "_now_s", lambda: now_s)
        (near, _), (far, _) = wire(), wire()
        h.links._lines[h.links.add(near)].shortest_rtt_ms = FAR_MS / 2
        h.links._lines[h.links.add(far)].shortest_rtt_ms = FAR_MS
        h.links.give_way()
        now_s += GIVE_WAY_EVERY_S / 2
        h.links.give_way()
        assert (near.held, far.held) == ([GIVE_WAY_S], [])
        now_s += GIVE_WAY_EVERY_S / 2
        h.links.give_way()
        assert (near.held, far.held) == ([GIVE_WAY_S] * 2, [])


@pytest.mark.asyncio
async def test_nothing_is_said_before_our_hello() -> None:
    """It comes from the engine, which may be busy; a link that begins with anything else is closed by the others."""
    async with hall() as h:
        here, there = wire()
        number = h.links.add(here)
        await there.send(encode(HELLO))
        await until(lambda: Received(number, HELLO) in h.told)
        for _ in range(10):
            await asyncio.sleep(0)
        h.links.send(number, HELLO)
        assert decode(await there.receive()) == HELLO
        assert isinstance(decode(await there.receive()), Ping)


@pytest.mark.asyncio
async def test_whoever_dialled_learns_whether_it_was_let_in() -> None:
    async with hall() as h:
        heard: list[object] = []
        here, there = wire()
        h.links.add(here, lambda: heard.append("heard"), heard.append)
        await there.send(encode(HELLO))
        await there.send(encode(Have(MANDATE, {})))
        await there.close()
        await until(lambda: True in heard)
        assert heard == ["heard", True]
        refused, _ = wire()
        refused.fail(PeerRefused("does not know this device"))
        h.links.add(refused, lambda: heard.append("heard"), heard.append)
        await until(lambda: False in heard)
        assert heard == ["heard", True, False]


@pytest.mark.asyncio
async def test_goodbye_is_said_on_every_link() -> None:
    async with hall() as h:
        ends = [wire() for _ in range(3)]
        for here, _ in ends:
            h.links.add(here)
        await h.links.say_goodbye()
        for here, there in ends:
            assert decode(await there.receive()) == Close(CloseCode.GOODBYE, "")
            assert here.closed


@pytest.mark.asyncio
async def test_who_is_no_member_any_more_is_told_and_dropped() -> None:
    async with hall() as h:
        here, there = wire()
        h.links.add(here)
        h.links.close_strangers({RIGHT})
        assert not h.events[1:]
        h.links.close_strangers(())
        assert decode(await there.receive()) == Close(CloseCode.NOT_A_MEMBER, "")
        await until(lambda: here.closed)


@pytest.mark.asyncio
async def test_links_from_an_address_that_is_gone_are_dead() -> None:
    async with hall() as h:
        stays, goes, unknown = (wire()[0] for _ in range(3))
        stays.local, goes.local = "10.0.0.2", "::ffff:10.0.0.3"
        for one in (stays, goes, unknown):
            h.links.add(one)
        h.links.moved({"10.0.0.2"})
        await until(lambda: goes.closed)
        assert (stays.closed, unknown.closed) == (False, False)


@pytest.mark.asyncio
async def test_what_cannot_be_said_ends_the_link_and_is_logged() -> None:
    async with hall() as h:
        here, _ = wire()
        number = h.links.add(here)
        h.links.send(number, Close(CloseCode.GOODBYE, "x" * 10_000))
        await until(lambda: here.closed)
        assert "link.unsayable" in [event.name for event in h.events]
        h.links.send(number, HELLO)
        h.links.close(number, "gone already")


class Hall:
    """The links of one device, and what they told."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.content: list[tuple[int, ContentMessage]] = []
        self.events: list[LogEvent] = []
        self.refuse: RemoteProtocolError | None = None
        self.waits_for_answers = True
        self.unwanted: list[Push] = []
        log = EventLog(None)
        log.listen(self.events.append)
        self.tasks = Tasks(log)
        self.ended: list[int] = []
        self.lanes: list[tuple[int, int, bool]] = []
        self.token = b""
        self.links = Links(
            *(cast(Runtime, self), self.tasks, self._on_content, self.ended.append, log),
            on_lane=lambda main, lane, is_up: self.lanes.append((main, lane, is_up)),
        )

    def post_now(self, event: Event) -> None:
        self.told.append(event)

    async def post(self, event: Event) -> None:
        self.told.append(event)

    def _on_content(self, link: int, message: ContentMessage) -> bool:
        if self.refuse is not None:
            raise self.refuse
        self.content.append((link, message))
        return self.waits_for_answers and message not in self.unwanted


@asynccontextmanager
async def hall() -> AsyncIterator[Hall]:
    h = Hall()
    await h.tasks.open()
    try:
        yield h
    finally:
        await h.tasks.close()

"""Connections of one listener: requests in turn, bodies within limits, whatever a client does or leaves undone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from p2psync.api.http import Gone, Handler, Listener, Request, Response, Routes, TooLarge
from tests.daemon.patience import until

BODY_MAX = 1000
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
ENOUGH_S = 20.0


@dataclass
class Served:
    """A listener, and what its handler was asked and could not do."""

    listener: Listener
    port: int
    asked: list[Request] = field(default_factory=list)
    failures: list[tuple[str, Exception]] = field(default_factory=list)

    async def exchange(self, sent: bytes, *, leaves: bool = True) -> bytes:
        """All that is answered; with `leaves`, nothing more will come is said at once."""
        reader, writer = await self.connect(sent)
        try:
            if leaves:
                writer.write_eof()
            async with asyncio.timeout(ENOUGH_S):
                return await reader.read()
        finally:
            writer.close()

    async def connect(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        await writer.drain()
        return reader, writer


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Served]:
    async def handle(request: Request) -> Response:
        one.asked.append(request)
        return await handler(request)

    listening = socket.create_server(("127.0.0.1", 0))
    listener = Listener(handle, BODY_MAX, lambda name, error: one.failures.append((name, error)))
    one = Served(listener, listening.getsockname()[1])
    await listener.start(listening)
    try:
        yield one
    finally:
        await listener.stop(0.0)


async def echo(request: Request) -> Response:
    """Its path and its body."""
    return Response(200, request.path.encode() + b"|" + await request.body() + b"|")


async def unread(request: Request) -> Response:
    return Response(403, b"no")


async def guarded(request: Request) -> Response:
    try:
        return await echo(request)
    except TooLarge:
        return Response(413, b"too large")


@pytest.mark.asyncio
async def test_requests_of_one_connection_are_answered_in_turn() -> None:
    async with served(echo) as one:
        reader, writer = await one.connect(GET % b"first" + POST % 3 + b"abc" + GET % b"third")
        for expected in (b"/first||", b"/|abc|", b"/third||"):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"Content-Length: %d\r\n" % len(expected) in head
            assert await reader.readexactly(len(expected)) == expected
        writer.close()


@pytest.mark.asyncio
async def test_what_a_request_says_is_read() -> None:
    async with served(echo) as one:
        await one.exchange(
            b"GET /L%C3%B6hne%2Fx?a=1&b=%20&c HTTP/1.1\r\nhost: x\r\nsec-fetch-site: none\r\nCookie: a=1; b = 2\r\n"
            b"Content-Type: application/JSON; charset=utf-8\r\nX: 1\r\nX: \xff\r\n\r\n"
        )
        (request,) = one.asked
        assert (request.method, request.path) == ("GET", "/Löhne/x")
        assert request.query == {"a": "1", "b": " ", "c": ""}
        assert request.cookies == {"a": "1", "b": "2"}
        assert request.content_type == "application/json"
        assert (request.headers["Host"], request.headers["Sec-Fetch-Site"]) == ("x", "none")
        assert request.headers["X"] == "1, \udcff"


@pytest.mark.asyncio
async def test_a_body_may_come_in_pieces_and_after_a_word() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with served(echo) as one:
        reader, writer = await one.connect(head)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        writer.write_eof()
        assert (await reader.read()).endswith(b"/|abcde|")
        writer.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [BODY_MAX + 1, 4_000_000])
async def test_a_body_that_is_too_large_is_not_taken_and_its_sender_hears_of_it(size: int) -> None:
    async with served(guarded) as one:
        answer = await one.exchange(POST % size + bytes(size))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert answer.endswith(b"too large")


@pytest.mark.asyncio
async def test_a_body_that_nobody_wanted_is_in_nobodys_way() -> None:
    async with served(unread) as one:
        answer = await one.exchange(POST % 3 + b"abc" + GET % b"next")
        assert answer.count(b"HTTP/1.1 403 ") == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nMore: " + b"x" * 100_000, b"431"),
    ],
)
async def test_what_is_no_http_is_refused(sent: bytes, status: bytes) -> None:
    async with served(echo) as one:
        assert (await one.exchange(sent)).startswith(b"HTTP/1.1 " + status)
        assert one.asked == []
        assert one.failures == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "sent", [POST % 5 + b"abc", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
)
async def test_a_request_that_is_broken_off_gets_no_answer(sent: bytes) -> None:
    seen = []

    async def told(request: Request) -> Response:
        try:
            return await echo(request)
        except Gone:
            seen.append("gone")
            raise

    async with served(told) as one:
        assert await one.exchange(sent) == b""
        assert seen == ["gone"]
        assert one.failures == []


@pytest.mark.asyncio
async def test_only_the_head_is_sent_where_only_it_is_asked_for() -> None:
    async with served(echo) as one:
        answer = await one.exchange(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"Content-Length: 4\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.asyncio
async def test_an_answer_can_go_on_until_whoever_asked_leaves() -> None:
    ended = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"more "
            await asyncio.sleep(0)

    async def streaming(request: Request) -> Response:
        return Response(200, stream=pieces(), ended=ended.set)

    async with served(streaming) as one:
        reader, writer = await one.connect(GET % b"")
        await reader.readuntil(b"more ")
        assert not ended.is_set()
        writer.close()
        async with asyncio.timeout(ENOUGH_S):
            await ended.wait()
        assert one.failures == []


@pytest.mark.asyncio
async def test_a_handler_sees_that_nobody_waits_any_more() -> None:
    async def patient(request: Request) -> Response:
        await until(request.is_left, "whoever asked is gone")
        return Response(200)

    async with served(patient) as one:
        _, writer = await one.connect(GET % b"")
        await until(lambda: one.asked)
        assert not one.asked[0].is_left()
        writer.close()
        await until(lambda: not one.listener._tasks, "the connection is over")


@pytest.mark.asyncio
async def test_a_handlers_error_is_told_and_ends_its_connection_alone() -> None:
    async def failing(request: Request) -> Response:
        if request.path == "/bad":
            raise ValueError("a bug")
        return await echo(request)

    async with served(failing) as one:
        assert await one.exchange(GET % b"bad", leaves=False) == b""
        assert b"/good||" in await one.exchange(GET % b"good")
        assert [(name, type(error)) for name, error in one.failures] == [("connection", ValueError)]


@pytest.mark.asyncio
@pytest.mark.parametrize("sent", [b"", b"GET / HT", POST % 5 + b"abc"])
async def test_who_says_nothing_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.api.http.SILENCE_S", 0.05)
    async with served(echo) as one:
        assert await one.exchange(sent, leaves=False) == b""
        assert one.failures == []


@pytest.mark.asyncio
async def test_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.api.http.CONNECTIONS_MAX", 1)
    async with served(echo) as one:
        reader, writer = await one.connect(GET % b"first")
        await reader.readuntil(b"/first||")
        with suppress(OSError):
            assert await one.exchange(GET % b"second") == b""
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await until(lambda: not one.listener._tasks, "there is room again")
        assert b"/third||" in await one.exchange(GET % b"third")


@pytest.mark.asyncio
async def test_the_end_waits_a_while_for_answers_and_for_nothing_else() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await may_end.wait()
        return Response(200, b"done")

    async with served(slow) as one, asyncio.timeout(ENOUGH_S):
        idle, idle_writer = await one.connect()
        reader, writer = await one.connect(GET % b"")
        await begun.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(one.listener.stop(ENOUGH_S * 10))
            await asyncio.sleep(0)
            may_end.set()
        answer = await reader.read()
        assert answer.endswith(b"done")
        assert b"Connection: close" in answer
        assert await idle.read() == b""
        idle_writer.close()
        writer.close()


def test_routes_are_found_by_method_and_path() -> None:
    routes = Routes()
    routes.add(("GET", "HEAD"), "/a", echo)
    routes.add(("POST",), "/a", unread)
    routes.add(("GET",), "/login/*", guarded)
    assert routes.handler("GET", "/a") is routes.handler("HEAD", "/a") is echo
    assert routes.handler("POST", "/a") is unread
    assert routes.handler("GET", "/login/x") is guarded
    assert routes.handler("GET", "/login/x/y") is None
    assert list(routes.methods("/a")) == ["GET", "HEAD", "POST"]
    assert not routes.methods("/b")

"""HTTP/1.1 for browsers and programs of this PC: connections on one side, a handler on the other, `h11` in between.

A web framework does the same, but comes with its client: 10 MiB and 0.1 s in a daemon that is seldom asked anything.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import field
from urllib.parse import parse_qsl, unquote

import h11

from p2psync.core.value import value
from p2psync.system.tasks import Crew

HEAD_BYTES_MAX = 16 * 1024
"""Of a request: its first line and its headers."""
READ_BYTES = 64 * 1024
CONNECTIONS_MAX = 256
"""At a time; further ones are closed."""
SILENCE_S = 75.0
"""How long a connection stays where a request, or the rest of one, is to come."""
LINGER_S = 10.0
"""How long the other side has to read the last answer. What it still sends is thrown away: left unread, it would have
the system throw the answer away."""


class Gone(ConnectionError):
    """The other side broke a request off, or what it sent is no HTTP."""


class TooLarge(Exception):
    """The body of a request is longer than it may be."""


@value
class Request:
    """The head of a request, and how to get at the rest."""

    method: str
    path: str
    """Decoded; without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names as "Content-Type"; what stands in several ones of a name is joined by commas, bytes that are no text as
    surrogates."""
    body: Callable[[], Awaitable[bytes]] = field(repr=False)
    """Raises TooLarge or Gone."""
    is_left: Callable[[], bool] = field(repr=False)
    """Whether nobody waits for the answer any more."""

    @property
    def cookies(self) -> Mapping[str, str]:
        pairs = (one.partition("=") for one in self.headers.get("Cookie", "").split(";"))
        return {name.strip(): text.strip() for name, _, text in pairs}

    @property
    def content_type(self) -> str:
        """Without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


@value
class Response:
    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncGenerator[bytes, None] | None = None
    """What comes after the body, piece by piece, for as long as it goes on."""
    ended: Callable[[], object] = lambda: None
    """Called when all was sent, or will never be."""


Handler = Callable[[Request], Awaitable[Response]]


class Routes:
    """Which handler a request is for."""

    def __init__(self) -> None:
        self._handlers: dict[str, dict[str, Handler]] = {}

    def add(self, methods: Iterable[str], path: str, handler: Handler) -> None:
        """A path that ends in "/*" stands for all that differ in their last part, and have no route of their own."""
        self._handlers.setdefault(path, {}).update(dict.fromkeys(methods, handler))

    def handler(self, method: str, path: str) -> Handler | None:
        return self._at(path).get(method)

    def methods(self, path: str) -> Iterable[str]:
        """Those that the path has a handler for."""
        return self._at(path).keys()

    def _at(self, path: str) -> Mapping[str, Handler]:
        return self._handlers.get(path) or self._handlers.get(f"{path.rpartition('/')[0]}/*", {})


class Listener:
    """Answers what comes to one socket; `start` and `stop` once each."""

    def __init__(self, handler: Handler, body_bytes_max: int, on_failure: Callable[[str, Exception], None]) -> None:
        """`on_failure` hears of errors that the handler let out."""
        self._handler = handler
        self._body_bytes_max = body_bytes_max
        self._crew = Crew(on_failure)
        self._tasks: dict[Connection, asyncio.Task[None]] = {}

    async def start(self, listening: socket.socket) -> None:
        await self._crew.open()
        self._server = await asyncio.start_server(self._connected, sock=listening)

    async def stop(self, within_s: float) -> None:
        """Take no more, and give answers that are under way so much time."""
        self._server.close()
        if busy := [task for connection, task in self._tasks.items() if connection.end()]:
            await asyncio.wait(busy, timeout=within_s)
        await self._crew.close()
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        connection = Connection(reader, writer, self._handler, self._body_bytes_max)
        task = self._tasks[connection] = self._crew.start(connection.serve(), "connection")
        task.add_done_callback(lambda _: self._over(connection, writer))

    def _over(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        del self._tasks[connection]
        writer.transport.abort()


class Connection:
    """Requests of one client, one after the other."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, body_bytes_max: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._body_bytes_max = body_bytes_max
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._answers = False
        self._ends = False

    def end(self) -> bool:
        """Take no further request; returns whether one is being answered."""
        self._ends = True
        return self._answers

    async def serve(self) -> None:
        """Until one side has enough."""
        with suppress(ConnectionError, TimeoutError):
            while not self._ends and (head := await self._head()) is not None:
                self._answers = True
                await self._answer(await self._handler(self._request(head)), head.method == b"HEAD")
                self._answers = False
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
            if not self._ends:
                await self._linger()
            self._writer.close()
            await self._writer.wait_closed()

    async def _head(self) -> h11.Request | None:
        """The next request; None if there is none. Raises TimeoutError."""
        try:
            async with asyncio.timeout(SILENCE_S):
                event = await self._next()
        except h11.RemoteProtocolError as error:
            await self._answer(Response(error.error_status_hint), is_head=False)
            return None
        return event if isinstance(event, h11.Request) else None

    async def _body(self) -> bytes:
        if self._http.their_state is not h11.SEND_BODY:
            return b""
        body = bytearray()
        try:
            async with asyncio.timeout(SILENCE_S):
                while isinstance(event := await self._next(), h11.Data):
                    body += event.data
                    if len(body) > self._body_bytes_max:
                        raise TooLarge
        except (h11.RemoteProtocolError, TimeoutError) as error:
            raise Gone(*error.args) from error
        return bytes(body)

    async def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What comes next. Raises RemoteProtocolError if it is no HTTP."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(READ_BYTES))
        return event

    def _request(self, head: h11.Request) -> Request:
        path, _, query = head.target.decode("ascii").partition("?")
        headers: dict[str, str] = {}
        for raw_name, raw in head.headers:
            name = "-".join(map(str.capitalize, raw_name.decode("ascii").split("-")))
            text = raw.decode("utf-8", "surrogateescape")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        pairs = dict(parse_qsl(query, keep_blank_values=True))
        return Request(head.method.decode("ascii"), unquote(path), pairs, headers, self._body, self._is_left)

    def _is_left(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def _answer(self, response: Response, is_head: bool) -> None:
        try:
            self._skip_body()
            headers = {"Content-Type": response.content_type, **response.headers}
            if response.stream is None:
                headers["Content-Length"] = str(len(response.body))
            if self._ends or self._http.their_state is not h11.DONE:
                headers["Connection"] = "close"
            await self._send(h11.Response(status_code=response.status, headers=list(headers.items())))
            if response.body and not is_head:
                await self._send(h11.Data(data=response.body))
            if response.stream is not None:
                async with aclosing(response.stream) as pieces:
                    async for piece in pieces:
                        await self._send(h11.Data(data=piece))
            await self._send(h11.EndOfMessage())
        finally:
            response.ended()

    def _skip_body(self) -> None:
        """As much as is here of one that the handler did not want."""
        with suppress(h11.RemoteProtocolError):
            while self._http.their_state is h11.SEND_BODY and self._http.next_event() is not h11.NEED_DATA:
                pass

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()

    async def _linger(self) -> None:
        async with asyncio.timeout(LINGER_S):
            with suppress(OSError):  # it is cut off already
                self._writer.write_eof()
            while await self._reader.read(READ_BYTES):
                pass

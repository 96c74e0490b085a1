"""TCP hole punching: both sides connect to each other at the same time, from ports on which they listen too.

The first packet of each opens its own router for the other's. It works through routers that keep an inner port on the
same outer port whomever it talks to, which the meeting host tells; where both are symmetric, or one is and the other
lets in only whom it talked to, it ends after PUNCH_S.

The letters are begin, ready (which tells how far the other side is), here (where I may be found), go. Each connection
begins with the other side's token, since an inner address may be that of another machine here; the side that began
chooses one, and the others are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from enum import IntEnum
from typing import Final

import msgpack

from p2psync.core.value import value
from p2psync.core.ways import PUNCHED
from p2psync.errors import CodecError, LinkError
from p2psync.i18n import _
from p2psync.net.addresses import is_loopback, own_addresses
from p2psync.net.way import MakeProtocol, Signals
from p2psync.system.sockets import shared_socket
from p2psync.wire.shapes import Many, OneOf, Raw, Row, Shape, Text, Whole, unpack_array

LETTER: Final = "punch"
HEAD_START_S: Final = 0.1
PUNCH_S: Final = 4.0
"""From the agreed start on."""
TRY_S: Final = 0.7
"""One attempt to connect; a packet that was lost, or came too early, is not waited for any longer."""
PAUSE_S: Final = 0.05
"""Before the next one, where somebody refuses at once."""
HALF_WAY_MAX_S: Final = 0.5
CANDIDATES_MAX: Final = 4
TOKEN_BYTES: Final = 16
CHOSEN: Final = b"!"
HOST_CHARACTERS_MAX: Final = 64
BACKLOG: Final = 8


class Said(IntEnum):
    """What a letter says; part of the protocol."""

    BEGIN = 1
    READY = 2
    HERE = 3
    GO = 4


Candidate = tuple[str, int]
"""IPv4 address and port."""
Settle = Callable[[socket.socket], Awaitable[None]]
"""Agrees with the other side on a connection, or raises OSError."""


@value
class Letter:
    said: Said
    token: bytes = b""
    """With HERE: by which the sender knows connections that are meant for it."""
    candidates: tuple[Candidate, ...] = ()
    """With HERE: where it may be found, the most promising first."""


_SHAPES: Final[tuple[Shape, ...]] = (
    OneOf(Said),
    Raw(0, TOKEN_BYTES),
    Many(Row((Text(HOST_CHARACTERS_MAX), Whole(1, 0xFFFF))), CANDIDATES_MAX),
)


def pack(letter: Letter) -> bytes:
    fields = (letter.said, letter.token, letter.candidates)
    packed: bytes = msgpack.packb([shape.pack(value) for shape, value in zip(_SHAPES, fields, strict=True)])
    return packed


def unpack(body: bytes) -> Letter:
    """Raises CodecError."""
    try:
        values = unpack_array(
            body, text_bytes_max=4 * HOST_CHARACTERS_MAX, bytes_max=TOKEN_BYTES, items_max=CANDIDATES_MAX
        )
        if len(values) < len(_SHAPES):
            raise ValueError("lacks fields")
        said, token, candidates = (shape.unpack(value) for shape, value in zip(_SHAPES, values, strict=False))
        if any(not _is_ipv4(host) for host, _port in candidates):
            raise ValueError("names no address")
    except ValueError as error:
        raise CodecError(f"a letter about punching that {error}") from None
    return Letter(said, token, candidates)


class Punch:
    """The way; see `net.way`."""

    name: Final = PUNCHED
    letters: Final = frozenset({LETTER})
    head_start_s: Final = HEAD_START_S

    def __init__(self, own: Callable[[], Iterable[str]] | None = None) -> None:
        """`own` tells this machine's own IP addresses."""
        self._own = own or (lambda: sorted(one.ip for one in own_addresses()))

    async def connect(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        async with _listening() as listener:
            signals.send(LETTER, pack(Letter(Said.BEGIN)))
            began = _now_s()
            await _hear(signals, Said.READY)
            half_way_s = min(HALF_WAY_MAX_S, (_now_s() - began) / 2)
            hole = await self._exchange(signals, listener)
            signals.send(LETTER, pack(Letter(Said.GO)))
            await asyncio.sleep(half_way_s)
            return await _transport(await hole.punch(_Choice()), make)

    async def answer(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        async with _listening() as listener:
            await _hear(signals, Said.BEGIN)
            signals.send(LETTER, pack(Letter(Said.READY)))
            hole = await self._exchange(signals, listener)
            await _hear(signals, Said.GO)
            return await _transport(await hole.punch(_be_chosen), make)

    async def _exchange(self, signals: Signals, listener: socket.socket) -> _Hole:
        """Tell each other where both may be found."""
        port = listener.getsockname()[1]
        seen = await signals.seen_from(port)
        token, own = secrets.token_bytes(TOKEN_BYTES), self._candidates(seen, port)
        signals.send(LETTER, pack(Letter(Said.HERE, token, own)))
        if not own:
            raise LinkError(_("This device has no IPv4 address: no hole can be made for it."))
        theirs = await _hear(signals, Said.HERE)
        if len(theirs.token) != TOKEN_BYTES or not theirs.candidates:
            raise LinkError(_("The other device does not say where it may be found."))
        return _Hole(listener, token, theirs)

    def _candidates(self, seen: Candidate, port: int) -> tuple[Candidate, ...]:
        inner = [(ip, port) for ip in self._own() if _is_ipv4(ip) and (not is_loopback(ip) or is_loopback(seen[0]))]
        found = dict.fromkeys(one for one in (seen, *inner) if _is_ipv4(one[0]))
        return tuple(found)[:CANDIDATES_MAX]


@value
class _Hole:
    listener: socket.socket
    token: bytes
    theirs: Letter

    async def punch(self, settle: Settle) -> socket.socket:
        """The first connection on which both know each other and `settle` agrees. Raises LinkError."""
        found: asyncio.Queue[socket.socket] = asyncio.Queue()
        port = self.listener.getsockname()[1]
        works = [self._accept(found, settle)]
        works += [self._connect(port, candidate, found, settle) for candidate in self.theirs.candidates]
        with contextlib.ExitStack() as unless_chosen:
            try:
                async with asyncio.timeout(PUNCH_S), asyncio.TaskGroup() as group:
                    tasks = [group.create_task(work) for work in works]
                    sock = unless_chosen.enter_context(await found.get())
                    for task in tasks:
                        task.cancel()
            except TimeoutError:
                raise LinkError(_("The routers let no connection through.")) from None
            finally:
                while not found.empty():
                    found.get_nowait().close()
            unless_chosen.pop_all()
        return sock

    async def _connect(self, port: int, to: Candidate, found: asyncio.Queue[socket.socket], settle: Settle) -> None:
        while True:
            with contextlib.suppress(OSError), contextlib.ExitStack() as unless_found:
                sock = unless_found.enter_context(shared_socket(socket.AF_INET, port))
                async with asyncio.timeout(TRY_S):
                    await asyncio.get_running_loop().sock_connect(sock, to)
                await self._meet(sock, settle)
                unless_found.pop_all()
                found.put_nowait(sock)
                return
            await asyncio.sleep(PAUSE_S)

    async def _accept(self, found: asyncio.Queue[socket.socket], settle: Settle) -> None:
        """One after the other: what is not meant for us ends at once, or gets a moment."""
        while True:
            sock, _address = await asyncio.get_running_loop().sock_accept(self.listener)
            with contextlib.suppress(OSError), contextlib.ExitStack() as unless_found:
                unless_found.enter_context(sock)
                sock.setblocking(False)
                async with asyncio.timeout(TRY_S):
                    await self._meet(sock, settle)
                unless_found.pop_all()
                found.put_nowait(sock)
                return

    async def _meet(self, sock: socket.socket, settle: Settle) -> None:
        """Raises OSError if this is somebody else, or the other side chose another connection."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, self.theirs.token)
        if not hmac.compare_digest(await _receive(sock, TOKEN_BYTES), self.token):
            raise ConnectionError("somebody else")
        await settle(sock)


class _Choice:
    """The side that began takes the first connection, and no other."""

    def __init__(self) -> None:
        self._made = False

    async def __call__(self, sock: socket.socket) -> None:
        if self._made:
            raise ConnectionError("another connection was chosen")
        self._made = True
        await asyncio.get_running_loop().sock_sendall(sock, CHOSEN)


async def _be_chosen(sock: socket.socket) -> None:
    if await _receive(sock, len(CHOSEN)) != CHOSEN:
        raise ConnectionError("another connection was chosen")


async def _receive(sock: socket.socket, size: int) -> bytes:
    """Exactly so much: what follows is the other side's TLS. Raises OSError."""
    received = b""
    while len(received) < size:
        more = await asyncio.get_running_loop().sock_recv(sock, size - len(received))
        if not more:
            raise ConnectionError("the other side hung up")
        received += more
    return received


async def _hear(signals: Signals, expected: Said) -> Letter:
    """Raises LinkError for any other letter."""
    _kind, body = await signals.receive()
    try:
        letter = unpack(body)
    except CodecError as error:
        raise LinkError(_("The other device speaks another version of p2psync.")) from error
    if letter.said is not expected:
        raise LinkError(_("The other device speaks another version of p2psync."))
    return letter


@contextlib.asynccontextmanager
async def _listening() -> AsyncIterator[socket.socket]:
    """A port of one's own for one attempt."""
    with shared_socket(socket.AF_INET, 0) as listener:
        listener.listen(BACKLOG)
        yield listener


async def _transport(sock: socket.socket, make: MakeProtocol) -> asyncio.Transport:
    try:
        transport, _protocol = await asyncio.get_running_loop().create_connection(make, sock=sock)
    except BaseException:
        sock.close()
        raise
    return transport


def _is_ipv4(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True


def _now_s() -> float:
    return asyncio.get_running_loop().time()

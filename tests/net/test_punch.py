"""Both sides connect at once: they meet where routers let them, and give up soon where these do not."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import select
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.errors import CodecError, LinkClosed, LinkError
from p2psync.net import punch
from p2psync.net.punch import CANDIDATES_MAX, LETTER, Letter, Punch, Said, pack, unpack
from p2psync.net.way import Way
from p2psync.system.sockets import shared_socket
from tests.lab import Lab, Site, requires_lab, wan

HELLO = b"hello from the other side"
SEEN_PORT = 4433


class Talk:
    """One end of signals between two event loops; `srv` tells who one is."""

    device = DeviceId(b"d" * 32)
    host = ("127.0.0.1", 443)

    def __init__(self, inbox: queue.Queue[bytes], outbox: queue.Queue[bytes], srv: str | None = None) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._srv = srv
        self.said: list[bytes] = []
        self.instead: Callable[[bytes], bytes] = lambda body: body

    def send(self, kind: str, body: bytes) -> None:
        assert kind == LETTER
        self.said.append(body)
        self._outbox.put(self.instead(body))

    async def receive(self) -> tuple[str, bytes]:
        while self._inbox.empty():
            await asyncio.sleep(0.005)
        body = self._inbox.get()
        if not body:
            raise LinkClosed("gone")
        return LETTER, body

    async def seen_from(self, local_port: int) -> tuple[str, int]:
        if self._srv is None:
            return "127.0.0.1", local_port
        loop = asyncio.get_running_loop()
        with shared_socket(socket.AF_INET, local_port) as sock:
            await loop.sock_connect(sock, (self._srv, SEEN_PORT))
            host, _, port = (await loop.sock_recv(sock, 100)).decode().partition(" ")
        return host, int(port)


def talk(srv: str | None = None) -> tuple[Talk, Talk]:
    one, other = queue.Queue[bytes](), queue.Queue[bytes]()
    return Talk(one, other, srv), Talk(other, one, srv)


class Greeter(asyncio.Protocol):
    """Says HELLO and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(HELLO)

    def data_received(self, data: bytes) -> None:
        if not self.heard.done():
            self.heard.set_result(data)


async def side(way: Punch, signals: Talk, begins: bool) -> bytes:
    """What one side hears first on the connection."""
    made: list[Greeter] = []

    def make() -> Greeter:
        made.append(Greeter())
        return made[0]

    transport = await (way.connect if begins else way.answer)(signals, make)
    try:
        return await made[0].heard
    finally:
        transport.close()


def here() -> list[str]:
    return ["127.0.0.1"]


# -- on this machine ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_two_sides_meet() -> None:
    one, other = talk()
    way: Way = Punch(here)
    assert way.letters == {LETTER}
    heard = await asyncio.gather(side(Punch(here), one, True), side(Punch(here), other, False))
    assert list(heard) == [HELLO, HELLO]


@pytest.mark.asyncio
async def test_who_does_not_know_the_token_is_not_taken_for_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(punch, "PUNCH_S", 0.5)
    one, other = talk()

    def with_another_token(body: bytes) -> bytes:
        letter = unpack(body)
        return pack(Letter(letter.said, bytes(16), letter.candidates)) if letter.said is Said.HERE else body

    one.instead = with_another_token
    ends = await asyncio.gather(side(Punch(here), one, True), side(Punch(here), other, False), return_exceptions=True)
    assert all(isinstance(end, LinkError) for end in ends)


@pytest.mark.asyncio
@pytest.mark.parametrize("without", [0, 1])
async def test_without_ipv4_both_sides_say_so_at_once(monkeypatch: pytest.MonkeyPatch, without: int) -> None:
    """The side that has it is told, and does not go on alone."""
    signals = talk()

    async def seen_as_ipv6(_local_port: int) -> tuple[str, int]:
        return "2001:db8::1", 4000

    monkeypatch.setattr(signals[without], "seen_from", seen_as_ipv6)
    ways = [Punch(here), Punch(here)]
    ways[without] = Punch(lambda: ["2001:db8::1"])
    begun, answered = side(ways[0], signals[0], True), side(ways[1], signals[1], False)
    ends = await asyncio.gather(begun, answered, return_exceptions=True)
    expected = ["does not say where it may be found", "does not say where it may be found"]
    expected[without] = "no IPv4 address"
    for end, words in zip(ends, expected, strict=True):
        assert isinstance(end, LinkError)
        assert words in str(end)


@pytest.mark.asyncio
async def test_nobody_there_ends_soon_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(punch, "PUNCH_S", 0.3)
    one, other = talk()
    for said in (Said.READY, Said.GO):
        other.send(LETTER, pack(Letter(said)))
        if said is Said.READY:
            other.send(LETTER, pack(Letter(Said.HERE, bytes(16), (("127.0.0.1", 1),))))
    with pytest.raises(LinkError, match="let no connection through"):
        await side(Punch(here), one, True)
    port = unpack(one.said[1]).candidates[0][1]
    with socket.socket() as free:
        free.bind(("", port))


@pytest.mark.asyncio
async def test_who_breaks_off_leaves_nothing() -> None:
    one, _ = talk()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await side(Punch(here), one, True)
    assert [unpack(body).said for body in one.said] == [Said.BEGIN]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body", [b"", b"\xc1", pack(Letter(Said.GO)), pack(Letter(Said.READY))[:-1] + b"\xa1x"], ids=lambda body: repr(body)
)
async def test_other_letters_end_it(body: bytes) -> None:
    one, other = talk()
    other.send(LETTER, body)
    with pytest.raises(LinkError):
        await side(Punch(here), one, True)


@pytest.mark.asyncio
async def test_a_device_that_is_nowhere_cannot_be_met() -> None:
    one, other = talk()
    other.send(LETTER, pack(Letter(Said.READY)))
    other.send(LETTER, pack(Letter(Said.HERE, bytes(16), ())))
    with pytest.raises(LinkError, match="where it may be found"):
        await side(Punch(here), one, True)


def test_addresses_of_this_machine_alone_are_not_told() -> None:
    told = Punch(lambda: ["127.0.0.1", "fd00::1", "10.0.0.7"])._candidates(("45.1.2.3", 7000), 5000)
    assert told == (("45.1.2.3", 7000), ("10.0.0.7", 5000))
    many = Punch(lambda: [f"10.0.0.{n}" for n in range(9)])._candidates(("45.1.2.3", 7000), 5000)
    assert len(many) == CANDIDATES_MAX


# -- letters ----------------------------------------------------------------------------------------------------------

candidates = st.tuples(st.ip_addresses(v=4).map(str), st.integers(1, 65_535))


@given(st.builds(Letter, st.sampled_from(Said), st.binary(max_size=16), st.lists(candidates, max_size=4).map(tuple)))
def test_a_letter_comes_back(letter: Letter) -> None:
    assert unpack(pack(letter)) == letter


@given(st.binary(max_size=100))
def test_noise_is_no_letter(body: bytes) -> None:
    with contextlib.suppress(CodecError):
        unpack(body)


def test_a_name_is_no_candidate() -> None:
    with pytest.raises(CodecError):
        unpack(pack(Letter(Said.HERE, bytes(16), (("example.org", 5),))))


# -- through routers --------------------------------------------------------------------------------------------------

KINDS = ("none", "full-cone", "port-restricted", "symmetric")
THROUGH = {
    *(("none", kind) for kind in KINDS),
    *(("full-cone", kind) for kind in KINDS),
    ("port-restricted", "port-restricted"),
}


@pytest.fixture(scope="module")
def internet() -> Iterator[Lab]:
    """Two sites of each kind, and a public host that tells who one is."""
    sites = [Site(kind, (f"{kind[:4]}{n}",)) for kind in KINDS for n in (1, 2)]
    with wan(sites, delay="5ms") as lab, lab.inside("srv"), socket.create_server((lab.ip("srv"), SEEN_PORT)) as srv:
        ending = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_tell_who, srv, ending)
            try:
                yield lab
            finally:
                ending.set()


def _tell_who(srv: socket.socket, ending: threading.Event) -> None:
    while not ending.is_set():
        if select.select([srv], [], [], 0.1)[0]:
            sock, (host, port) = srv.accept()
            with sock:
                sock.sendall(f"{host} {port}".encode())


@requires_lab
@pytest.mark.parametrize(
    ("one", "other"), [(one, other) for n, one in enumerate(KINDS) for other in KINDS[n:]], ids=lambda kind: str(kind)
)
def test_through_routers(internet: Lab, one: str, other: str) -> None:
    signals = talk(internet.ip("srv"))

    def run(host: str, talking: Talk, begins: bool) -> bytes | Exception:
        with internet.inside(host):
            try:
                return asyncio.run(side(Punch(), talking, begins))
            except LinkError as error:
                return error

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(run, f"{one[:4]}1", signals[0], True)
        second = threads.submit(run, f"{other[:4]}2", signals[1], False)
        ends = [first.result(30), second.result(30)]
    if (one, other) in THROUGH:
        assert ends == [HELLO, HELLO]
    else:
        assert all(isinstance(end, LinkError) for end in ends)

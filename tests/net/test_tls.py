"""Members reach each other over TCP; strangers, former members and wrong tickets get nothing and cost nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from p2psync.errors import ConfigError, LinkClosed, LinkError, PeerRefused
from p2psync.net.identity import IDENTITY_FILE, Identity
from p2psync.net.link import UNKNOWN_DEVICE, Link
from p2psync.net.tls import (
    LINKS_PER_DEVICE_MAX,
    STRANGERS_MAX,
    STRANGERS_PER_NETWORK_MAX,
    Listener,
    dial,
    dial_pairing,
)
from p2psync.net.trust import Trust, TrustTable, nonce_tag, pairing_client_context, period_tag, server_name
from tests.lab import lan, requires_lab
from tests.net.devices import MANDATE, SECRET, TICKET, TICKET_SECRET, device, trust

NONCE = b"n" * 16
UNRECOGNIZED_NAME = bytes.fromhex("15030300020270")
"""The TLS alert, as a record."""


class Node:
    """A device that listens, and what came in."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.table = TrustTable(identity)
        self.links: asyncio.Queue[Link] = asyncio.Queue()
        self.pairings: asyncio.Queue[tuple[Link, bytes]] = asyncio.Queue()
        self.listener = Listener(
            self.table, self.links.put_nowait, lambda link, key: self.pairings.put_nowait((link, key))
        )

    async def dial(self, other: Node, known: Trust, host: str = "127.0.0.1", tag: bytes | None = None) -> Link:
        tag = period_tag(SECRET, time.time()) if tag is None else tag
        return await dial(host, other.listener.port, tag, known, self.identity)


@pytest_asyncio.fixture
async def alice(tmp_path: Path) -> AsyncIterator[Node]:
    """Listens for the members of a mandate that has only her yet."""
    node = Node(device(tmp_path, "alice"))
    node.table.update({MANDATE: trust(node.identity)})
    node.table.set_nonces((NONCE,))
    await node.listener.start("localhost")
    yield node
    await node.listener.close()


@pytest.fixture
def bob(tmp_path: Path) -> Node:
    return Node(device(tmp_path, "bob"))


def admit(node: Node, *others: Node) -> Trust:
    known = trust(node.identity, *(other.identity for other in others))
    node.table.update({MANDATE: known})
    return known


async def refused(link: Link) -> PeerRefused:
    """The other side lets no frame come; it may even close before ours is sent."""
    with contextlib.suppress(LinkClosed):
        await link.send(b"hello?")
    with pytest.raises(PeerRefused) as caught:
        await link.receive()
    await link.close()
    return caught.value


# -- members --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("by", [lambda: period_tag(SECRET, time.time()), lambda: nonce_tag(SECRET, NONCE)])
async def test_two_members_meet(alice: Node, bob: Node, by: Callable[[], bytes]) -> None:
    known = admit(alice, bob)
    out = await bob.dial(alice, known, tag=by())
    into = await alice.links.get()
    assert (out.remote, into.remote) == (alice.identity.device, bob.identity.device)
    assert (out.initiator, into.initiator) == (True, False)
    assert (out.way, into.way) == ("lan", "lan")
    assert out.address == f"127.0.0.1:{alice.listener.port}"
    await out.send(b"hello")
    await into.send(b"hello too")
    assert (await into.receive(), await out.receive()) == (b"hello", b"hello too")
    await out.close()
    with pytest.raises(LinkClosed):
        await into.receive()
    await into.close()


@requires_lab
@pytest.mark.asyncio
async def test_all_addresses_have_the_same_port(tmp_path: Path, bob: Node) -> None:
    alice = Node(device(tmp_path, "alice"))
    known = admit(alice, bob)
    with lan(2) as lab:
        with lab.inside("a"):
            await alice.listener.start()
        for host in (lab.ip("a"), lab.ip6("a"), f"{lab.link_local('a')}%eth0"):
            with lab.inside("b"):
                out = await bob.dial(alice, known, host)
            into = await alice.links.get()
            assert (out.way, into.way) == ("lan", "lan")
            assert out.address.endswith(f":{alice.listener.port}")
            await out.close()
            await into.close()
        await alice.listener.close()


@pytest.mark.asyncio
async def test_a_gigantic_exchange_in_both_directions_at_once(alice: Node, bob: Node) -> None:
    out = await bob.dial(alice, admit(alice, bob))
    into = await alice.links.get()
    bulk = bytes(range(256)) * 1024

    async def pour(link: Link) -> None:
        for number in range(60):
            await link.send(bulk, bulk=True)
            await link.send(b"%d" % number)

    async def take(link: Link) -> None:
        frames = [await link.receive() for _ in range(120)]
        assert [frame for frame in frames if frame != bulk] == [b"%d" % number for number in range(60)]

    async with asyncio.TaskGroup() as group:
        for job in (pour(out), pour(into), take(out), take(into)):
            group.create_task(job)
    await out.close()
    await into.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("frames", [1, 20, 200])
async def test_what_was_sent_before_a_close_arrives(alice: Node, bob: Node, frames: int) -> None:
    out = await bob.dial(alice, admit(alice, bob))
    into = await alice.links.get()
    received = 0

    async def take() -> None:
        nonlocal received
        with contextlib.suppress(LinkClosed):
            while True:
                received += len(await into.receive())

    async with asyncio.TaskGroup() as group:
        group.create_task(take())
        for _ in range(frames):
            await out.send(bytes(250_000), bulk=True)
        await out.close()
    assert received == frames * 250_000
    await into.close()


@pytest.mark.asyncio
async def test_a_former_member_is_refused_and_told(alice: Node, bob: Node) -> None:
    known = admit(alice, bob)
    admit(alice)
    await refused(await bob.dial(alice, known))
    assert alice.links.empty()


@pytest.mark.asyncio
async def test_a_link_outlives_a_change_of_members_but_no_new_one_begins(alice: Node, bob: Node) -> None:
    """What an open link may still do is for the session to say: it serves other mandates too."""
    known = admit(alice, bob)
    out = await bob.dial(alice, known)
    into = await alice.links.get()
    admit(alice)
    await out.send(b"still there?")
    assert await into.receive() == b"still there?"
    await refused(await bob.dial(alice, known))
    await out.close()
    await into.close()


@pytest.mark.asyncio
async def test_a_listener_that_is_no_member_is_left(alice: Node, bob: Node, tmp_path: Path) -> None:
    admit(alice, bob)
    with pytest.raises(PeerRefused, match="not a member"):
        await bob.dial(alice, trust(bob.identity, device(tmp_path, "carol")))


@pytest.mark.asyncio
async def test_nobody_links_to_himself(alice: Node) -> None:
    with pytest.raises(PeerRefused):
        await alice.dial(alice, admit(alice))


@pytest.mark.asyncio
async def test_a_member_has_so_many_links_and_no_more(alice: Node, bob: Node) -> None:
    known = admit(alice, bob)
    links = [await bob.dial(alice, known) for _ in range(LINKS_PER_DEVICE_MAX)]
    accepted = [await alice.links.get() for _ in links]
    await refused(await bob.dial(alice, known))
    for link in (links.pop(), accepted.pop()):
        await link.close()
    links.append(await bob.dial(alice, known))
    accepted.append(await alice.links.get())
    for link in (*links, *accepted):
        await link.close()


# -- strangers ------------------------------------------------------------------------------------------------------


def hello(name: str | None) -> bytes:
    """What a TLS client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = pairing_client_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def old_hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name(period_tag(SECRET, time.time())))
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


async def answer_to(node: Node, data: bytes) -> bytes:
    """Everything that the listener says to somebody who says only this."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.listener.port)
    writer.write(data)
    said = b""
    with contextlib.suppress(ConnectionError):
        said = await reader.read(-1)
    writer.close()
    return said


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [None, "localhost", "0" * 32, server_name(period_tag(b"guess", 1.0))])
async def test_a_stranger_sees_an_alert_and_no_certificate(alice: Node, bob: Node, name: str | None) -> None:
    admit(alice, bob)
    assert await answer_to(alice, hello(name)) == UNRECOGNIZED_NAME
    assert alice.links.empty()


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(5000), b"\x16\x03\x01\x00\x05hello"])
async def test_other_protocols_get_an_alert_at_most(alice: Node, data: bytes) -> None:
    said = await answer_to(alice, data)
    assert said == b"" or (said[0], len(said)) == (0x15, 7)


@pytest.mark.asyncio
async def test_older_tls_is_refused(alice: Node) -> None:
    said = await answer_to(alice, old_hello())
    assert (said[0], len(said)) == (0x15, 7)


@pytest.mark.asyncio
async def test_a_dialler_with_a_wrong_tag_is_told(alice: Node, bob: Node) -> None:
    with pytest.raises(PeerRefused, match="does not know this device"):
        await bob.dial(alice, admit(alice, bob), tag=nonce_tag(SECRET, b"another nonce"))


@pytest.mark.asyncio
async def test_a_tag_without_a_certificate_is_not_enough(alice: Node, bob: Node) -> None:
    admit(alice, bob)
    tag = period_tag(SECRET, time.time())
    await refused(await dial_pairing("127.0.0.1", alice.listener.port, tag, alice.identity.device))
    assert alice.links.empty()


@pytest.mark.asyncio
async def test_a_certificate_that_a_member_signed_for_somebody_is_not_enough(
    alice: Node, bob: Node, tmp_path: Path
) -> None:
    known = admit(alice, bob)
    bobs_key = load_pem_private_key((tmp_path / "bob" / IDENTITY_FILE).read_bytes(), None)
    assert isinstance(bobs_key, Ed25519PrivateKey)
    key = Ed25519PrivateKey.generate()
    bobs = x509.load_der_x509_certificate(bob.identity.certificate)
    builder = x509.CertificateBuilder().subject_name(bobs.subject).issuer_name(bobs.subject).serial_number(1)
    builder = builder.not_valid_before(datetime(1970, 1, 1)).not_valid_after(datetime(9999, 1, 1))
    certificate = builder.public_key(key.public_key()).sign(bobs_key, None).public_bytes(Encoding.PEM)
    pem = tmp_path / "forged.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate)

    class Forger(Identity):
        def load_into(self, context: ssl.SSLContext) -> None:
            context.load_cert_chain(pem)

    await refused(await Node(Forger(key, pem)).dial(alice, known))
    assert alice.links.empty()


class Crowd:
    """Connections that say nothing, and which of them the listener closed."""

    def __init__(self, node: Node) -> None:
        self.port = node.listener.port
        self.closed: asyncio.Queue[int] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def stand(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
        self.closed.put_nowait(number)

    @contextlib.asynccontextmanager
    async def of(self, size: int, turned_away: int) -> AsyncIterator[None]:
        """So many come, and so many are turned away; the others stay until the end of the block."""
        async with asyncio.TaskGroup() as group:
            for number in range(size):
                group.create_task(self.stand(number))
            for _ in range(turned_away):
                await self.closed.get()
            yield
            assert self.closed.empty()
            for writer in self.writers:
                writer.close()


async def dial_when_there_is_room(node: Node, other: Node, known: Trust) -> Link:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(LinkError):
                return await node.dial(other, known)


@pytest.mark.asyncio
async def test_strangers_of_one_network_do_not_take_all_places(
    alice: Node, bob: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = admit(alice, bob)
    async with Crowd(alice).of(STRANGERS_PER_NETWORK_MAX + 4, turned_away=4):
        with pytest.raises(LinkError):
            await bob.dial(alice, known)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("p2psync.net.tls.stranger_network", lambda _host: "another network")
            links = [await bob.dial(alice, known), await alice.links.get()]
    links += [await dial_when_there_is_room(bob, alice, known), await alice.links.get()]
    for link in links:
        await link.close()


@pytest.mark.asyncio
async def test_strangers_of_many_networks_are_bounded_too(alice: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = iter(range(10_000))
    monkeypatch.setattr("p2psync.net.tls.stranger_network", lambda _host: str(next(networks)))
    async with Crowd(alice).of(STRANGERS_MAX + 5, turned_away=5):
        pass


@pytest.mark.asyncio
async def test_members_do_not_count_as_strangers(alice: Node, bob: Node) -> None:
    known = admit(alice, bob)
    links = [await bob.dial(alice, known) for _ in range(STRANGERS_PER_NETWORK_MAX)]
    links += [await alice.links.get() for _ in links]
    async with Crowd(alice).of(STRANGERS_PER_NETWORK_MAX + 1, turned_away=1):
        pass
    for link in links:
        await link.close()


# -- pairing --------------------------------------------------------------------------------------------------------


def ticket_tag() -> bytes:
    return period_tag(TICKET_SECRET, time.time())


@pytest.mark.asyncio
@pytest.mark.parametrize("pin", [True, False])
async def test_a_ticket_opens_a_link_to_whoever_issued_it(alice: Node, pin: bool) -> None:
    alice.table.set_pairing({TICKET: TICKET_SECRET})
    pinned = alice.identity.device if pin else None
    out = await dial_pairing("127.0.0.1", alice.listener.port, ticket_tag(), pinned)
    into, key = await alice.pairings.get()
    assert (out.remote, into.remote, key) == (alice.identity.device, UNKNOWN_DEVICE, TICKET)
    await out.send(b"my proof")
    assert await into.receive() == b"my proof"
    await out.close()
    await into.close()
    assert alice.links.empty()


@pytest.mark.asyncio
async def test_another_device_than_the_ticket_says_gets_nothing(alice: Node, bob: Node) -> None:
    alice.table.set_pairing({TICKET: TICKET_SECRET})
    with pytest.raises(PeerRefused, match="not the one that issued the ticket"):
        await dial_pairing("127.0.0.1", alice.listener.port, ticket_tag(), bob.identity.device)


@pytest.mark.asyncio
async def test_a_ticket_that_is_not_known_is_refused(alice: Node) -> None:
    with pytest.raises(PeerRefused):
        await dial_pairing("127.0.0.1", alice.listener.port, ticket_tag(), alice.identity.device)


@pytest.mark.asyncio
async def test_pairing_links_stay_among_the_strangers(alice: Node) -> None:
    alice.table.set_pairing({TICKET: TICKET_SECRET})
    out = await dial_pairing("127.0.0.1", alice.listener.port, ticket_tag(), None)
    into, _ = await alice.pairings.get()
    async with Crowd(alice).of(STRANGERS_PER_NETWORK_MAX, turned_away=1):
        pass
    await out.close()
    await into.close()


# -- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_nobody_there(bob: Node) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(LinkError, match="cannot be reached: Connection refused"):
            await dial("127.0.0.1", bound.getsockname()[1], b"t" * 16, trust(), bob.identity)


@pytest.mark.asyncio
async def test_a_name_that_is_none(bob: Node) -> None:
    with pytest.raises(LinkError, match="cannot be reached"):
        await dial("no such host", 1, b"t" * 16, trust(), bob.identity)


@pytest.mark.asyncio
async def test_somebody_who_takes_the_connection_and_is_silent(bob: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(LinkError, match="did not answer"):
        await dial("127.0.0.1", silent.getsockname()[1], b"t" * 16, trust(), bob.identity, timeout_s=0.1)


@pytest.mark.asyncio
async def test_a_dial_that_is_cancelled_hangs_up(bob: Node) -> None:
    hung_up = asyncio.Event()
    connected = asyncio.Event()

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        with contextlib.suppress(ConnectionError):
            await reader.read(-1)
        writer.close()
        hung_up.set()

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.TaskGroup() as group:
        dialling = group.create_task(dial("127.0.0.1", port, b"t" * 16, trust(), bob.identity))
        await connected.wait()
        dialling.cancel()
    await hung_up.wait()
    server.close()


@pytest.mark.asyncio
async def test_a_port_in_use_is_told(alice: Node, bob: Node) -> None:
    with pytest.raises(ConfigError, match="Cannot listen on"):
        await bob.listener.start("localhost", alice.listener.port)
    with pytest.raises(ConfigError, match="Cannot listen on"):
        await bob.listener.start("192.0.2.77")
    assert bob.listener.port == 0
    await bob.listener.close()


@pytest.mark.asyncio
async def test_a_closed_listener_keeps_its_links_and_drops_strangers(alice: Node, bob: Node) -> None:
    known = admit(alice, bob)
    out = await bob.dial(alice, known)
    into = await alice.links.get()
    reader, writer = await asyncio.open_connection("127.0.0.1", alice.listener.port)
    writer.write(b"\x16")
    port = alice.listener.port
    await alice.listener.close()
    assert alice.listener.port == 0
    with contextlib.suppress(ConnectionError):
        assert await reader.read(-1) == b""
    writer.close()
    with pytest.raises(LinkError):
        await dial("127.0.0.1", port, period_tag(SECRET, time.time()), known, bob.identity)
    await into.send(b"still there")
    assert await out.receive() == b"still there"
    await out.close()
    await into.close()


@requires_lab
@pytest.mark.asyncio
async def test_a_cable_that_is_cut_without_a_word_is_noticed_on_both_sides(tmp_path: Path, bob: Node) -> None:
    """Within 15 s, on a link that is idle and on one that sends both ways all the time."""
    alice = Node(device(tmp_path, "alice"))
    known = admit(alice, bob)
    with lan(2) as lab:
        with lab.inside("a"):
            await alice.listener.start(lab.ip("a"))
        with lab.inside("b"):
            idle = [await bob.dial(alice, known, lab.ip("a")), await alice.links.get()]
            busy = [await bob.dial(alice, known, lab.ip("a")), await alice.links.get()]

        async def talk(link: Link) -> None:
            with contextlib.suppress(LinkClosed):
                while True:
                    await link.send(bytes(100_000), bulk=True)

        async def seconds_until_noticed(link: Link, cut_at: float) -> float:
            with contextlib.suppress(LinkClosed):
                while True:
                    await link.receive()
            return time.monotonic() - cut_at

        async with asyncio.TaskGroup() as group:
            for link in busy:
                group.create_task(talk(link))
            for link in busy:
                await link.receive()
            lab.cut("b", silent=True)
            cut_at = time.monotonic()
            noticed = [group.create_task(seconds_until_noticed(link, cut_at)) for link in (*idle, *busy)]
        assert max(task.result() for task in noticed) < 15
        assert min(task.result() for task in noticed) > 5
        await alice.listener.close()
        for link in (*idle, *busy):
            await link.close()

"""Members reach each other over TCP and newcomers their inviter; whoever belongs no longer is refused and told."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import p2psync.net.addresses
import p2psync.proxies
from p2psync.errors import ConfigError, LinkClosed, LinkError, PeerRefused
from p2psync.net.addresses import OwnAddress
from p2psync.net.identity import IDENTITY_FILE, fresh_key
from p2psync.net.link import UNKNOWN_DEVICE, Link
from p2psync.net.stream import TlsStream
from p2psync.net.tls import LINKS_PER_DEVICE_MAX, dial, dial_pairing
from p2psync.net.trust import client_context, nonce_tag, period_tag, server_name, trusted_certificates
from p2psync.proxies import Proxies
from tests.lab import lan, requires_lab
from tests.net.devices import SECRET, TICKET, TICKET_SECRET, device, trust
from tests.net.node import NONCE, Node, admit, refused
from tests.proxying import NAME, proxying

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
async def test_who_is_revoked_during_his_handshake_is_refused(alice: Node, bob: Node) -> None:
    known = admit(alice, bob)
    context = client_context(bob.identity, trusted_certificates(known))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=server_name(nonce_tag(SECRET, NONCE)))
    reader, writer = await asyncio.open_connection("127.0.0.1", alice.listener.port)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    writer.write(outgoing.read())
    while True:
        with contextlib.suppress(ssl.SSLWantReadError):
            incoming.write(await reader.read(65536))
            tls.do_handshake()
            break
    admit(alice)
    writer.write(outgoing.read())
    assert await reader.read(-1) == b""
    assert alice.links.empty()
    writer.close()


@pytest.mark.asyncio
async def test_a_listener_that_is_no_member_is_left(alice: Node, bob: Node, tmp_path: Path) -> None:
    admit(alice, bob)
    with pytest.raises(PeerRefused, match="not a member"):
        await bob.dial(alice, trust(bob.identity, device(tmp_path, "carol")))


@pytest.mark.asyncio
async def test_whoever_links_to_himself_or_to_a_copy_is_told_so(alice: Node) -> None:
    dialled = await alice.dial(alice, admit(alice))
    accepted = await alice.links.get()
    assert dialled.remote == accepted.remote == alice.identity.device
    for link in (dialled, accepted):
        await link.close()


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
async def test_where_strangers_may_come_a_key_is_shown_that_tells_nothing(alice: Node) -> None:
    key, shown, _certificate = fresh_key()
    alice.table.set_pairing({TICKET: TICKET_SECRET}, {TICKET: key})
    out = await dial_pairing("127.0.0.1", alice.listener.port, ticket_tag(), None)
    into, _door = await alice.pairings.get()
    assert out.remote == shown != alice.identity.device
    await out.close()
    await into.close()
    assert [path.name for path in alice.identity.home.iterdir()] == [IDENTITY_FILE]


@pytest.mark.asyncio
async def test_another_device_than_the_ticket_says_gets_nothing(alice: Node, bob: Node) -> None:
    alice.table.set_pairing({TICKET: TICKET_SECRET})
    with pytest.raises(PeerRefused, match="not the one that issued the ticket"):
        await dial_pairing("127.0.0.1", alice.listener.port, ticket_tag(), bob.identity.device)


@pytest.mark.asyncio
async def test_a_ticket_that_is_not_known_is_refused(alice: Node) -> None:
    with pytest.raises(PeerRefused):
        await dial_pairing("127.0.0.1", alice.listener.port, ticket_tag(), alice.identity.device)


# -- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_nobody_there(bob: Node) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(LinkError, match="cannot be reached: Connection refused"):
            await dial("127.0.0.1", bound.getsockname()[1], b"t" * 16, trust(), bob.identity)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("host", "port"),
    [("no such host", 1), ("", 0), ("x" * 70, 1), ("a..b", 1), ("\0", 1), ("127.0.0.1", 99999), ("127.0.0.1", -1)],
)
async def test_an_address_that_is_none(bob: Node, host: str, port: int) -> None:
    with pytest.raises(LinkError, match="cannot be reached"):
        await dial(host, port, b"t" * 16, trust(), bob.identity)


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
async def test_what_is_closed_leaves_nothing_in_memory(alice: Node, bob: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even until the interpreter looks for circles: who comes again and again would fill megabytes meanwhile."""
    streams: list[weakref.ref[TlsStream]] = []

    class Watched(TlsStream):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            streams.append(weakref.ref(self))

    monkeypatch.setattr("p2psync.net.tls.TlsStream", Watched)
    known = admit(alice, bob)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            await asyncio.gather(*[link.close() for link in (await bob.dial(alice, known), await alice.links.get())])
        async with asyncio.timeout(30):
            while any(stream() is not None for stream in streams):
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
    assert len(streams) == 6


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
    """Within 10 s, on a link that is idle and on one that sends both ways all the time."""
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
        assert max(task.result() for task in noticed) < 10
        assert min(task.result() for task in noticed) > 5
        await alice.listener.close()
        for link in (*idle, *busy):
            await link.close()


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.asyncio
async def test_who_is_far_is_reached_through_a_proxy(alice: Node, bob: Node, kind: str) -> None:
    known = admit(alice, bob)
    tag = period_tag(SECRET, time.time())
    async with proxying() as middle:
        proxies = Proxies(str(middle.named(kind)))
        link = await dial(NAME, alice.listener.port, tag, known, bob.identity, proxies=proxies)
        assert (link.remote, link.way) == (alice.identity.device, "direct")
        assert middle.asked == [(NAME, alice.listener.port)]
        await link.close()
        await (await alice.links.get()).close()
        middle.answer = b"HTTP/1.1 504 Gateway Timeout\r\n\r\n" if kind == "http" else b"\x05\x05\x00"
        with pytest.raises(LinkError, match=r"does not get through to far\.example"):
            await dial_pairing(NAME, 1, tag, None, proxies=proxies)


@pytest.mark.asyncio
async def test_who_is_near_is_not(alice: Node, bob: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    known = admit(alice, bob)
    nowhere = Proxies("http://127.0.0.1:1")
    tag = period_tag(SECRET, time.time())
    for is_local in (lambda host: True, lambda host: False):  # by its address alone, or by this PC's networks
        monkeypatch.setattr(p2psync.proxies, "is_local", is_local)
        monkeypatch.setattr(p2psync.net.addresses, "own_addresses", lambda: {OwnAddress("127.0.0.1", 8, 1)})
        link = await dial("127.0.0.1", alice.listener.port, tag, known, bob.identity, proxies=nowhere)
        assert link.way == "lan"
        await link.close()
        await (await alice.links.get()).close()

"""A stranger sees an alert and no certificate, and cannot take the members' places."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from p2psync.errors import LinkClosed, PeerRefused
from p2psync.net.identity import IDENTITY_FILE, Identity
from p2psync.net.tls import NEWCOMERS_MAX, STRANGERS_MAX, STRANGERS_PER_NETWORK_MAX, dial, dial_pairing
from p2psync.net.trust import nonce_tag, pairing_client_context, period_tag, server_name
from tests.net.devices import SECRET, TICKET, TICKET_SECRET
from tests.net.node import Crowd, Node, admit, refused

UNRECOGNIZED_NAME = bytes.fromhex("15030300020270")
"""The TLS alert, as a record."""


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


@pytest.mark.asyncio
async def test_however_many_strangers_of_one_network_stand_there_a_member_gets_in(alice: Node, bob: Node) -> None:
    known = admit(alice, bob)
    async with Crowd(alice).of(STRANGERS_PER_NETWORK_MAX + 4, turned_away=4) as crowd:
        links = [await bob.dial(alice, known), await alice.links.get()]
        await crowd.fewer()
    for link in links:
        await link.close()


@pytest.mark.asyncio
async def test_strangers_of_many_networks_keep_nobody_out_either(
    alice: Node, bob: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = admit(alice, bob)
    networks = iter(range(10_000))
    monkeypatch.setattr("p2psync.net.tls.stranger_network", lambda _host: str(next(networks)))
    async with Crowd(alice).of(STRANGERS_MAX + 5, turned_away=5) as crowd:
        links = [await bob.dial(alice, known), await alice.links.get()]
        await crowd.fewer()
    for link in links:
        await link.close()


@pytest.mark.asyncio
async def test_the_network_with_most_strangers_makes_room(alice: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    network = "lonely"
    monkeypatch.setattr("p2psync.net.tls.stranger_network", lambda _host: network)
    monkeypatch.setattr("p2psync.net.tls.STRANGERS_MAX", 4)
    async with Crowd(alice).of(1, turned_away=0):
        while not alice.listener._strangers:
            await asyncio.sleep(0)
        network = "crowded"
        async with Crowd(alice).of(10, turned_away=7):
            assert sorted(alice.listener._strangers.values()) == ["crowded"] * 3 + ["lonely"]


@pytest.mark.asyncio
async def test_members_do_not_count_as_strangers(alice: Node, bob: Node) -> None:
    known = admit(alice, bob)
    links = [await bob.dial(alice, known) for _ in range(STRANGERS_PER_NETWORK_MAX)]
    links += [await alice.links.get() for _ in links]
    async with Crowd(alice).of(STRANGERS_PER_NETWORK_MAX + 1, turned_away=1):
        pass
    for link in links:
        await link.close()


@pytest.mark.asyncio
async def test_newcomers_stay_among_the_strangers_and_need_not_make_room(alice: Node) -> None:
    alice.table.set_pairing({TICKET: TICKET_SECRET})
    tag = period_tag(TICKET_SECRET, time.time())
    out = await dial_pairing("127.0.0.1", alice.listener.port, tag, None)
    into, _ = await alice.pairings.get()
    async with Crowd(alice).of(STRANGERS_PER_NETWORK_MAX, turned_away=1):
        await out.send(b"still here")
        assert await into.receive() == b"still here"
    await out.close()
    await into.close()


@pytest.mark.asyncio
async def test_newcomers_leave_places_for_members(alice: Node, bob: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag goes by in plain text: whoever saw it can come as a newcomer as often as he likes."""
    known = admit(alice, bob)
    alice.table.set_pairing({TICKET: TICKET_SECRET})
    networks = iter(range(10_000))
    monkeypatch.setattr("p2psync.net.tls.stranger_network", lambda _host: str(next(networks)))
    tag = period_tag(TICKET_SECRET, time.time())
    links = [await dial_pairing("127.0.0.1", alice.listener.port, tag, None) for _ in range(NEWCOMERS_MAX)]
    await refused(await dial_pairing("127.0.0.1", alice.listener.port, tag, None))
    await links.pop().close()
    first = [(await alice.pairings.get())[0] for _ in range(NEWCOMERS_MAX)]
    with pytest.raises(LinkClosed):
        await first[-1].receive()
    links += [await dial_pairing("127.0.0.1", alice.listener.port, tag, None), *first]
    async with asyncio.timeout(30):
        links += [(await alice.pairings.get())[0]]
    links += [await bob.dial(alice, known), await alice.links.get()]
    for link in links:
        await link.close()


@pytest.mark.asyncio
async def test_a_recorded_handshake_opens_nothing(alice: Node, bob: Node) -> None:
    """Whoever repeats all that a member once said, byte for byte, gets a certificate to see and no link."""
    known = admit(alice, bob)
    said: list[bytes] = []
    over = asyncio.Event()
    proxy = await asyncio.start_server(lambda r, w: _overhear(r, w, alice.listener.port, said, over), "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    link = await dial("127.0.0.1", port, period_tag(SECRET, time.time()), known, bob.identity)
    into = await alice.links.get()
    await link.send(b"words")
    assert await into.receive() == b"words"
    await link.close()
    await into.close()
    proxy.close()
    await over.wait()
    answer = await answer_to(alice, b"".join(said))
    assert answer
    assert alice.links.empty()


async def _overhear(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, said: list[bytes], over: asyncio.Event
) -> None:
    """Pass everything on to the port, note what the caller says, and tell when both have hung up."""
    onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", port)

    async def back() -> None:
        with contextlib.suppress(ConnectionError):
            while data := await onward_reader.read(65536):
                writer.write(data)
        writer.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(back())
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                said.append(data)
                onward_writer.write(data)
        onward_writer.close()
    over.set()

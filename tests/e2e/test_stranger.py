"""A stranger in the same LAN learns nothing: no certificate, no name, no id; and does no harm."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import token_bytes, token_hex

import pytest
from zeroconf._protocol.incoming import DNSIncoming

from p2psync.core.ids import parse_device, parse_mandate
from tests.e2e.pc import Pc, agree, company, pause
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

ALERT = 21
MDNS_PORT = 5353
MDNS_IPV4, MDNS_IPV6 = "224.0.0.251", "ff02::fb"
SERVICE_NAME = "_p2psync._tcp.local."
SERVICE = b"\x08_p2psync\x04_tcp\x05local\x00"
QUESTIONS = (SERVICE, b"\x09_services\x07_dns-sd\x04_udp\x05local\x00")
ANY, IN = 255, 1
LISTEN_S = 3.0


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """a and b are members; c is a PC with nothing on it."""
    with company(lab, root, "payroll") as two:
        yield two


def test_no_certificate_for_whoever_does_not_know_the_tag(pcs: list[Pc], lab: Lab) -> None:
    for pc in pcs:
        port = pc.overall()["device"]["port"]
        for name in (None, "example.org", token_hex(16), "p2psync", pc.host):
            answered = _first_answer(lab, lab.ip(pc.host), port, name)
            assert answered == b"" or (answered[0] == ALERT and len(answered) <= 7), (name, answered)
    agree(*pcs)


def test_whatever_a_stranger_sends_the_others_go_on(pcs: list[Pc], lab: Lab) -> None:
    a, b = pcs
    port = a.overall()["device"]["port"]
    with ExitStack() as stack:
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + token_bytes(70_000), token_bytes(100)):
            with lab.inside("c"):
                connection = stack.enter_context(socket.create_connection((lab.ip("a"), port), 10))
            connection.settimeout(60)
            with contextlib.suppress(ConnectionError):
                connection.sendall(nonsense)
                while connection.recv(4096):
                    pass
        many = [_connected(stack, lab, port) for _ in range(300)]
        a.save("meanwhile.txt", f"{len(many)} connections are open and say nothing")
        b.has("meanwhile.txt", f"{len(many)} connections are open and say nothing")
        b.restart()
        agree(a, b)


def test_announcements_name_nobody(pcs: list[Pc], lab: Lab) -> None:
    a, b = pcs
    with ExitStack() as stack:
        ears = [_multicast(stack, lab, family) for family in (socket.AF_INET, socket.AF_INET6)]
        b.restart()
        before = _answers(ears)
        b.restart()
        after = _answers(ears)
    heard = [*before, *after]
    told_by = {source for packet, source in heard if SERVICE[:9] in packet}
    assert told_by >= {lab.ip("a"), lab.ip("b")}
    everything = b"\n".join(packet for packet, _ in heard).lower()
    for what, secret in _secrets(a, b):
        assert secret.lower() not in everything, what
    assert _names(before, lab.ip("b"))
    assert not _names(before, lab.ip("b")) & _names(after, lab.ip("b")), "b can be recognised"
    agree(a, b)


def test_nothing_is_open_or_said_while_nothing_is_shared(lab: Lab, tmp_path: Path) -> None:
    pc = Pc(lab, "c", tmp_path)
    with ExitStack() as stack:
        ears = [_multicast(stack, lab, family, "c") for family in (socket.AF_INET, socket.AF_INET6)]
        pc.start()
        stack.callback(pc.kill)
        pc.run("mandate", "create", "Alone", "--folder", pc.folder)
        pause(1)
        assert pc.overall()["device"]["port"] == 0
        assert _listening(pc) == 1, "only the page's socket, on loopback"
        mine = [s for _, s in _heard_from(ears, 1.0) if s in (lab.ip("c"), lab.ip6("c"), lab.link_local("c"))]
        assert mine == []


def _secrets(a: Pc, b: Pc) -> Iterator[tuple[str, bytes]]:
    mandate = a.run("mandate", "list")[0]
    yield "the mandate's name", mandate["name"].encode()
    yield "the mandate's id", mandate["id"].encode()
    yield "the mandate's id as bytes", parse_mandate(mandate["id"])
    host = socket.gethostname().encode()
    # A name of two letters stands in random bytes by chance; as a part of a DNS name its length stands before it.
    yield "the host's name", host if len(host) > 5 else bytes([len(host)]) + host
    for pc in (a, b):
        text = pc.device
        raw = parse_device(text)
        yield "a device id", text.encode()
        yield "the beginning of a device id", text[:14].encode()
        yield "a device id as bytes", raw
        yield "the beginning of a device id as bytes", raw[:8]
        yield "the beginning of a device id in hex", raw[:8].hex().encode()
        yield "a device's fingerprint", pc.overall()["device"]["fingerprint"].encode()
        yield "a device's name", json.dumps(pc.host).encode()


def _first_answer(lab: Lab, host: str, port: int, name: str | None) -> bytes:
    """All that a server says to a client's hello, in plain bytes: up to the end or a pause."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with lab.inside("c"):
        connection = socket.create_connection((host, port), 10)
    with connection:
        connection.settimeout(10)
        connection.sendall(outgoing.read())
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
    return received


def _connected(stack: ExitStack, lab: Lab, port: int) -> socket.socket | None:
    with lab.inside("c"):
        connection = stack.enter_context(socket.socket())
    connection.setblocking(False)
    connection.connect_ex((lab.ip("a"), port))
    return connection


def _multicast(stack: ExitStack, lab: Lab, family: socket.AddressFamily, host: str = "c") -> socket.socket:
    """Hears what is said by multicast DNS on that PC's cable."""
    with lab.inside(host):
        ear = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        index = socket.if_nametoindex("eth0")
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET:
        ear.bind(("", MDNS_PORT))
        group = socket.inet_aton(MDNS_IPV4) + struct.pack("=II", 0, index)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=III", 0, 0, index))
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    else:
        ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        ear.bind(("::", MDNS_PORT))
        ear.setsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(family, MDNS_IPV6) + struct.pack("=I", index)
        )
        ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    return ear


def _ask(ear: socket.socket, group: str) -> None:
    for name in QUESTIONS:
        ear.sendto(struct.pack("!6H", 0, 0, 1, 0, 0, 0) + name + struct.pack("!2H", ANY, IN), (group, MDNS_PORT))


def _answers(ears: list[socket.socket]) -> list[tuple[bytes, str]]:
    _ask(ears[0], MDNS_IPV4)
    _ask(ears[1], MDNS_IPV6)
    return _heard_from(ears, LISTEN_S)


def _heard_from(ears: list[socket.socket], seconds: float) -> list[tuple[bytes, str]]:
    heard = []
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        for ear in select.select(ears, [], [], left_s)[0]:
            packet, source = ear.recvfrom(9000)
            heard.append((packet, str(source[0]).partition("%")[0]))
    return heard


def _names(heard: list[tuple[bytes, str]], source: str) -> set[str]:
    """What a PC calls itself: the names that its answers are about, but for the service itself and for goodbyes."""
    answers = [a for packet, sender in heard if sender == source for a in DNSIncoming(packet).answers()]
    return {answer.name for answer in answers if answer.name != SERVICE_NAME and answer.ttl}


def _listening(pc: Pc) -> int:
    """TCP sockets that wait for connections, all on loopback."""
    shown = pc.lab.run(pc.host, ["ss", "-Htln"], capture_output=True, text=True).stdout.splitlines()
    assert all("127.0.0.1:" in line for line in shown), shown
    return len(shown)

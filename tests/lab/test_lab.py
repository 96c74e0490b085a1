"""What the lab promises, checked: else a test in it proves nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from statistics import median

import pytest

from tests.lab import Lab, LabError, Site, lan, renumber, requires_lab, system, wan
from tests.lab.line import Line
from tests.lab.wire import SO_RCVBUFFORCE

NOTHING_COMES_S = 0.15
"""How long to listen before believing that nothing comes; what does come takes a few milliseconds."""
PACKETS = itertools.count()
"""Numbers for what is sent to see if it comes."""


@pytest.fixture
def sockets() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def udp(stack: contextlib.ExitStack, lab: Lab, host: str, port: int = 0, *, ipv6: bool = False) -> socket.socket:
    with lab.inside(host):
        s = stack.enter_context(socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM))
    s.bind(("::" if ipv6 else "", port))
    return s


def heard(s: socket.socket, within_s: float = NOTHING_COMES_S) -> bytes | None:
    return s.recv(100) if select.select([s], [], [], within_s)[0] else None


def passes(
    lab: Lab, sender: socket.socket, receiver: socket.socket, host: str, within_s: float = NOTHING_COMES_S
) -> bool:
    """Whether the packet of this call comes: an earlier one's may come late, and says nothing of this one's."""
    packet = b"%d" % next(PACKETS)
    with contextlib.suppress(OSError):
        sender.sendto(packet, (lab.ip(host), receiver.getsockname()[1]))
    return packet in iter(lambda: heard(receiver, within_s), None)


def mbit_s(lab: Lab, sender: str, receiver: str, megabytes: int) -> float:
    """The rate of one TCP connection, from its first byte to the receiver's word that it has the last."""
    with lab.inside(receiver):
        listener = socket.create_server((lab.ip(receiver), 7))

    def sink() -> None:
        with listener, listener.accept()[0] as connection:
            while connection.recv(1 << 20):
                pass
            connection.send(b"!")

    thread = threading.Thread(target=sink)
    thread.start()
    with lab.inside(sender):
        connection = socket.create_connection((lab.ip(receiver), 7))
    with connection:
        began = time.monotonic()
        for _ in range(megabytes):
            connection.sendall(bytes(1_000_000))
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b"!"
        took = time.monotonic() - began
    thread.join()
    return megabytes * 8 / took


# -- one LAN


@requires_lab
def test_hosts_have_addresses_of_both_kinds(sockets: contextlib.ExitStack) -> None:
    with lan(3) as lab:
        assert lab.hosts == ["a", "b", "c"]
        a, b = udp(sockets, lab, "a", ipv6=True), udp(sockets, lab, "b", 9, ipv6=True)
        a.sendto(b"by its address", (lab.ip6("b"), 9))
        assert heard(b, 2) == b"by its address"
        with lab.inside("a"):
            interface = socket.if_nametoindex("eth0")
        a.sendto(b"link-local", (lab.link_local("b"), 9, 0, interface))
        assert heard(b, 2) == b"link-local"


@requires_lab
def test_multicast_reaches_everybody(sockets: contextlib.ExitStack) -> None:
    with lan(3, delay="1ms") as lab:
        listeners = [udp(sockets, lab, host, 5353) for host in "bc"]
        for s in listeners:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + bytes(4))
        listeners6 = [udp(sockets, lab, host, 5354, ipv6=True) for host in "bc"]
        for s, host in zip(listeners6, "bc", strict=True):
            with lab.inside(host):
                group = socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("@i", socket.if_nametoindex("eth0"))
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        with lab.inside("a"):
            interface = socket.if_nametoindex("eth0")
        a, a6 = udp(sockets, lab, "a"), udp(sockets, lab, "a", ipv6=True)
        deaf = {*listeners, *listeners6}
        for _ in range(10):  # a first packet may go before the switch knows who listens
            a.sendto(b"hello", ("224.0.0.251", 5353))
            a6.sendto(b"hello", ("ff02::fb", 5354, 0, interface))
            deaf -= {s for s in deaf if heard(s, 2) == b"hello"}
            if not deaf:
                break
        assert not deaf


@requires_lab
def test_rate_delay_and_counters(sockets: contextlib.ExitStack) -> None:
    with lan(2, rate="200mbit", delay="5ms") as lab:
        a, b = udp(sockets, lab, "a"), udp(sockets, lab, "b", 9)
        times = []
        for _ in range(21):
            began = time.monotonic()
            a.sendto(b"x", (lab.ip("b"), 9))
            b.sendto(b"y", b.recvfrom(9)[1])
            a.recv(9)
            times.append(time.monotonic() - began)
        assert 0.010 <= median(times) < 0.030
        before = lab.counters("a"), lab.counters("b")
        assert 50 < mbit_s(lab, "a", "b", 10) < 200
        sent, received = lab.counters("a") - before[0], lab.counters("b") - before[1]
        assert 10e6 < sent.sent_bytes < 13e6
        assert 10e6 < received.received_bytes < 13e6


@requires_lab
def test_a_line_can_change_and_be_good_again(sockets: contextlib.ExitStack) -> None:
    with lan(2) as lab:
        a, b = udp(sockets, lab, "a"), udp(sockets, lab, "b", 9)
        b.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        lab.shape("b", delay="300ms")
        a.sendto(b"late", (lab.ip("b"), 9))
        assert heard(b) is None
        assert heard(b, 2) == b"late"
        lab.shape("b", loss="20%")
        for _ in range(1000):
            a.sendto(b"x", (lab.ip("b"), 9))
        arrived = sum(1 for _ in iter(lambda: heard(b), None))
        assert 720 < arrived < 880
        lab.shape("b", loss=1)
        assert not passes(lab, a, b, "b")
        lab.shape("b")
        assert passes(lab, a, b, "b", within_s=2)


@requires_lab
@pytest.mark.parametrize("silent", [False, True])
def test_a_cut_cable_can_be_restored(sockets: contextlib.ExitStack, silent: bool) -> None:
    with lan(2) as lab:
        a, b = udp(sockets, lab, "a"), udp(sockets, lab, "b", 9)
        assert any(passes(lab, a, b, "b") for _ in range(10)), (
            "a first packet may go before the neighbour is known again"
        )
        lab.cut("b", silent=silent)
        carrier = lab.run("b", ["cat", "/sys/class/net/eth0/carrier"], capture_output=True, text=True).stdout.strip()
        assert carrier == ("1" if silent else "0")
        assert not passes(lab, a, b, "b")
        lab.restore("b")
        # The first packets may fall into the pause after a neighbour did not answer.
        assert any(passes(lab, a, b, "b") for _ in range(20))
        with lab.inside("a"), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as a6:
            b6 = udp(sockets, lab, "b", 10, ipv6=True)
            a6.sendto(b"x", (lab.ip6("b"), 10))
            assert heard(b6, 2) == b"x"


@requires_lab
def test_programs_run_on_their_host_and_end_with_the_lab() -> None:
    with lan(["front", "back"], delay="1ms") as lab:
        names = [n.split()[0] for n in system.call("ip", "netns", "list").splitlines()]
        assert {f"p2plab-{lab.name}-{n}" for n in ("front", "back", "switch")} <= set(names)
        shown = lab.run("back", ["ip", "-br", "addr", "show", "dev", "eth0"], capture_output=True, text=True).stdout
        assert lab.ip("back") in shown
        willing = lab.popen("front", ["sleep", "1000"])
        child = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print(1, flush=True)"
        deaf = lab.popen("back", [sys.executable, "-c", f"{child}; signal.pause()"], stdout=subprocess.PIPE)
        with deaf:
            assert deaf.stdout is not None
            deaf.stdout.readline()
            lab.down()
        assert (willing.wait(1), deaf.wait(1)) == (-signal.SIGTERM, 7)
    assert f"p2plab-{lab.name}-" not in system.call("ip", "netns", "list")


@requires_lab
def test_a_lab_that_cannot_be_built_leaves_nothing() -> None:
    def own() -> list[str]:  # other test runners have labs of theirs meanwhile
        return [line for line in system.call("ip", "netns", "list").splitlines() if f"-{os.getpid()}-" in line]

    before = own()
    with pytest.raises(LabError, match="no rate"):
        lan(2, rate="fast")
    with pytest.raises(LabError, match="differ"):
        lan(["a", "a"])
    with pytest.raises(LabError, match="no NAT"):
        wan([Site("carrier-pigeon", ("a",))])
    assert own() == before


@requires_lab
def test_unknown_nodes_are_named() -> None:
    with lan(1) as lab, pytest.raises(LabError, match=r"no node 'z' .there are switch, a"):
        lab.ip("z")


# -- the internet


@pytest.fixture
def internet() -> Iterator[Lab]:
    sites = [
        Site("full-cone", ("cone", "neighbour")),
        Site("port-restricted", ("usual",)),
        Site("port-restricted", ("other",)),
        Site("symmetric", ("mobile",)),
        Site("none", ("open",)),
    ]
    with wan(sites, ["srv", "srv2"], rate="100mbit", delay="1ms") as lab:
        yield lab


def seen_from(server: socket.socket, address: str, s: socket.socket) -> tuple[str, int]:
    """The address under which the socket appears to a public server."""
    s.sendto(b"who am i", (address, 3478))
    assert select.select([server], [], [], 2)[0]
    ip, port = server.recvfrom(100)[1]
    return ip, port


@requires_lab
def test_nats_map_and_filter_as_their_names_say(internet: Lab, sockets: contextlib.ExitStack) -> None:
    first, second = (udp(sockets, internet, host, 3478) for host in ("srv", "srv2"))
    for host, mapping_stays, open_to_all in [
        ("cone", True, True),
        ("usual", True, False),
        ("mobile", False, False),
        ("open", True, True),
    ]:
        s = udp(sockets, internet, host, 4000)
        public = seen_from(first, internet.ip("srv"), s)
        assert (public[0] == internet.ip(host)) == (host == "open")
        second.sendto(b"stranger", public)
        assert (heard(s) == b"stranger") == open_to_all, host
        first.sendto(b"answer", public)
        assert heard(s, 2) == b"answer", host
        assert (seen_from(second, internet.ip("srv2"), s) == public) == mapping_stays, host


@requires_lab
@pytest.mark.parametrize(
    ("one", "other", "goes_through"),
    [("cone", "usual", True), ("usual", "other", True), ("usual", "mobile", False), ("mobile", "open", True)],
)
def test_holes_can_be_punched_where_they_can(
    internet: Lab, sockets: contextlib.ExitStack, one: str, other: str, goes_through: bool
) -> None:
    server = udp(sockets, internet, "srv", 3478)
    s, t = udp(sockets, internet, one, 5000), udp(sockets, internet, other, 5000)
    s_public, t_public = (seen_from(server, internet.ip("srv"), x) for x in (s, t))
    for _ in range(2):
        s.sendto(b"punch", t_public)
        t.sendto(b"punch", s_public)
        arrived = [heard(s), heard(t)]
    assert any(arrived) == goes_through


@requires_lab
def test_a_router_can_forget(internet: Lab, sockets: contextlib.ExitStack) -> None:
    server = udp(sockets, internet, "srv", 3478)
    s = udp(sockets, internet, "usual", 4000)
    public = seen_from(server, internet.ip("srv"), s)
    internet.forget_nat("r2")
    server.sendto(b"late", public)
    assert heard(s) is None
    assert seen_from(server, internet.ip("srv"), s)[0] == internet.ip("r2")


@requires_lab
def test_neighbours_meet_and_strangers_do_not_get_in(internet: Lab, sockets: contextlib.ExitStack) -> None:
    s, t = udp(sockets, internet, "cone"), udp(sockets, internet, "neighbour", 9)
    assert passes(internet, s, t, "neighbour", within_s=2)
    outsider = udp(sockets, internet, "open")
    with pytest.raises(OSError, match="unreachable"):
        outsider.sendto(b"x", (internet.ip("cone"), 9))


@requires_lab
def test_a_router_gets_another_address(internet: Lab, sockets: contextlib.ExitStack) -> None:
    server = udp(sockets, internet, "srv", 3478)
    s = udp(sockets, internet, "usual", 4000)
    before = seen_from(server, internet.ip("srv"), s)
    renumber(internet, "r2")
    server.sendto(b"late", before)
    assert heard(s) is None
    assert seen_from(server, internet.ip("srv"), s)[0] == internet.ip("r2") != before[0]


@requires_lab
def test_a_site_without_ipv4_calls_out_and_is_not_called(sockets: contextlib.ExitStack) -> None:
    with wan([Site("ipv6", ("new",)), Site("none", ("old",)), Site("ipv6", ("newer",))]) as lab:
        assert (lab.ip("new"), lab.ip6("old"), bool(lab.ip("srv")), bool(lab.ip6("srv"))) == ("", "", True, True)
        new, newer, srv = (udp(sockets, lab, host, 5000, ipv6=True) for host in ("new", "newer", "srv"))
        srv.sendto(b"stranger", (lab.ip6("new"), 5000))
        newer.sendto(b"stranger", (lab.ip6("new"), 5000))
        assert heard(new) is None
        new.sendto(b"call", (lab.ip6("srv"), 5000))
        assert heard(srv, 2) == b"call"
        srv.sendto(b"answer", (lab.ip6("new"), 5000))
        assert heard(new, 2) == b"answer"
        new.sendto(b"punch", (lab.ip6("newer"), 5000))
        newer.sendto(b"punch", (lab.ip6("new"), 5000))
        assert heard(new, 2) == b"punch", "it was called first"
        with pytest.raises(OSError, match="unreachable"):
            udp(sockets, lab, "new").sendto(b"x", (lab.ip("srv"), 9))
        for host, address in (("new", lab.ip6("srv")), ("old", lab.ip("srv"))):
            looked_up = lab.run(host, ["getent", "ahosts", "srv"], capture_output=True, text=True).stdout
            assert address in looked_up.split(), "each finds the address that it can use"


# -- what the lab needs


@pytest.mark.parametrize(
    ("platform", "user", "path", "reason"),
    [
        ("win32", 0, "/usr/sbin", "needs Linux"),
        ("linux", 1000, "/usr/sbin", "needs root"),
        ("linux", 0, "/nowhere", "needs ip, tc, nft, iptables, ip6tables"),
    ],
)
def test_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, platform: str, user: int, path: str, reason: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setenv("PATH", path)
    assert (system.why_not.__wrapped__() or "").startswith(reason)


# -- what a line is


def test_lines_are_written_as_people_do() -> None:
    assert Line.parse("10mbit/1gbit", "20ms", "0.1%", "50ms") == Line(10e6, 1e9, 0.02, 0.001, 0.05)
    assert Line.parse("1.5mbit", 0.02, 0.25, 0.1) == Line(1.5e6, 1.5e6, 0.02, 0.25, 0.1)
    assert Line.parse(None, 0, 0, "50ms") == Line()
    assert Line.parse(None, "200us", 0, "1s").is_held


@pytest.mark.parametrize(
    ("rate", "delay", "loss"), [("100", 0, 0), ("100mbit/", "20", 0), (None, "-1ms", 0), (None, 0, "120%")]
)
def test_nonsense_is_refused(rate: str | None, delay: str | float, loss: str | float) -> None:
    with pytest.raises(LabError):
        Line.parse(rate, delay, loss, "50ms")

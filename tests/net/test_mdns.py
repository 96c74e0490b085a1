"""Members and ticket holders find each other in the local network; to everybody else they are noise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.net import mdns as module
from p2psync.net.addresses import OwnAddress
from p2psync.net.dialer import Address, Match, Sighting
from p2psync.net.mdns import SEEN_MAX, TAGS_MAX, Mdns, matching, parse_properties, properties_of
from tests.lab import Lab, lan, requires_lab

M, N = b"M" * 16, b"N" * 16
NONCE = b"n" * 16
PROJECT = Path(__file__).parents[2]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see which sockets are open")


class Device:
    """An Mdns, and what it told."""

    def __init__(self, interfaces: tuple[str, ...] | None = ("127.0.0.1",)) -> None:
        self.sightings: asyncio.Queue[Sighting] = asyncio.Queue()
        self.gone: asyncio.Queue[bytes] = asyncio.Queue()
        self.nonces: asyncio.Queue[tuple[bytes, ...]] = asyncio.Queue()
        self.networks: asyncio.Queue[None] = asyncio.Queue()
        self.mdns = Mdns(
            on_sighting=self.sightings.put_nowait,
            on_gone=self.gone.put_nowait,
            on_nonces=self.nonces.put_nowait,
            on_network=lambda: self.networks.put_nowait(None),
            interfaces=interfaces,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            task = group.create_task(self.mdns.run())
            yield
            task.cancel()


@pytest.fixture
def secret() -> bytes:
    """Of this test alone: others may run on this machine."""
    return secrets.token_bytes(32)


# -- what an announcement says --------------------------------------------------------------------------------------

a_secret = st.binary(min_size=1, max_size=32)


@given(st.lists(a_secret, unique=True, max_size=100), st.lists(a_secret, max_size=5), a_secret)
def test_holders_of_a_secret_recognise_it_and_only_they(
    announced: list[bytes], others: list[bytes], padding: bytes
) -> None:
    said = {key.encode(): value for key, value in properties_of(NONCE, announced, padding).items()}
    announcement = parse_properties(said)
    assert announcement is not None
    nonce, tags = announcement
    ours = [Match(M, secret) for secret in (*announced, *others)]
    assert nonce == NONCE
    assert [match.secret for match in matching(nonce, tags, ours)] == [
        secret for secret in (*announced, *others) if secret in announced
    ]


@given(st.lists(a_secret, unique=True, max_size=TAGS_MAX), a_secret)
def test_an_announcement_shows_neither_how_many_nor_which_are_real(announced: list[bytes], padding: bytes) -> None:
    said = properties_of(NONCE, announced, padding)
    tags = b"".join(value for key, value in said.items() if key != "n")
    cut = [tags[i : i + 8] for i in range(0, len(tags), 8)]
    assert len(cut) == -(-len(announced) // 8) * 8
    assert cut == sorted(cut)
    assert len(set(cut)) == len(cut)
    assert all(len(key) + 1 + len(value) <= 255 for key, value in said.items())
    assert properties_of(NONCE, announced, padding) == said


@given(st.dictionaries(st.binary(max_size=3), st.none() | st.binary(max_size=40)))
def test_nonsense_is_no_announcement_and_no_error(properties: dict[bytes, bytes | None]) -> None:
    announcement = parse_properties(properties)
    assert (announcement is None) == (len(properties.get(b"n") or b"") != 16)


# -- on the loopback interface --------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_two_members_see_each_other_come_and_go(secret: bytes) -> None:
    a, b = Device(), Device()
    a.mdns.update({M: (secret,)}, 1111)
    async with a.running():
        nonces = await a.nonces.get()
        b.mdns.update({M: (secret,)}, 2222)
        async with b.running():
            assert await b.sightings.get() == Sighting(nonces[0], (Match(M, secret),), (Address("127.0.0.1", 1111),))
            seen = await a.sightings.get()
            assert seen.addresses == (Address("127.0.0.1", 2222),)
            assert (seen.nonce,) == await b.nonces.get()
        assert await a.gone.get() == seen.nonce
        assert await b.gone.get() == nonces[0]
    assert a.sightings.empty()


@pytest.mark.asyncio
async def test_who_holds_only_an_older_or_another_secret(secret: bytes) -> None:
    renewed, behind, stranger = Device(), Device(), Device()
    renewed.mdns.update({M: (b"newest" + secret, secret)}, 1)
    behind.mdns.update({M: (secret,)}, 2)
    stranger.mdns.update({M: (b"unknown" + secret,)}, 3)
    async with stranger.running(), renewed.running(), behind.running():
        seen = await renewed.sightings.get()
        assert (seen.matches, seen.addresses[0].port) == ((Match(M, secret),), 2)
        behind.mdns.update({M: (b"newest" + secret, secret)}, 2)
        both_ways = [await renewed.sightings.get(), await behind.sightings.get()]
        assert [sighting.matches for sighting in both_ways] == [(Match(M, b"newest" + secret),)] * 2
        assert both_ways[0].nonce == seen.nonce
        assert stranger.sightings.empty()


@pytest.mark.asyncio
async def test_a_ticket_holder_finds_the_inviter_and_stays_unseen(secret: bytes) -> None:
    inviter, joiner = Device(), Device()
    inviter.mdns.update({M: (secret,), b"ticket": (b"ticket" + secret,)}, 1111)
    joiner.mdns.update({}, 0, sought={b"ticket": (b"ticket" + secret,)})
    async with inviter.running(), joiner.running():
        seen = await joiner.sightings.get()
        assert seen.matches == (Match(b"ticket", b"ticket" + secret),)
        assert seen.addresses == (Address("127.0.0.1", 1111),)
        inviter.mdns.update({M: (secret,)}, 1111)
        assert await joiner.gone.get() == seen.nonce
        assert inviter.sightings.empty()


@pytest.mark.asyncio
async def test_a_thousand_mandates_fit(secret: bytes) -> None:
    keys = [number.to_bytes(16, "big") for number in range(TAGS_MAX)]
    a, b = Device(), Device()
    a.mdns.update({key: (key + secret,) for key in keys}, 1)
    b.mdns.update({}, 0, sought={keys[-1]: (keys[-1] + secret,), keys[0]: (keys[0] + secret,)})
    async with a.running(), b.running():
        assert {match.key for match in (await b.sightings.get()).matches} == {keys[0], keys[-1]}


@pytest.mark.asyncio
async def test_an_announcement_is_renewed(secret: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its successor is there before it goes, and opens the same doors meanwhile."""
    a, b = Device(), Device()
    a.mdns.update({M: (secret,)}, 1111)
    b.mdns.update({}, 0, sought={M: (secret,)})
    monkeypatch.setattr(module, "RENEW_S", 0.0)
    async with b.running(), a.running():
        first = (await b.sightings.get()).nonce
        a.mdns.update({M: (secret,)}, 1111)
        second = (await b.sightings.get()).nonce
        assert await b.gone.get() == first
        announced = [await a.nonces.get() for _ in range(a.nonces.qsize())]
        assert (second, first) in announced
        assert all(later[1] == earlier[0] for earlier, later in pairwise(announced))


def mdns_sockets() -> int:
    """How many sockets of this process are bound to mDNS's port."""
    inodes = set()
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with contextlib.suppress(FileNotFoundError):
            rows = (line.split() for line in Path(table).read_text().splitlines()[1:])
            inodes |= {f"socket:[{row[9]}]" for row in rows if row[1].endswith(":14E9")}
    found = 0
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(handle) in inodes
    return found


@on_linux
@pytest.mark.asyncio
async def test_no_socket_is_open_while_nothing_is_shared(secret: bytes) -> None:
    a, b = Device(), Device()
    b.mdns.update({M: (secret,)}, 2)
    assert mdns_sockets() == 0
    async with b.running():
        await b.nonces.get()
        only_bs = mdns_sockets()
        assert only_bs > 0
        async with a.running():
            a.mdns.update({M: (secret,)}, 1)
            await b.sightings.get()
            assert mdns_sockets() > only_bs
            a.mdns.update({}, 1)
            await b.gone.get()
            await a.gone.get()
        assert mdns_sockets() == only_bs
    assert mdns_sockets() == 0


# -- whatever the network may say -----------------------------------------------------------------------------------


class FakePresence:
    """What the network says comes from the test."""

    latest: FakePresence
    error: Exception | None = None
    announce_error: Exception | None = None

    def __init__(
        self,
        addresses: frozenset[OwnAddress],
        on_instance: Callable[[str, Mapping[bytes, bytes | None], Iterable[Address]], None],
        on_instance_gone: Callable[[str], None],
        on_incomplete: Callable[[str], None],
    ) -> None:
        if self.error:
            raise self.error
        FakePresence.latest = self
        self.addresses = addresses
        self.on_instance, self.on_instance_gone, self.on_incomplete = on_instance, on_instance_gone, on_incomplete
        self.resolved: asyncio.Queue[str] = asyncio.Queue()
        self.closed = False
        self.renew()

    def renew(self) -> None:
        self.nonce = secrets.token_bytes(16)
        self.renew_at = 1e18

    def browse(self) -> None:
        pass

    async def announce(self, _secrets: tuple[bytes, ...], _port: int) -> None:
        if self.announce_error:
            raise self.announce_error

    async def resolve(self, name: str) -> None:
        self.resolved.put_nowait(name)

    async def close(self) -> None:
        self.closed = True

    def says(self, name: str, *secrets: bytes, nonce: bytes = NONCE, hosts: tuple[str, ...] = ("10.0.0.9",)) -> None:
        said = {key.encode(): value for key, value in properties_of(nonce, secrets, b"padding").items()}
        self.on_instance(name, said, [Address(host, 7) for host in hosts])


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> set[OwnAddress]:
    """This machine's addresses, for the test to change; no real sockets."""
    own = {OwnAddress("10.0.0.1", 24, 2), OwnAddress("fe80::1", 64, 2)}
    monkeypatch.setattr(module, "_Presence", FakePresence)
    monkeypatch.setattr(module, "own_addresses", lambda: frozenset(own))
    monkeypatch.setattr(module, "POLL_S", 0.01)
    return own


@contextlib.asynccontextmanager
async def device_in(_network: set[OwnAddress], *held: bytes) -> AsyncIterator[Device]:
    device = Device(interfaces=None)
    device.mdns.update({M: held or (b"secret",)}, 1111)
    async with device.running():
        await device.nonces.get()
        yield device


@pytest.mark.asyncio
async def test_addresses_come_in_the_order_of_promise(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        hosts = (
            "2001:db8::9",
            "172.17.0.1",
            "fe80::9%2",
            "10.0.0.9",
            "127.0.0.1",
            "224.0.0.1",
            "0.0.0.0",
            "no address",
        )
        FakePresence.latest.says("x", b"secret", hosts=hosts)
        seen = device.sightings.get_nowait()
        assert [a.host for a in seen.addresses] == ["10.0.0.9", "fe80::9%2", "172.17.0.1", "2001:db8::9"]


@pytest.mark.asyncio
async def test_what_is_repeated_is_told_once(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        for _ in range(3):
            FakePresence.latest.says("x", b"secret")
        assert device.sightings.qsize() == 1
        FakePresence.latest.says("x", b"secret", hosts=("10.0.0.10",))
        assert device.sightings.qsize() == 2
        FakePresence.latest.says("x", b"another secret")
        assert device.gone.get_nowait() == NONCE
        FakePresence.latest.on_instance_gone("x")
        FakePresence.latest.on_instance_gone("never seen")
        assert device.gone.empty()


@pytest.mark.asyncio
async def test_an_instance_that_changes_its_nonce_is_another(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        FakePresence.latest.says("x", b"secret")
        FakePresence.latest.says("x", b"secret", nonce=b"m" * 16)
        assert [device.sightings.get_nowait().nonce for _ in range(2)] == [NONCE, b"m" * 16]
        assert device.gone.get_nowait() == NONCE


@pytest.mark.asyncio
async def test_somebody_who_repeats_an_announcement_cannot_end_it(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        FakePresence.latest.says("original", b"secret")
        FakePresence.latest.says("copy", b"secret")
        FakePresence.latest.on_instance_gone("copy")
        assert device.gone.empty()
        FakePresence.latest.on_instance_gone("original")
        assert device.gone.get_nowait() == NONCE


@pytest.mark.asyncio
async def test_ones_own_announcement_is_not_news_whoever_repeats_it(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        FakePresence.latest.says("echo", b"secret", nonce=FakePresence.latest.nonce)
        assert device.sightings.empty()


@pytest.mark.asyncio
async def test_a_secret_learned_later_matches_what_was_seen_before(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        FakePresence.latest.says("x", b"later")
        assert device.sightings.empty()
        device.mdns.update({M: (b"secret",), N: (b"later",)}, 1)
        assert device.sightings.get_nowait().matches == (Match(N, b"later"),)


@pytest.mark.asyncio
async def test_a_flood_of_strangers_costs_little_and_hides_no_member(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        FakePresence.latest.says("first", b"secret")
        for number in range(2 * SEEN_MAX):
            FakePresence.latest.says(f"stranger {number}", b"noise", nonce=number.to_bytes(16, "big"))
        FakePresence.latest.says("last", b"secret", nonce=b"l" * 16)
        assert device.sightings.qsize() == 2
        assert len(device.mdns._seen) <= SEEN_MAX
        FakePresence.latest.on_instance_gone("first")
        assert device.gone.get_nowait() == NONCE


@pytest.mark.asyncio
async def test_what_came_incompletely_is_asked_for_again(network: set[OwnAddress]) -> None:
    async with device_in(network):
        for number in range(1000):
            FakePresence.latest.on_incomplete(f"half {number}")
        assert await FakePresence.latest.resolved.get() == "half 0"


@pytest.mark.asyncio
async def test_another_network_means_a_new_announcement_and_new_sightings(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        before = FakePresence.latest
        before.says("x", b"secret")
        network.add(OwnAddress("192.168.1.2", 24, 3))
        second, first = await device.nonces.get()
        assert before.closed
        assert (first, second) == (before.nonce, FakePresence.latest.nonce)
        assert FakePresence.latest.addresses == network
        assert device.gone.get_nowait() == NONCE
        assert device.networks.qsize() == 1


@pytest.mark.asyncio
async def test_without_any_network_it_waits_for_one(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        before = FakePresence.latest
        network.clear()
        await device.networks.get()
        assert before.closed
        network.add(OwnAddress("192.168.1.2", 24, 3))
        await device.nonces.get()
        assert FakePresence.latest is not before


@pytest.mark.asyncio
@pytest.mark.parametrize("where", ["error", "announce_error"])
async def test_what_the_system_refuses_is_a_problem_until_it_works(
    network: set[OwnAddress], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(FakePresence, where, OSError("port 5353 is taken"))
    device = Device(interfaces=None)
    device.mdns.update({M: (b"secret",)}, 1)
    async with device.running():
        while device.mdns.problem is None:
            await asyncio.sleep(0)
        assert "port 5353 is taken" in device.mdns.problem
        monkeypatch.setattr(FakePresence, where, None)
        while device.mdns.problem is not None:
            await asyncio.sleep(0)
        FakePresence.latest.says("x", b"secret")
        assert device.sightings.qsize() == 1


# -- in the lab -----------------------------------------------------------------------------------------------------


class Probe:
    """`mdns_probe` on a PC of the lab."""

    def __init__(self, lab: Lab, host: str, secret: bytes, port: int) -> None:
        self.process = lab.popen(
            host,
            [sys.executable, "-m", "tests.net.mdns_probe", secret.hex(), port],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.communicate(timeout=10)

    def hears(self, what: str) -> list[Any]:
        """The facts of the next event of that kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: list[Any] = json.loads(line)
            if event[0] == what:
                return event[1:]
        pytest.fail(f"the probe ended before it said {what!r}")


@requires_lab
def test_two_pcs_find_each_other_and_a_new_address(secret: bytes) -> None:
    with lan(2) as lab, Probe(lab, "a", secret, 1111) as a:
        with Probe(lab, "b", secret, 2222) as b:
            nonce, addresses = a.hears("sighting")
            assert [str(host).partition("%")[0] for host, _ in addresses] == [
                *(lab.ip("b"), lab.ip6("b"), lab.link_local("b"))
            ]
            assert {(port, "%" in host) for host, port in addresses} == {(2222, False), (2222, True)}
            assert [nonce] == b.hears("nonce")
            assert b.hears("sighting")[1][0] == [lab.ip("a"), 1111]
            lab.run("b", ["ip", "addr", "add", "192.168.99.7/24", "dev", "eth0"], check=True)
            assert a.hears("gone") == [nonce]
            renewed, addresses = a.hears("sighting")
            assert renewed != nonce
            assert ["192.168.99.7", 2222] in addresses
        assert a.hears("gone") == [renewed]

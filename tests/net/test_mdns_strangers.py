"""Whatever others announce in the same network, members are found, and the rest costs little."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

import pytest
from zeroconf import ServiceStateChange

from p2psync.net import mdns as module
from p2psync.net.addresses import OwnAddress
from p2psync.net.dialer import Address, Match
from p2psync.net.mdns import SEEN_MAX, SERVICE_TYPE, _Presence, properties_of
from tests.net.ears import Ears

M, N = b"M" * 16, b"N" * 16
NONCE = b"n" * 16


class FakePresence:
    """What the network says comes from the test."""

    latest: FakePresence
    error: Exception | None = None
    announce_error: Exception | None = None
    is_stale = False

    def __init__(
        self,
        addresses: frozenset[OwnAddress],
        on_instance: Callable[[str, Mapping[bytes, bytes | None], Iterable[Address]], None],
        on_instance_gone: Callable[[str], None],
        on_incomplete: Callable[[str], None],
        on_flood: Callable[[], None],
    ) -> None:
        if self.error:
            raise self.error
        FakePresence.latest = self
        self.addresses = addresses
        self.on_instance, self.on_instance_gone, self.on_incomplete = on_instance, on_instance_gone, on_incomplete
        self.on_flood = on_flood
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
async def device_in(_network: set[OwnAddress], *held: bytes) -> AsyncIterator[Ears]:
    device = Ears(interfaces=None)
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
async def test_somebody_who_repeats_an_announcement_is_told_apart(network: set[OwnAddress]) -> None:
    async with device_in(network) as device:
        ends: list[tuple[bytes, str]] = []
        device.mdns._on_gone = lambda nonce, name: ends.append((nonce, name))
        FakePresence.latest.says("original", b"secret")
        FakePresence.latest.says("copy", b"secret", hosts=("10.0.0.66",))
        told = [device.sightings.get_nowait() for _ in range(2)]
        assert [(s.name, s.nonce, s.addresses[0].host) for s in told] == [
            ("original", NONCE, "10.0.0.9"),
            ("copy", NONCE, "10.0.0.66"),
        ]
        FakePresence.latest.on_instance_gone("copy")
        assert ends == [(NONCE, "copy")]


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
async def test_a_flooded_network_is_left_for_a_while(network: set[OwnAddress], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLOODED_S", 0.2)
    async with device_in(network) as device:
        before = FakePresence.latest
        before.says("member", b"secret")
        before.on_flood()
        while not before.closed:
            await asyncio.sleep(0)
        assert device.mdns.problem is not None
        assert "floods" in device.mdns.problem
        assert await device.gone.get() == NONCE
        await device.nonces.get()
        assert FakePresence.latest is not before
        while device.mdns.problem is not None:
            await asyncio.sleep(0)
        FakePresence.latest.says("member", b"secret")
        assert device.sightings.qsize() == 2


@pytest.mark.asyncio
async def test_more_instances_than_any_office_has_are_a_flood_and_those_that_left_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "INSTANCES_MAX", 3)
    floods, told = list[bool](), list[str]()
    presence = _Presence(
        frozenset({OwnAddress("127.0.0.1", 8, 1)}),
        *(lambda *_: None, lambda *_: None, told.append, lambda: floods.append(True)),
    )
    try:
        zeroconf, added, removed = presence._zeroconf.zeroconf, ServiceStateChange.Added, ServiceStateChange.Removed
        for number in range(20):
            name = f"{number}.{SERVICE_TYPE}"
            for change in (added, removed) if number < 10 else (added,):
                presence._on_change(zeroconf=zeroconf, service_type=SERVICE_TYPE, name=name, state_change=change)
    finally:
        await presence.close()
    assert len(told) == 13
    assert len(floods) == 7


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
    device = Ears(interfaces=None)
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

"""Members and ticket holders find each other in the local network; to everybody else they are noise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from p2psync.net import mdns as module
from p2psync.net.dialer import Address, Match, Sighting
from p2psync.net.mdns import (
    TAGS_MAX,
    matching,
    parse_properties,
    properties_of,
)
from tests.lab import Lab, lan, requires_lab
from tests.net.ears import Ears

M, N = b"M" * 16, b"N" * 16
NONCE = b"n" * 16
PROJECT = Path(__file__).parents[2]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see which sockets are open")


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
async def test_a_change_is_said_again_for_those_who_heard_a_late_answer_after_it(
    secret: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer held back may come after the change, and is kept for an hour."""
    monkeypatch.setattr(module, "STALE_S", 0.1)
    said: asyncio.Queue[bytes | None] = asyncio.Queue()
    update = AsyncZeroconf.async_update_service

    async def noted(zeroconf: AsyncZeroconf, info: AsyncServiceInfo) -> Any:
        said.put_nowait(info.text)
        return await update(zeroconf, info)

    monkeypatch.setattr(AsyncZeroconf, "async_update_service", noted)
    one, other = Ears(), Ears()
    async with one.running(), other.running():
        one.mdns.update({M: (secret,)}, 1)
        other.mdns.update({}, 0, {M: (secret,)})
        await other.sightings.get()
        one.mdns.update({M: (secret,), N: (secrets.token_bytes(32),)}, 1)
        assert await said.get() == await said.get()
    assert said.empty()


@pytest.mark.asyncio
async def test_two_members_see_each_other_come_and_go(secret: bytes) -> None:
    a, b = Ears(), Ears()
    a.mdns.update({M: (secret,)}, 1111)
    async with a.running():
        nonces = await a.nonces.get()
        b.mdns.update({M: (secret,)}, 2222)
        async with b.running():
            seen_by_b = await b.sightings.get()
            assert replace(seen_by_b, name="") == Sighting(
                nonces[0], (Match(M, secret),), (Address("127.0.0.1", 1111),)
            )
            seen = await a.sightings.get()
            assert seen.addresses == (Address("127.0.0.1", 2222),)
            assert (seen.nonce,) == await b.nonces.get()
        assert await a.gone.get() == seen.nonce
        assert await b.gone.get() == nonces[0]
    assert a.sightings.empty()


@pytest.mark.asyncio
async def test_who_holds_only_an_older_or_another_secret(secret: bytes) -> None:
    renewed, behind, stranger = Ears(), Ears(), Ears()
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
    inviter, joiner = Ears(), Ears()
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
    a, b = Ears(), Ears()
    a.mdns.update({key: (key + secret,) for key in keys}, 1)
    b.mdns.update({}, 0, sought={keys[-1]: (keys[-1] + secret,), keys[0]: (keys[0] + secret,)})
    async with a.running(), b.running():
        assert {match.key for match in (await b.sightings.get()).matches} == {keys[0], keys[-1]}


@pytest.mark.asyncio
async def test_an_announcement_is_renewed(secret: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its successor is there before it goes, and opens the same doors meanwhile."""
    a, b = Ears(), Ears()
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
    a, b = Ears(), Ears()
    b.mdns.update({M: (secret,)}, 2)
    assert mdns_sockets() == 0
    async with b.running():
        await b.nonces.get()
        only_bs = mdns_sockets()
        assert only_bs > 0
        async with a.running():
            a.mdns.update({M: (secret,)}, 1)
            await b.sightings.get()
            await a.sightings.get()
            assert mdns_sockets() > only_bs
            a.mdns.update({}, 1)
            await b.gone.get()
            await a.gone.get()
        assert mdns_sockets() == only_bs
    assert mdns_sockets() == 0


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

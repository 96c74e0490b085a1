"""What is seen of the PC, its network and its hosts is judged as it should be, with a daemon and without one."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from p2psync.checkup import Finding, Sign
from p2psync.daemon import examining
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.client import Status
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.store.lock import HomeLock
from tests.daemon.homes import Pc, pcs
from tests.daemon.meetings import meeting_host
from tests.rendezvous.hosting import address_of, hosting

HOST = HostAddress("meet.example.com")


def signs(found: list[Finding]) -> list[Sign]:
    return [one.sign for one in found]


# -- hosts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "release", "expected"),
    [
        ("Linux", "6.1.0-13-amd64", Sign.SYSTEM_FIT),
        ("Linux", "2.6.32", Sign.SYSTEM_OLD),
        ("Windows", "10", Sign.SYSTEM_FIT),
        ("Windows", "2019Server", Sign.SYSTEM_FIT),
        ("Windows", "7", Sign.SYSTEM_OLD),
        ("Darwin", "20.1.0", Sign.SYSTEM_FIT),
        ("Darwin", "16.7.0", Sign.SYSTEM_OLD),
        ("FreeBSD", "14.0", Sign.SYSTEM_UNTRIED),
    ],
)
def test_systems_that_are_too_old_are_told(system: str, release: str, expected: Sign) -> None:
    assert examining.of_system(system, release).sign is expected


@pytest.mark.asyncio
async def test_without_a_host_little_is_known() -> None:
    assert signs(await examining.of_hosts([], [])) == [Sign.CLOCK_UNKNOWN, Sign.NAT_UNKNOWN, Sign.HOST_NONE]


@pytest.mark.asyncio
async def test_a_host_that_was_not_visited_is_called(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        address = address_of(server)
        for known in ([], [(address, Status())]):
            found = await examining.of_hosts(known, [address, address])
            assert signs(found) == [Sign.CLOCK_RIGHT, Sign.NAT_NONE, Sign.HOST_ANSWERS, Sign.RELAY_ALLOWED]
            assert found[2].about == address.url


@pytest.mark.asyncio
async def test_what_is_known_of_a_host_is_told_as_it_is() -> None:
    found = await examining.of_hosts([(HOST, Status(problem="It is on fire."))], [HOST])
    assert signs(found) == [Sign.CLOCK_UNKNOWN, Sign.NAT_UNKNOWN, Sign.HOST_TROUBLE]
    assert found[-1].facts == {"reason": "It is on fire."}


# -- this PC -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "addresses", "expected"),
    [
        (0, [], Sign.QUIET),
        (4711, [], Sign.LISTENING_ALONE),
        (4711, ["127.0.0.1:4711", "[::1]:4711"], Sign.LISTENING_ALONE),
        (4711, ["127.0.0.1:4711", "192.168.1.5:4711"], Sign.LISTENING),
        (4711, ["office.example.com:4711"], Sign.LISTENING),
    ],
)
def test_where_it_can_be_called(port: int, addresses: list[str], expected: Sign) -> None:
    assert examining.of_network(port, addresses).sign is expected


def test_mdns() -> None:
    told = [examining.of_mdns(True, None), examining.of_mdns(False, None), examining.of_mdns(True, "No.")]
    assert signs(told) == [Sign.MDNS_WORKS, Sign.MDNS_OFF, Sign.MDNS_FAILED]


@pytest.mark.asyncio
async def test_folders_that_are_there_gone_emptied_and_in_a_cloud(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        assert signs(examining.of_folders([("Cargo", pc.folder)])) == [Sign.FOLDER_SOUND, Sign.DISK_ROOM]
    (tmp_path / "Dropbox").mkdir()
    moved = pc.folder.rename(tmp_path / "Dropbox" / "Cargo")
    (gone,) = examining.of_folders([("Cargo", pc.folder)])
    assert (gone.sign, gone.about, gone.facts["code"]) == (Sign.FOLDER_PROBLEM, "Cargo", "folder-gone")
    in_cloud, _disk = examining.of_folders([("Cargo", moved)])
    assert in_cloud.sign is Sign.FOLDER_IN_CLOUD
    assert "Dropbox synchronises" in str(in_cloud.facts["reason"])
    shutil.rmtree(moved / ".p2psync")
    emptied, _disk = examining.of_folders([("Cargo", moved)])
    assert emptied.facts["code"] == "folder-marker-gone"


@pytest.mark.asyncio
async def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
        assert examining.of_folders([("Cargo", pc.folder)])[0].facts["code"] == "read-only"


@pytest.mark.parametrize(
    ("free", "expected"), [(1 << 40, Sign.DISK_ROOM), (1 << 29, Sign.DISK_SHORT), (1 << 20, Sign.DISK_FULL)]
)
def test_how_much_room_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: Sign) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(free, 0, free))
    _folder, disk = examining.of_folders([("Cargo", tmp_path)])
    assert (disk.sign, disk.facts["free_bytes"]) == (expected, free)


# -- mandates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("clock-wrong", Sign.CLOCK_PROBLEM),
        ("folder-gone", Sign.FOLDER_PROBLEM),
        ("device-cloned", Sign.MANDATE_PROBLEM),
        ("of-a-newer-daemon", Sign.MANDATE_PROBLEM),
    ],
)
def test_problems_are_told_where_they_belong(code: str, expected: Sign) -> None:
    assert examining.of_problem("Cargo", {"path": "", "code": code}).sign is expected


@pytest.mark.parametrize(("connected", "expected"), [(True, Sign.MEMBER_CONNECTED), (False, Sign.MEMBER_AWAY)])
def test_members(connected: bool, expected: Sign) -> None:
    peer = {"connected": connected, "device": "AB", "name": "home", "path": None, "not_better": [], "last_seen": None}
    found = examining.of_member("Cargo", peer)
    assert (found.sign, found.about, found.facts["member"]) == (expected, "AB", "home")


# -- without a daemon --------------------------------------------------------------------------------------------------


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = examining.alone(tmp_path / "home")
    assert signs(found) == [Sign.DAEMON_OFF, Sign.SYSTEM_FIT, Sign.CLOCK_UNKNOWN, Sign.NAT_UNKNOWN, Sign.HOST_NONE]
    assert not (tmp_path / "home").exists()


@pytest.mark.asyncio
async def test_a_home_whose_daemon_is_off_speaks_of_its_folders_and_hosts(tmp_path: Path) -> None:
    async with meeting_host(tmp_path) as server:
        address = address_of(server)
        pc = Pc(tmp_path, "pc", rendezvous=(str(address),))
        await pc.start()
        await pc.create()
        await pc.stop()
        assert examining.subject_of(pc.config.home) == examining.Subject((("Cargo", pc.folder),), (address,))
        lock = HomeLock(pc.config.home)
        found = by_sign(await in_a_thread(pc.config.home))
        assert "already runs" in str(found[Sign.DATABASE_TROUBLE]["reason"])
        lock.release()
        found = by_sign(await in_a_thread(pc.config.home))
        assert {Sign.DAEMON_OFF, Sign.HOST_ANSWERS, Sign.CLOCK_RIGHT, Sign.FOLDER_SOUND} <= found.keys()
    (pc.config.home / "p2psync.db").write_bytes(b"no database" * 1000)
    assert Sign.DATABASE_TROUBLE in by_sign(await in_a_thread(pc.config.home))


async def in_a_thread(home: Path) -> list[Finding]:
    """A command has no event loop of its own."""
    return await asyncio.to_thread(examining.alone, home)


def by_sign(found: list[Finding]) -> Mapping[Sign, Mapping[str, Any]]:
    return {one.sign: one.facts for one in found}

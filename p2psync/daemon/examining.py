"""Looks at what a device needs from its PC and its network, with or without a running daemon: what `doctor` tells."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from p2psync.checkup import Finding, Sign
from p2psync.core.address import host_and_port
from p2psync.core.block import verify_ed25519
from p2psync.core.problem import Code
from p2psync.core.value import value
from p2psync.daemon.config import Config
from p2psync.daemon.finding import hosts, way_out
from p2psync.daemon.finding.places import hosts_among
from p2psync.daemon.rescue import DATABASE_FILE
from p2psync.engine.device import Device
from p2psync.engine.ledger import Keys
from p2psync.errors import P2PSyncError
from p2psync.fs.folder import Folder
from p2psync.i18n import said
from p2psync.net.addresses import all_addresses, is_loopback
from p2psync.net.identity import Identity
from p2psync.proxies import NO_PROXIES, Proxies
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.store.database import Database
from p2psync.store.lock import HomeLock
from p2psync.store.records import Records
from p2psync.store.state import SqliteDeviceState

if TYPE_CHECKING:
    from p2psync.rendezvous.client import Status

OLDEST: Mapping[str, int] = {"Linux": 4, "Darwin": 20, "Windows": 10}
"""By system the major version that will do: of Windows, of the kernel elsewhere; macOS 11 has the kernel 20."""
FREE_ENOUGH_BYTES = 1 << 30
FREE_LEAST_BYTES = 64 << 20
"""With less, a big file does not fit any more."""


@value
class Subject:
    """What is to be looked at."""

    folders: tuple[tuple[str, Path], ...] = ()
    """By name of the mandate."""
    hosts: tuple[HostAddress, ...] = ()
    proxies: Proxies = field(default_factory=Proxies)
    """By which the hosts are called."""


def alone(home: Path) -> list[Finding]:
    """Everything that can be seen while no daemon runs. Takes up to half a minute where hosts do not answer."""
    try:
        subject, trouble = subject_of(home), []
    except P2PSyncError as error:
        subject, trouble = Subject(), [Finding(Sign.DATABASE_TROUBLE, facts={"reason": said(error)})]
    found = [Finding(Sign.DAEMON_OFF, facts={"home": str(home)}), of_system(), *trouble]
    return found + asyncio.run(_of(subject))


async def _of(subject: Subject) -> list[Finding]:
    return [*await of_hosts([], subject.hosts, subject.proxies), *of_folders(subject.folders)]


def subject_of(home: Path) -> Subject:
    """What a home that no daemon has open speaks of. Raises HomeInUse, or StoreError."""
    if not (home / DATABASE_FILE).exists():
        return Subject()
    lock = HomeLock(home)
    try:
        database = Database.open(home / DATABASE_FILE)
        try:
            return _read(home, database)
        finally:
            database.close()
    finally:
        lock.release()


def _read(home: Path, database: Database) -> Subject:
    identity, records = Identity.load_or_create(home), Records(database)
    keys = Keys(identity.device, identity.sign, verify_ed25519)
    device = Device(keys, SqliteDeviceState(database), SystemRandom(), "", "")
    config, _dropped = hosts.settled(way_out.settled(Config(home=home), database), database)
    mandates = sorted(device.mandates.values(), key=lambda m: (m.name.casefold(), m.id))
    met = [hosts.hosts_of(m, config.rendezvous, records.addresses(m.id)) for m in mandates if m.is_shared]
    folders = [(m.name, m.state.get("folder")) for m in mandates]
    return Subject(
        tuple((name, Path(folder)) for name, folder in folders if isinstance(folder, str)),
        tuple(dict.fromkeys([*hosts_among(config.rendezvous), *(host for several in met for host in several)])),
        Proxies(config.proxy),
    )


def of_system(system: str = "", release: str = "") -> Finding:
    """`system` as "Darwin", `release` as "20.1.0": those of this PC unless they are given."""
    system, release = system or platform.system(), release or platform.release()
    facts = {"system": system, "release": release}
    if system not in OLDEST:
        return Finding(Sign.SYSTEM_UNTRIED, facts=facts)
    major = re.match(r"\d+", release)
    too_old = major is not None and int(major[0]) < OLDEST[system]
    return Finding(Sign.SYSTEM_OLD if too_old else Sign.SYSTEM_FIT, facts=facts)


# -- meeting hosts -----------------------------------------------------------------------------------------------------


async def of_hosts(
    known: Sequence[tuple[HostAddress, Status]], named: Iterable[HostAddress], proxies: Proxies = NO_PROXIES
) -> list[Finding]:
    """How it stands with meeting hosts, and what follows of clock and network.

    `known`: those at which this device is, or tries to be; those of `named` of which nothing is known are called.
    """
    from p2psync.rendezvous.client import probe

    standing = {address: status for address, status in known if status.connected or status.problem}
    uncalled = [address for address in dict.fromkeys([*(a for a, _ in known), *named]) if address not in standing]
    probed = await asyncio.gather(*(probe(address, proxies=proxies) for address in uncalled))
    standing |= dict(zip(uncalled, probed, strict=True))
    if not standing:
        return [Finding(Sign.CLOCK_UNKNOWN), Finding(Sign.NAT_UNKNOWN), Finding(Sign.HOST_NONE)]
    found = [*_of_clock(standing), *await _of_nat([a for a, status in standing.items() if status.connected])]
    for address, status in sorted(standing.items(), key=lambda one: one[0].url):
        found += _of_host(address, status)
    return found


def _of_clock(standing: dict[HostAddress, Status]) -> list[Finding]:
    """A host that is connected has no other trouble that is told before a wrong clock."""
    from p2psync.rendezvous.protocol.topics import CLOCKS_DIFFER_MAX_S

    connected = [(address, status) for address, status in standing.items() if status.connected]
    off = [(a, status) for a, status in connected if abs(status.clock_off_s) >= CLOCKS_DIFFER_MAX_S]
    if off:
        return [Finding(Sign.CLOCK_OFF, a.url, {"reason": status.problem}) for a, status in off]
    if connected:
        return [Finding(Sign.CLOCK_RIGHT, facts={"host": connected[0][0].url})]
    return [Finding(Sign.CLOCK_UNKNOWN)]


def _of_host(address: HostAddress, status: Status) -> list[Finding]:
    from p2psync.rendezvous.protocol.messages import Reason
    from p2psync.rendezvous.protocol.topics import CLOCKS_DIFFER_MAX_S
    from p2psync.rendezvous.words import refusal

    url = address.url
    if status.problem and abs(status.clock_off_s) < CLOCKS_DIFFER_MAX_S:
        return [Finding(Sign.HOST_TROUBLE, url, {"reason": status.problem})]
    if status.relay:
        relay = Finding(Sign.RELAY_ALLOWED, url, {"host": url})
    else:
        relay = Finding(Sign.RELAY_REFUSED, url, {"reason": str(refusal(address, Reason.NO_RELAY))})
    return [Finding(Sign.HOST_ANSWERS, url, {"host": url}), relay]


async def _of_nat(answering: list[HostAddress]) -> list[Finding]:
    from p2psync.rendezvous.reflection import Nat, nat_of, reflected

    if not answering:
        return [Finding(Sign.NAT_UNKNOWN)]
    seen = await reflected(answering)
    places = sorted({host_and_port(*place) for place in seen.values() if place is not None})
    facts = {"address": ", ".join(places), "host": ", ".join(address.url for address in answering)}
    signs = {
        Nat.NONE: Sign.NAT_NONE,
        Nat.PLAIN: Sign.NAT_PLAIN,
        Nat.SYMMETRIC: Sign.NAT_SYMMETRIC,
        Nat.BLOCKED: Sign.UDP_BLOCKED,
    }
    return [Finding(signs[nat_of({one.ip for one in all_addresses()}, seen.values())], facts=facts)]


# -- this PC -----------------------------------------------------------------------------------------------------------


def of_network(port: int, addresses: Sequence[str]) -> Finding:
    """Where this device can be called. `port`: 0 while it listens to nobody; `addresses`: HOST:PORT each."""
    if not port:
        return Finding(Sign.QUIET)
    alone = all(is_loopback(address.rpartition(":")[0].strip("[]")) for address in addresses)
    sign = Sign.LISTENING_ALONE if alone else Sign.LISTENING
    return Finding(sign, facts={"addresses": ", ".join(addresses) or f"*:{port}"})


def of_mdns(is_wanted: bool, problem: str | None) -> Finding:
    if problem is not None:
        return Finding(Sign.MDNS_FAILED, facts={"reason": problem})
    return Finding(Sign.MDNS_WORKS if is_wanted else Sign.MDNS_OFF)


def of_folders(folders: Iterable[tuple[str, Path]]) -> list[Finding]:
    """Whether each folder is there, may be written, and is nobody else's; and how much room there is. For threads."""
    found = []
    for mandate, root in folders:
        found.append(_of_folder(mandate, root))
        found += _of_disk(root)
    return found


def _of_folder(mandate: str, root: Path) -> Finding:
    folder = Folder(root)
    code = folder.trouble()
    if code is None and not os.access(root, os.W_OK | os.X_OK):
        code = Code.READ_ONLY
    if code is not None:
        return of_problem(mandate, {"path": "", "code": code.value, "detail": "", "device": None})
    in_cloud = folder.in_cloud()
    if in_cloud is not None:
        return Finding(Sign.FOLDER_IN_CLOUD, mandate, {"reason": in_cloud})
    return Finding(Sign.FOLDER_SOUND, mandate, {"mandate": mandate, "folder": str(root)})


def _of_disk(root: Path) -> list[Finding]:
    try:
        free = shutil.disk_usage(root).free
    except OSError:
        return []
    sign = Sign.DISK_ROOM if free >= FREE_ENOUGH_BYTES else Sign.DISK_SHORT
    sign = sign if free >= FREE_LEAST_BYTES else Sign.DISK_FULL
    return [Finding(sign, str(root), {"folder": str(root), "free_bytes": free})]


# -- mandates ----------------------------------------------------------------------------------------------------------

OF_FOLDERS = frozenset(
    {Code.FOLDER_GONE, Code.FOLDER_MARKER_GONE, Code.READ_ONLY, Code.DISK_FULL, Code.DISK_ERROR, Code.UNREADABLE}
)


def of_problem(mandate: str, problem: dict[str, object]) -> Finding:
    """One row of a mandate's problems, as `status` has it."""
    sign = Sign.FOLDER_PROBLEM if problem["code"] in OF_FOLDERS else Sign.MANDATE_PROBLEM
    if problem["code"] == Code.CLOCK_WRONG:
        sign = Sign.CLOCK_PROBLEM
    return Finding(sign, mandate, {"mandate": mandate, **problem})


def of_member(mandate: str, peer: dict[str, object]) -> Finding:
    """The way to one member, as `status` has it."""
    sign = Sign.MEMBER_CONNECTED if peer["connected"] else Sign.MEMBER_AWAY
    told = {key: peer[key] for key in ("path", "not_better", "last_seen")}
    return Finding(sign, str(peer["device"]), {"mandate": mandate, "member": peer["name"], **told})

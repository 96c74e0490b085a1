"""Meeting the other devices: who is trusted, where we listen, what we announce, whom we dial.

All of it follows from a `Survey` of what the device knows, taken anew whenever that changed. With nothing to meet
anybody for, no socket is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import field
from functools import partial
from random import SystemRandom

from p2psync.core.address import host_and_port
from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import mutable, value
from p2psync.core.ways import NEAR
from p2psync.daemon.config import Config, Endpoint
from p2psync.daemon.finding.correspondence import Guest
from p2psync.daemon.finding.meeting import Meeting, OnGuests, meeting_rooms
from p2psync.daemon.finding.port_mapping import PortMapping
from p2psync.daemon.finding.strangers import Strangers
from p2psync.daemon.finding.wayfinding import OnCall, Wayfinder, Wires, plugged
from p2psync.daemon.linking.links import Links
from p2psync.daemon.linking.widening import Again
from p2psync.daemon.logs import EventLog
from p2psync.daemon.tasks import Tasks
from p2psync.errors import ConfigError, P2PSyncError, PeerRefused
from p2psync.i18n import said
from p2psync.net.addresses import all_addresses, own_addresses, parse_ip, reachable_at
from p2psync.net.dialer import Address, Attempt, Dialer, Sighting
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.mdns import Mdns
from p2psync.net.tls import Listener, dial
from p2psync.net.trust import Trust, TrustTable, tag_of
from p2psync.pair.ticket import ADDRESSES_MAX
from p2psync.proxies import SYSTEM, Proxies, is_local
from p2psync.rendezvous.protocol.address import HostAddress

NETWORK_LOOK_S = 2.0
NETWORK_IDLE_S = 30.0

OnPairing = Callable[[Link, bytes], None]
"""Takes a link of a newcomer, and the id of the ticket by whose tag it came."""


@value
class Survey:
    """What discovery needs to know of this device."""

    shared: Mapping[MandateId, Trust]
    """The mandates that are shared, with their members and secrets."""
    addresses: Mapping[MandateId, tuple[Address, ...]]
    """Where members may be found without mDNS."""
    doors: Mapping[bytes, bytes]
    """By id of a ticket that this device issued: the secret by which inviter and joiner meet."""
    removed: frozenset[MandateId] = frozenset()
    """Of the shared ones those that this device was removed from: it calls nobody there, but may be called."""
    hosts: Mapping[bytes, tuple[HostAddress, ...]] = field(default_factory=dict)
    """Where members of a mandate meet, and holders of a ticket."""
    keys: Mapping[bytes, bytes] = field(default_factory=dict)
    """By id: the private key that is shown at a door which strangers may find, instead of this device's."""


@mutable
class _Quest:
    """A joiner looks for the device that issued its ticket."""

    secret: bytes = field(repr=False)
    on_sighting: Callable[[Sighting], None]
    hosts: tuple[HostAddress, ...] = ()
    open: bool = False
    """Whether nobody knows who it is that is looked for."""


class Discovery:
    """All methods are for the event loop."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        links: Links,
        tasks: Tasks,
        survey: Callable[[], Awaitable[Survey]],
        keep_port: Callable[[int], Awaitable[None]],
        on_pairing: OnPairing,
        log: EventLog,
    ) -> None:
        """`keep_port` stores the port for the next run, so that known addresses stay right."""
        self._config = config
        self._identity = identity
        self._links = links
        self._tasks = tasks
        self._take_survey = survey
        self._keep_port = keep_port
        self._log = log
        self._table = TrustTable(identity)
        self._listener = Listener(self._table, self._inbound, on_pairing)
        self._dialer = Dialer(SystemRandom())
        wires = Wires(self._listener, self._inbound, self._heard_addresses, self.own_addresses, self._doubt)
        self.ways = Wayfinder(identity, tasks, wires, log, partial(plugged, turn=config.turn))
        self.proxies = Proxies(config.proxy or SYSTEM)
        on_guests = OnGuests(self.ways.found, self.ways.lost, self.ways.heard)
        self.meeting = Meeting(identity, tasks, on_guests, log, self.proxies)
        self.mapping = PortMapping(self._own_ips, lambda: self.port, self.ways.addresses_changed, log)
        self.strangers = Strangers(self._listener, tasks, log, self.proxies)
        self._hosts: Mapping[bytes, tuple[HostAddress, ...]] = {}
        self._open: frozenset[bytes] = frozenset()
        """The doors that strangers may find."""
        self._called: Mapping[MandateId, Trust] = {}
        self._shared: Mapping[MandateId, Trust] = {}
        self._doors: Mapping[bytes, bytes] = {}
        self._quests: dict[bytes, _Quest] = {}
        self._refusals: dict[MandateId, dict[Address, str]] = {}
        """What was said last at known addresses where this device was refused."""
        self._near_links: Counter[DeviceId] = Counter()
        self._dial_soon = asyncio.Event()
        self._renewal = asyncio.Lock()
        self._stopped = False
        self._working: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._mdns: Mdns | None = None
        self.preferred_port = 0
        """Of the last run; taken when a person named none and it is free."""

    @property
    def port(self) -> int:
        """Where this device listens; 0 while it does not."""
        return self._listener.port

    def finds_strangers(self, hosts: Collection[HostAddress]) -> bool:
        """Whether devices that share nothing yet can find each other, in this network or at one of these hosts."""
        return self._config.mdns or bool(hosts)

    @property
    def host_problems(self) -> list[str]:
        """Why meeting hosts cannot be visited, for people."""
        known = [status.problem for _address, status in self.meeting.statuses() if status.problem]
        return [*known, *self.strangers.problems]

    @property
    def mdns_problem(self) -> str | None:
        """Why others are not found in the local network, for people."""
        return self._mdns.problem if self._mdns is not None else None

    async def start(self) -> None:
        """Meet the others. Raises ConfigError if there is somebody to meet and the chosen address cannot be had."""
        if self._config.mdns:
            self._mdns = Mdns(
                on_sighting=self._sighted,
                on_gone=self._gone,
                on_nonces=self._announcing,
                on_network=self._network_changed,
                interfaces=self._config.mdns_interfaces,
            )
            self._working.append(self._tasks.keep(self._mdns.run, "mdns"))
        await self.renew()
        self._working.append(self._tasks.keep(self._dial, "dialer"))
        self._working.append(self._tasks.keep(self._renew_when_changed, "discovery"))
        if self._mdns is None:
            self._working.append(self._tasks.keep(self._watch_network, "network"))
        if self._config.port_mapping:
            self._working.append(self._tasks.keep(self.mapping.keep, "port mapping"))

    async def stop(self) -> None:
        """For good: whatever changes from now on, no door is opened and nobody is called any more."""
        self._stopped = True
        for task in self._working:
            task.cancel()
        if self._working:
            await asyncio.wait(self._working)
        async with self._renewal:
            self.meeting.visit({})
            self.strangers.visit((), ())
            await self._listener.close()

    def changed(self) -> None:
        """Who may connect, or how others are found, is not what it was: to be looked at soon."""
        self._changed.set()

    async def renew(self) -> None:
        """Bring everything in line with what the device knows now. Raises ConfigError if it cannot listen."""
        async with self._renewal:
            if self._stopped:
                return
            survey = await self._take_survey()
            await asyncio.to_thread(self._table.update, survey.shared)
            await asyncio.to_thread(self._table.set_pairing, survey.doors, survey.keys)
            self._shared, self._doors = survey.shared, survey.doors
            expected = {device for trust in survey.shared.values() for device in (*trust.members, *trust.former)}
            self._links.close_strangers(expected)
            await self._listen_if_wanted()
            now_s = self._now_s()
            called = {m: trust for m, trust in survey.shared.items() if m not in survey.removed}
            self._dialer.set_mandates({m: (*trust.secrets, *trust.outdated) for m, trust in called.items()}, now_s)
            for mandate in survey.shared:
                self._dialer.set_addresses(mandate, survey.addresses.get(mandate, ()), now_s)
            self._hosts, self._called = survey.hosts, called
            self._open = frozenset(survey.keys)
            self.ways.update(called, survey.doors)
            self._meet()
            far = any(not is_local(host) for several in survey.addresses.values() for host, _port in several)
            self.mapping.want(bool(self.port) and (far or bool(self.meeting.statuses())))
            self._announce()
            self._dial_soon.set()

    def own_addresses(self) -> tuple[str, ...]:
        """Where this device may be reached, as a ticket says it: HOST:PORT, the most promising first."""
        own = sorted(self._own_ips())
        near = [host_and_port(ip, self.port) for ip in own if ":" not in ip]
        mapped = [self.mapping.address] if self.mapping.address is not None else []
        far = [host_and_port(ip, self.port) for ip in own if ":" in ip]
        return (*near[: ADDRESSES_MAX - len(mapped)], *mapped, *far)[:ADDRESSES_MAX]

    def _own_ips(self) -> list[str]:
        """Where this device listens and others may come to."""
        return [ip for ip in reachable_at(self._config.listen.host) if not _is_link_local(ip)]

    # -- looking for an inviter ------------------------------------------------------------------------

    def seek(self, ticket: bytes, secret: bytes, on_sighting: Callable[[Sighting], None]) -> None:
        """Look for the device that announces a ticket; each of its announcements is told."""
        self._quests[ticket] = _Quest(secret, on_sighting)
        self._announce()

    def seek_at(self, hosts: tuple[HostAddress, ...], ticket: bytes, inviter: DeviceId | None, on_call: OnCall) -> None:
        """Look for the same device at meeting hosts too; whenever it is there, it is told how to call it.

        If it is not known which one it is, whoever knows the secret is told of, and hears no name of this one.
        """
        quest = self._quests[ticket]
        quest.hosts = hosts
        quest.open = inviter is None
        if inviter is None:
            self.strangers.seek(ticket, quest.secret, on_call)
        else:
            self.ways.seek(ticket, quest.secret, inviter, on_call)
        self._meet()

    def stop_seeking(self, ticket: bytes) -> None:
        self._quests.pop(ticket, None)
        self.ways.stop_seeking(ticket)
        self.strangers.stop_seeking(ticket)
        self._announce()
        self._meet()

    # -- meeting hosts ---------------------------------------------------------------------------------

    def hosts(self, mandate: MandateId) -> tuple[HostAddress, ...]:
        """Where its members meet."""
        return self._hosts.get(mandate, ())

    def _meet(self) -> None:
        """Be at the hosts where somebody may be met."""
        if self._stopped:
            return
        meetings = [(mandate, trust, self.hosts(mandate)) for mandate, trust in self._called.items()]
        holders = [(t, secret, self._hosts.get(t, ()), t in self._open) for t, secret in self._doors.items()]
        holders += [(t, quest.secret, quest.hosts, quest.open) for t, quest in self._quests.items()]
        known = [holder[:3] for holder in holders if not holder[3]]
        self.meeting.visit(meeting_rooms(self._identity.device, meetings, known))
        self.strangers.visit([holder[:3] for holder in holders if holder[3]], self._open)

    def _heard_addresses(self, device: DeviceId, mandate: MandateId, addresses: tuple[Address, ...]) -> None:
        self._dialer.heard(device, mandate, addresses, self._now_s())
        self._dial_soon.set()

    def _doubt(self, guest: Guest) -> None:
        self.meeting.doubt(guest.host)

    # -- listening and announcing ----------------------------------------------------------------------

    async def _renew_when_changed(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.renew()
            except P2PSyncError as error:
                self._log.event("discovery.failed", reason=error)

    async def _listen_if_wanted(self) -> None:
        if self._table and not self._listener.port:
            await self._listen(self._config.listen)
            if self.preferred_port != self._listener.port:
                self.preferred_port = self._listener.port
                await self._keep_port(self._listener.port)
            self._log.event("listening", port=self._listener.port)
        elif not self._table and self._listener.port:
            await self._listener.close()

    async def _listen(self, at: Endpoint) -> None:
        if at.port or not self.preferred_port:
            await self._listener.start(at.host, at.port)
            return
        try:
            await self._listener.start(at.host, self.preferred_port)
        except ConfigError:
            await self._listener.start(at.host, 0)

    def _announce(self) -> None:
        if self._mdns is None:
            return
        announced: dict[bytes, tuple[bytes, ...]] = {bytes(m): trust.secrets for m, trust in self._shared.items()}
        announced.update({ticket: (secret,) for ticket, secret in self._doors.items()})
        sought: dict[bytes, tuple[bytes, ...]] = {ticket: (quest.secret,) for ticket, quest in self._quests.items()}
        sought.update({bytes(m): trust.outdated for m, trust in self._shared.items() if trust.outdated})
        self._mdns.update(announced, self._listener.port, sought)

    def _announcing(self, nonces: tuple[bytes, ...]) -> None:
        self._table.set_nonces(nonces)
        self._dialer.set_own_nonces(nonces)

    def _sighted(self, sighting: Sighting) -> None:
        self._dialer.sighted(sighting, self._now_s())
        for match in sighting.matches:
            quest = self._quests.get(match.key)
            if quest is not None:
                quest.on_sighting(sighting)
        self._dial_soon.set()

    def _gone(self, nonce: bytes, name: str) -> None:
        self._dialer.gone(nonce, name)

    def _network_changed(self) -> None:
        self._links.moved({str(parse_ip(a.ip)) for a in all_addresses()})
        self.meeting.network_changed()
        self.strangers.network_changed()
        self.ways.network_changed()
        self.mapping.network_changed()
        self._dialer.network_changed(self._now_s())
        self._dial_soon.set()

    async def _watch_network(self) -> None:
        """Where mDNS does not: a PC that moved has to call its meeting hosts anew."""
        known = own_addresses()
        while True:
            await asyncio.sleep(NETWORK_LOOK_S if self.meeting.statuses() else NETWORK_IDLE_S)
            if self.meeting.statuses() and known != (known := own_addresses()):
                self._network_changed()

    # -- links -----------------------------------------------------------------------------------------

    def _inbound(self, link: Link, again: Again | None = None) -> None:
        self._links.add(link, partial(self._linked, link), partial(self._unlinked, link), again)

    async def _dial(self) -> None:
        while True:
            self._dial_soon.clear()
            for attempt in self._dialer.next_attempts(self._now_s()):
                self._tasks.start(self._try(attempt), f"dial {attempt.address.host}")
            wake_at_s = self._dialer.wake_at()
            with contextlib.suppress(TimeoutError):
                rest_s = None if wake_at_s is None else max(0.0, wake_at_s - self._now_s())
                async with asyncio.timeout(rest_s):  # wait_for of Python 3.11 may swallow the cancellation
                    await self._dial_soon.wait()

    async def _try(self, attempt: Attempt) -> None:
        try:
            link = await self._reach(attempt)
        except (P2PSyncError, OSError) as error:
            self._log.event("dial.failed", address=attempt.address, reason=error)
            if isinstance(error, PeerRefused) and _is_known(attempt):
                self._refusals.setdefault(attempt.mandate, {})[attempt.address] = said(error)
            if attempt.device is not None:
                self.ways.not_direct(attempt.device, said(error))
            self._failed(attempt)
        else:
            self._refusals.get(attempt.mandate, {}).pop(attempt.address, None)
            connected, ended = partial(self._connected, attempt, link), partial(self._ended, attempt, link)
            self._links.add(link, connected, ended, partial(self._reach, attempt))

    async def _reach(self, attempt: Attempt) -> Link:
        """Raises P2PSyncError, or OSError."""
        trust = self._shared.get(attempt.mandate)
        host, port = attempt.address
        tag = tag_of(attempt.secret, attempt.nonce, time.time())
        if trust is None or self._stopped:
            raise ConfigError("The mandate is not shared any more.")
        return await dial(host, port, tag, trust, self._identity, proxies=self.proxies)

    def next_attempt(self, device: DeviceId, mandate: MandateId) -> float | None:
        """When a member is tried to be reached next, by the loop's clock; None if nobody knows yet where it is."""
        times = (self._dialer.next_call(device, mandate, self._now_s()), self.ways.next_attempt(device))
        return min((at_s for at_s in times if at_s is not None), default=None)

    def refused_at(self, mandate: MandateId, addresses: Collection[str]) -> list[str]:
        """Of these known addresses of a mandate, where this device is refused, and in which words."""
        found = self._refusals.get(mandate, {})
        return [reason for address, reason in sorted(found.items()) if str(address) in addresses]

    def _failed(self, attempt: Attempt) -> None:
        self._dialer.failed(attempt, self._now_s())
        self._dial_soon.set()

    def _connected(self, attempt: Attempt, link: Link) -> None:
        device = link.remote
        if device == self._identity.device:
            return  # this device itself, or a copy of it: neither is of any use
        self._dialer.connected(attempt, device, self._now_s())
        self._count(device, link.way)

    def _ended(self, attempt: Attempt, link: Link, heard: bool) -> None:
        if heard and link.remote != self._identity.device:
            self._unlinked(link, heard)
        else:
            self._failed(attempt)

    def _linked(self, link: Link) -> None:
        if link.way in NEAR:
            self._dialer.linked(link.remote, self._now_s())
        self._count(link.remote, link.way)

    def _count(self, device: DeviceId, way: str) -> None:
        """The dialer knows plain connections only: where there is another one, it goes on."""
        if way in NEAR:
            self._near_links[device] += 1
        self.ways.linked(device, way)

    def _unlinked(self, link: Link, heard: bool) -> None:
        if not heard:
            return
        device = link.remote
        self.ways.unlinked(device, link.way)
        if link.way not in NEAR:
            return
        self._near_links[device] -= 1
        if self._near_links[device] == 0:
            del self._near_links[device]
            self._dialer.lost(device, self._now_s())
            self._dial_soon.set()

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _is_link_local(ip: str) -> bool:
    parsed = parse_ip(ip)
    return parsed is not None and parsed.is_link_local


def _is_known(attempt: Attempt) -> bool:
    """Whether a person or a ticket named the address; its door opens by the day, and so by both clocks."""
    return attempt.nonce is None and attempt.device is None

"""The meeting hosts that this device visits: whom it meets there, and how it stands with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from random import SystemRandom
from typing import TYPE_CHECKING

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import mutable, value
from p2psync.daemon.finding.correspondence import Guest
from p2psync.daemon.logs import EventLog
from p2psync.daemon.tasks import Tasks
from p2psync.net.identity import Identity
from p2psync.net.trust import Trust
from p2psync.proxies import Proxies

if TYPE_CHECKING:
    from p2psync.rendezvous.client import Client, Status
    from p2psync.rendezvous.protocol.acquaintances import Peer
    from p2psync.rendezvous.protocol.address import HostAddress
    from p2psync.rendezvous.protocol.envelope import Kind
    from p2psync.rendezvous.protocol.lobby import Room

DOUBT_EVERY_S = 10.0
"""A connection is given up on a mere doubt no more often than this."""
AFTER_A_FAILURE_S = 60.0


@value
class OnGuests:
    """Who wants to hear of those that are at a host; called in the event loop."""

    found: Callable[[Guest], None]
    lost: Callable[[Guest], None]
    heard: Callable[[Guest, Kind, bytes], None]


@mutable
class _Visit:
    client: Client
    task: asyncio.Task[None]
    renewed_at_s: float


def meeting_rooms(
    own: DeviceId,
    mandates: Iterable[tuple[MandateId, Trust, tuple[HostAddress, ...]]],
    tickets: Iterable[tuple[bytes, bytes, tuple[HostAddress, ...]]],
) -> dict[HostAddress, dict[bytes, Room]]:
    """Whom to meet where: the members of mandates, those of tickets that know the secret; each at these hosts."""
    rooms: dict[HostAddress, dict[bytes, Room]] = {}
    for mandate, trust, hosts in mandates:
        members = frozenset({*trust.members, *trust.former}) - {own}
        for host in hosts if members else ():
            rooms.setdefault(host, {})[mandate] = _room((*trust.secrets, *trust.outdated), members)
    for ticket, secret, hosts in tickets:
        for host in hosts:
            rooms.setdefault(host, {})[ticket] = _room((secret,), None)
    return rooms


def _room(secrets: tuple[bytes, ...], members: frozenset[DeviceId] | None) -> Room:
    from p2psync.rendezvous.protocol.lobby import Room

    return Room(secrets, members)


class Meeting:
    """With no host to visit, nothing of `rendezvous` is even loaded. All methods are for the event loop."""

    def __init__(self, identity: Identity, tasks: Tasks, on_guests: OnGuests, log: EventLog, proxies: Proxies) -> None:
        self._identity = identity
        self._tasks = tasks
        self._on = on_guests
        self._log = log
        self._proxies = proxies
        self._visits: dict[HostAddress, _Visit] = {}

    def visit(self, wanted: Mapping[HostAddress, Mapping[bytes, Room]]) -> None:
        """Be at these hosts, in these rooms, and nowhere else."""
        for address in [address for address in self._visits if not wanted.get(address)]:
            visit = self._visits.pop(address)
            visit.client.set_rooms({})
            visit.task.cancel()
        for address, rooms in wanted.items():
            if rooms:
                self._visit_of(address).client.set_rooms(rooms)

    def statuses(self) -> list[tuple[HostAddress, Status]]:
        """How it stands with each host, in their order."""
        several = [(address, visit.client.status) for address, visit in self._visits.items()]
        return sorted(several, key=lambda one: one[0].url)

    def next_visit(self, address: HostAddress) -> float | None:
        """When a host is called again, by the loop's clock; None while it is called, or visited. From any thread."""
        visit = self._visits.get(address)
        return None if visit is None else visit.client.next_visit_s

    def network_changed(self) -> None:
        """Call all of them anew."""
        for visit in self._visits.values():
            visit.renewed_at_s = self._now_s()
            visit.client.network_changed()

    def doubt(self, client: Client) -> None:
        """A device that should be reachable is not: perhaps it is this device's own connection that is dead."""
        visit = self._visits.get(client.address)
        if visit is not None and self._now_s() - visit.renewed_at_s >= DOUBT_EVERY_S:
            visit.renewed_at_s = self._now_s()
            client.network_changed()

    def _visit_of(self, address: HostAddress) -> _Visit:
        visit = self._visits.get(address)
        if visit is None:
            client = self._client(address)
            task = self._tasks.start(self._keep(client), f"meeting host {address.url}")
            visit = self._visits[address] = _Visit(client, task, -DOUBT_EVERY_S)
        return visit

    def _client(self, address: HostAddress) -> Client:
        from p2psync.rendezvous.client import Client, Handlers

        def guest(peer: Peer) -> Guest:
            return Guest(client, peer)

        client = Client(
            address,
            self._identity.device,
            self._identity.sign,
            Handlers(
                found=lambda peer: self._on.found(guest(peer)),
                lost=lambda peer: self._on.lost(guest(peer)),
                heard=lambda peer, kind, body: self._on.heard(guest(peer), kind, body),
                changed=lambda status: self._note(address, status),
            ),
            SystemRandom(),
            proxies=self._proxies,
        )
        return client

    async def _keep(self, client: Client) -> None:
        """Whatever a host makes fail, it is not this device."""
        while True:
            try:
                await client.run()
            except Exception as error:
                self._log.failure("host.failed", error, host=client.address.url)
                await asyncio.sleep(AFTER_A_FAILURE_S)

    def _note(self, address: HostAddress, status: Status) -> None:
        self._log.event("host", url=address.url, connected=status.connected, problem=status.problem)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

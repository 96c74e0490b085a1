"""Meeting those at a host who share nothing with this device yet but the number of a spoken code.

Whoever tries all numbers, the host among them, can read what is said in such a room. So this device is there under a
key that it draws at each start, says no addresses, and goes no way but the relay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from p2psync.daemon.finding.meeting import Meeting, OnGuests, meeting_rooms
from p2psync.daemon.finding.relaying import Relay
from p2psync.daemon.finding.wayfinding import OnCall, Wayfinder, Wires
from p2psync.daemon.logs import EventLog
from p2psync.daemon.tasks import Tasks
from p2psync.net.identity import Identity
from p2psync.net.tls import Listener
from p2psync.pair.code import meeting_room
from p2psync.proxies import Proxies
from p2psync.rendezvous.protocol.address import HostAddress

Holder = tuple[bytes, bytes, tuple[HostAddress, ...]]
"""What is looked for or offered, the secret that follows from the number, and at which hosts."""


class Strangers:
    """All methods are for the event loop."""

    def __init__(self, listener: Listener, tasks: Tasks, log: EventLog, proxies: Proxies) -> None:
        self._identity = Identity.unkept()
        self._sought: dict[bytes, bytes] = {}
        """By key: the room."""
        wires = Wires(listener, lambda *_: None, lambda *_: None, tuple, lambda guest: None)
        self._ways = Wayfinder(self._identity, tasks, wires, log, lambda _crew: (Relay(),))
        on_guests = OnGuests(self._ways.found, self._ways.lost, self._ways.heard)
        self._meeting = Meeting(self._identity, tasks, on_guests, log, proxies)

    @property
    def problems(self) -> Sequence[str]:
        """Why hosts cannot be visited, for people."""
        return [status.problem for _address, status in self._meeting.statuses() if status.problem]

    def seek(self, key: bytes, secret: bytes, on_call: OnCall) -> None:
        """Whenever somebody is there who knows the secret, tell how to call it."""
        self._sought[key] = meeting_room(secret)
        self._ways.seek(meeting_room(secret), secret, None, on_call)

    def stop_seeking(self, key: bytes) -> None:
        if key in self._sought:
            self._ways.stop_seeking(self._sought.pop(key))

    def visit(self, holders: Iterable[Holder], doors: Collection[bytes]) -> None:
        """Be where these are to be met, and nowhere else; `doors`: those of them by which others may come."""
        several = list(holders)
        self._ways.update({}, {meeting_room(secret) for key, secret, _hosts in several if key in doors})
        rooms = [(meeting_room(secret), secret, hosts) for _key, secret, hosts in several]
        self._meeting.visit(meeting_rooms(self._identity.device, (), rooms))

    def network_changed(self) -> None:
        """Call all hosts anew."""
        self._meeting.network_changed()
        self._ways.network_changed()

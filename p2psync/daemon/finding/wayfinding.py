"""Finding ways to devices that are at a meeting host: all at once, the first that works, then a better one.

Of two devices the one with the lower id begins, and goes on as long as it has no better way left to try. What plain
TCP can reach is the dialer's: here both only tell each other their addresses.
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
from secrets import token_bytes
from typing import TYPE_CHECKING

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import mutable, value
from p2psync.core.ways import DIRECT, LANED, NEAR, rank
from p2psync.daemon.finding import whereabouts
from p2psync.daemon.finding.correspondence import ATTEMPT_BYTES, Correspondence, Guest
from p2psync.daemon.finding.relaying import Relay
from p2psync.daemon.linking.widening import Again
from p2psync.daemon.logs import EventLog
from p2psync.daemon.tasks import Tasks
from p2psync.errors import CodecError, ConfigError, LinkError, P2PSyncError
from p2psync.i18n import _, said
from p2psync.net.dialer import Address
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.punch import Punch
from p2psync.net.tls import Listener, dial_pairing_through, dial_through
from p2psync.net.trust import Trust, period_tag
from p2psync.net.way import MakeProtocol, Way
from p2psync.net.webrtc.servers import Turn
from p2psync.net.webrtc.way import WebRtc
from p2psync.system.tasks import Crew

if TYPE_CHECKING:
    from p2psync.rendezvous.protocol.envelope import Kind

REFUSAL = "refuse"
"""The letter by which either side gives an attempt up."""
WAY_S = 30.0
"""How long one attempt may take."""
ANSWERS_MAX = 64
"""Attempts of others that this device takes part in at a time."""
REST_MIN_S, REST_MAX_S = 0.5, 60.0
"""Between attempts on a device to which there is no link."""
LINKED_REST_MIN_S, LINKED_REST_MAX_S = 20.0, 900.0
"""The same when it is reached, but not well."""
DOUBT_AFTER_S = 0.3
"""A device whose link broke is at the host still: when to doubt that this one is. Who leaves, leaves both at once."""

Call = Callable[[], Awaitable[Link]]
"""Makes a link, or raises P2PSyncError or OSError."""
OnCall = Callable[[Call], None]
Carry = Callable[[MakeProtocol], Awaitable[asyncio.Transport]]


def plugged(crew: Crew, turn: Turn | None = None) -> tuple[Way, ...]:
    """All ways that have to be agreed on; `crew` carries what needs to be carried."""
    return Punch(), WebRtc(crew, turn), Relay()


@mutable
class _Course:
    """What is done to reach one device."""

    device: DeviceId
    guests: list[Guest] = field(default_factory=list)
    failures: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    seeking: asyncio.Task[None] | None = None
    attempts: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """By way."""
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)
    """By way: an attempt would take the place of another one."""
    reasons: dict[str, str] = field(default_factory=dict)
    """By way: why it was not to be had."""
    due_s: float | None = None
    """When all ways are tried again, by the loop's clock; None while they are tried, or if the other device begins."""


@value
class _Quest:
    inviter: DeviceId | None
    secret: bytes = field(repr=False)
    on_call: OnCall


@value
class Wires:
    """What the wayfinder is connected with."""

    listener: Listener
    on_link: Callable[[Link, Again | None], None]
    """Takes a link that this device began, and what makes another one the same way."""
    on_addresses: Callable[[DeviceId, MandateId, tuple[Address, ...]], None]
    """Hears where a member says that it may be found; nowhere when it is gone."""
    own_addresses: Callable[[], tuple[str, ...]]
    """Where this device may be found: HOST:PORT each."""
    doubt: Callable[[Guest], None]
    """The connection to the host at which this device is may be dead."""


class Wayfinder:
    """All methods are for the event loop."""

    def __init__(
        self,
        identity: Identity,
        tasks: Tasks,
        wires: Wires,
        log: EventLog,
        ways: Callable[[Crew], tuple[Way, ...]] = plugged,
    ) -> None:
        self._identity = identity
        self._tasks = tasks
        self._wires = wires
        self._log = log
        self._make_ways = ways
        self._ways: tuple[Way, ...] = ()
        self._random = SystemRandom()
        self._shared: Mapping[MandateId, Trust] = {}
        self._doors: Collection[bytes] = ()
        self._quests: dict[bytes, _Quest] = {}
        self._courses: dict[DeviceId, _Course] = {}
        self._links: dict[DeviceId, Counter[str]] = {}
        self._letters: dict[tuple[Guest, str], Correspondence] = {}
        """By guest and way: the attempt that goes on."""
        self._answers: dict[tuple[Guest, str], asyncio.Task[None]] = {}

    def update(self, shared: Mapping[MandateId, Trust], doors: Collection[bytes]) -> None:
        """Who may be called, and the tickets whose holders may call."""
        self._shared, self._doors = shared, doors

    def seek(self, ticket: bytes, secret: bytes, inviter: DeviceId | None, on_call: OnCall) -> None:
        """When the device that issued a ticket is at a host, tell how to call it; None: whoever holds the secret."""
        self._quests[ticket] = _Quest(inviter, secret, on_call)

    def stop_seeking(self, ticket: bytes) -> None:
        self._quests.pop(ticket, None)

    def why_not_better(self, device: DeviceId, way: str | None) -> list[tuple[str, str]]:
        """The ways that would be better than the one in use, best first, and for people why each is not to be had."""
        course = self._courses.get(device)
        limit = rank(way) if way is not None else rank("")
        reasons = course.reasons.items() if course is not None else ()
        return sorted(((name, why) for name, why in reasons if rank(name) < limit), key=lambda one: rank(one[0]))

    def next_attempt(self, device: DeviceId) -> float | None:
        """When this device tries to reach one at a host again; now if it is at it, None if that is not up to it."""
        course = self._courses.get(device)
        if course is None:
            return None
        return asyncio.get_running_loop().time() if course.attempts else course.due_s

    def not_direct(self, device: DeviceId, reason: str) -> None:
        """A plain connection to an address that the device told of came to nothing."""
        if device in self._courses:
            self._courses[device].reasons[DIRECT] = reason

    # -- links -----------------------------------------------------------------------------------------

    def linked(self, device: DeviceId, way: str) -> None:
        """There is a link on which something was heard."""
        self._links.setdefault(device, Counter())[way] += 1
        course = self._courses.get(device)
        if course is not None:
            course.reasons.pop(DIRECT if way in NEAR else way, None)
            for name, attempt in course.attempts.items():
                if rank(name) >= rank(way):
                    attempt.cancel()
            course.news.set()

    def unlinked(self, device: DeviceId, way: str) -> None:
        """It is gone."""
        links = self._links.get(device, Counter())
        links[way] -= 1
        links += Counter()
        if links:
            self._links[device] = links
        else:
            self._links.pop(device, None)
        course = self._courses.get(device)
        if course is not None:
            course.failures = 0
            course.news.set()
            if device not in self._links:
                self._tasks.start(self._doubt(course), "doubt the meeting host")

    def network_changed(self) -> None:
        """What failed before may work now."""
        for course in self._courses.values():
            course.failures = 0
            course.news.set()

    def _rank(self, device: DeviceId) -> int:
        """Of the best link to it."""
        return min((rank(way) for way in self._links.get(device, ())), default=rank("") + 1)

    async def _doubt(self, course: _Course) -> None:
        await asyncio.sleep(DOUBT_AFTER_S)
        if course.device not in self._links:
            for guest in course.guests:
                self._wires.doubt(guest)

    # -- what the hosts tell ---------------------------------------------------------------------------

    def found(self, guest: Guest) -> None:
        quest = self._quests.get(guest.room)
        if guest.room in self._shared:
            self._tell_addresses(guest)
            course = self._courses.setdefault(guest.device, _Course(guest.device))
            course.guests.append(guest)
            course.failures = 0
            course.news.set()
            if course.seeking is None and self._identity.device < guest.device:
                course.seeking = self._tasks.start(self._seek(course), "find ways")
        elif quest is not None and quest.inviter in (None, guest.device):
            for way in self._plugged():
                quest.on_call(partial(self._pair, guest, way, quest))

    def lost(self, guest: Guest) -> None:
        for key in [key for key in self._letters if key[0] == guest]:
            self._letters.pop(key).end()
        course = self._courses.get(guest.device)
        if course is None or guest not in course.guests:
            return
        course.guests.remove(guest)
        if not any(other.room == guest.room for other in course.guests):
            self._wires.on_addresses(guest.device, MandateId(guest.room), ())
        if not course.guests:
            del self._courses[guest.device]
            if course.seeking is not None:
                course.seeking.cancel()

    def heard(self, guest: Guest, kind: Kind, body: bytes) -> None:
        name = kind.name.lower()
        if name == whereabouts.LETTER:
            self._hear_addresses(guest, body)
            return
        attempt, rest = body[:ATTEMPT_BYTES], body[ATTEMPT_BYTES:]
        if name == REFUSAL:
            self._refused(guest, attempt)
            return
        way = next((way for way in self._plugged() if name in way.letters), None)
        if way is None or len(attempt) != ATTEMPT_BYTES:
            return
        known = self._letters.get((guest, way.name))
        if known is not None and known.attempt == attempt:
            known.put(name, rest)
        elif self._answers_in(guest):
            self._begin_answer(guest, way, attempt, name, rest)

    def _refused(self, guest: Guest, attempt: bytes) -> None:
        for key, letters in self._letters.items():
            if key[0] == guest and letters.attempt == attempt:
                letters.end()
                if key in self._answers:
                    self._answers[key].cancel()

    def _answers_in(self, guest: Guest) -> bool:
        """Whether it is this device that answers: newcomers begin, and so do lower ids."""
        return guest.room in self._doors or (guest.room in self._shared and guest.device < self._identity.device)

    # -- addresses -------------------------------------------------------------------------------------

    def addresses_changed(self) -> None:
        """Tell all members that are at a host where this device may be found now."""
        for course in self._courses.values():
            for guest in course.guests:
                self._tell_addresses(guest)

    def _tell_addresses(self, guest: Guest) -> None:
        from p2psync.rendezvous.protocol.envelope import Kind

        with contextlib.suppress(LinkError):
            own, port = self._wires.own_addresses(), self._wires.listener.port
            body = whereabouts.pack(own, guest.host.status.seen_as, port)
            guest.host.write(guest.peer, Kind.ADDRESSES, body)

    def _hear_addresses(self, guest: Guest, body: bytes) -> None:
        try:
            addresses = whereabouts.unpack(body)
        except CodecError as error:
            self._log.event("addresses.unreadable", device=guest.device, reason=error)
            return
        if guest.room in self._shared:
            self._wires.on_addresses(guest.device, MandateId(guest.room), addresses)

    # -- the side that begins --------------------------------------------------------------------------

    async def _seek(self, course: _Course) -> None:
        """As long as the device is at a host."""
        while True:
            course.news.clear()
            better = [way for way in self._plugged() if rank(way.name) < self._rank(course.device)]
            if better and course.guests:
                await self._try_all(course, better)
            is_linked = course.device in self._links
            better = [way for way in self._plugged() if rank(way.name) < self._rank(course.device)]
            course.due_s = asyncio.get_running_loop().time() + self._rest_s(course, is_linked) if better else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(course.due_s):
                    await course.news.wait()

    def _rest_s(self, course: _Course, is_linked: bool) -> float:
        least, most = (LINKED_REST_MIN_S, LINKED_REST_MAX_S) if is_linked else (REST_MIN_S, REST_MAX_S)
        course.failures += 1
        longest = min(most, least * 2.0 ** min(course.failures, 16))
        return self._random.uniform(longest / 2, longest)

    async def _try_all(self, course: _Course, ways: list[Way]) -> None:
        guest = course.guests[-1]
        try:
            for way in ways:
                course.attempts[way.name] = self._tasks.start(self._try(course, guest, way), f"way {way.name}")
            await asyncio.wait(course.attempts.values())
        finally:
            for attempt in course.attempts.values():
                attempt.cancel()
            course.attempts.clear()

    async def _try(self, course: _Course, guest: Guest, way: Way) -> None:
        await asyncio.sleep(way.head_start_s)
        try:
            link = await self._reach(course, guest, way)
        except (P2PSyncError, OSError) as error:
            course.reasons[way.name] = said(error)
            self._log.event("way.failed", way=way.name, device=guest.device, reason=error)
        else:
            self._wires.on_link(link, partial(self._again, course.device, way) if way.name in LANED else None)

    async def _again(self, device: DeviceId, way: Way) -> Link:
        """One more link to a device that was reached this way. Raises P2PSyncError or OSError."""
        course = self._courses.get(device)
        if course is None or not course.guests:
            raise LinkError(_("The other device gave this way up, or left the meeting host."))
        return await self._reach(course, course.guests[-1], way)

    async def _reach(self, course: _Course, guest: Guest, way: Way) -> Link:
        """One attempt at a time on each way. Raises P2PSyncError or OSError."""
        async with course.turns.setdefault(way.name, asyncio.Lock()):
            trust = self._shared.get(MandateId(guest.room))
            if trust is None or not trust.secrets:
                raise ConfigError("The mandate is not shared any more.")
            tag = period_tag(trust.secrets[course.failures % len(trust.secrets)], time.time())
            return await self._begin(
                guest, way, lambda carry: dial_through(carry, way.name, guest.device, tag, trust, self._identity)
            )

    async def _pair(self, guest: Guest, way: Way, quest: _Quest) -> Link:
        """Raises P2PSyncError or OSError."""
        await asyncio.sleep(way.head_start_s)
        tag = period_tag(quest.secret, time.time())
        return await self._begin(guest, way, lambda carry: dial_pairing_through(carry, way.name, tag, quest.inviter))

    async def _begin(self, guest: Guest, way: Way, dial: Callable[[Carry], Awaitable[Link]]) -> Link:
        """Raises P2PSyncError or OSError."""
        letters = Correspondence(guest, token_bytes(ATTEMPT_BYTES))
        self._letters[guest, way.name] = letters
        try:
            async with asyncio.timeout(WAY_S):
                return await dial(lambda make: way.connect(letters, make))
        except TimeoutError:
            raise LinkError(_("It took too long.")) from None
        except asyncio.CancelledError:
            with contextlib.suppress(LinkError):
                letters.send(REFUSAL, b"")
            raise
        finally:
            self._forget(letters, way)

    # -- the other side --------------------------------------------------------------------------------

    def _begin_answer(self, guest: Guest, way: Way, attempt: bytes, name: str, body: bytes) -> None:
        """An attempt takes the place of an earlier one on the same way."""
        earlier = self._answers.pop((guest, way.name), None)
        if earlier is not None:
            earlier.cancel()
        if len(self._answers) >= ANSWERS_MAX:
            return
        letters = Correspondence(guest, attempt)
        letters.put(name, body)
        self._letters[guest, way.name] = letters
        task = self._tasks.start(self._answer(letters, way), f"answer by {way.name}")
        self._answers[guest, way.name] = task
        task.add_done_callback(lambda done: self._answered(guest, way, done))

    def _answered(self, guest: Guest, way: Way, task: asyncio.Task[None]) -> None:
        if self._answers.get((guest, way.name)) is task:
            del self._answers[guest, way.name]

    async def _answer(self, letters: Correspondence, way: Way) -> None:
        try:
            async with asyncio.timeout(WAY_S):
                await self._wires.listener.take_in(lambda make: way.answer(letters, make), way.name)
        except (P2PSyncError, OSError) as error:  # a TimeoutError is an OSError
            self._log.event("way.failed", way=way.name, device=letters.device, reason=error)
            course = self._courses.get(letters.device)
            if course is not None:
                course.reasons[way.name] = said(error) if isinstance(error, P2PSyncError) else _("It took too long.")
            with contextlib.suppress(LinkError):
                letters.send(REFUSAL, b"")
        finally:
            self._forget(letters, way)

    def _forget(self, letters: Correspondence, way: Way) -> None:
        key = letters.guest, way.name
        if self._letters.get(key) is letters:
            del self._letters[key]

    def _plugged(self) -> tuple[Way, ...]:
        if not self._ways:
            self._ways = self._make_ways(self._tasks)
        return self._ways

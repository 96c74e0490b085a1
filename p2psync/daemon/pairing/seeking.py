"""Looking for the device that invites: all addresses at once, again and again, until one answer is final."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from functools import partial
from typing import Generic, TypeVar

from p2psync.core.ids import DeviceId
from p2psync.core.value import value
from p2psync.daemon.finding.discovery import Discovery
from p2psync.daemon.finding.wayfinding import Call
from p2psync.daemon.logs import EventLog
from p2psync.errors import P2PSyncError, TicketError
from p2psync.i18n import said
from p2psync.net.dialer import Address, Sighting
from p2psync.rendezvous.protocol.address import HostAddress

RETRY_MIN_S = 0.5
RETRY_MAX_S = 8.0
CALLS_MAX = 32
"""By way of meeting hosts: the inviter may come and go there."""
ADDRESSES_TRIED_MAX = 64
"""Of those that are announced: somebody may repeat the inviter's announcement with addresses of his own."""

T = TypeVar("T")


@value
class StillWaiting:
    """The time is over, and the same may be tried again."""

    approval: bool
    """True if the inviter was found and an admin has to approve; else it was not found, or refused to talk."""
    reason: str
    """What went wrong last; may be empty."""


@value
class Sought:
    """The device that is looked for."""

    key: bytes
    """Names the search."""
    secret: bytes = field(repr=False)
    """By which it is known: it announces it."""
    inviter: DeviceId | None = None
    """None: whoever knows the secret."""
    addresses: Sequence[Address] = ()
    """Tried in any case."""
    hosts: tuple[HostAddress, ...] = ()
    """Meeting hosts, where it is looked for too."""


class Seeking(ABC, Generic[T]):
    """One search, by all ways at once."""

    def __init__(self, sought: Sought, discovery: Discovery, log: EventLog) -> None:
        self._sought = sought
        self._discovery = discovery
        self._log = log
        self._held = False
        self._reason = ""

    @abstractmethod
    async def attempt(self, address: Address, nonce: bytes | None) -> T:
        """Try one address; `nonce` is what was announced with it, None for a known one.

        Raises TicketError if the answer is final, another P2PSyncError or OSError if it may be tried again.
        """

    @abstractmethod
    async def attempt_by(self, call: Call) -> T:
        """Try to call it by way of a meeting host. Raises as `attempt` does."""

    async def run(self, timeout_s: float) -> T | StillWaiting:
        """Raises TicketError when the inviter refuses, and says why."""
        hints: asyncio.Queue[Sighting | Call] = asyncio.Queue()
        sought = self._sought
        self._discovery.seek(sought.key, sought.secret, hints.put_nowait)
        try:
            if sought.hosts:
                self._discovery.seek_at(sought.hosts, sought.key, sought.inviter, hints.put_nowait)
            async with asyncio.timeout(timeout_s):
                return await self._first(hints)
        except TimeoutError:
            return StillWaiting(self._held, self._reason or next(iter(self._discovery.host_problems), ""))
        finally:
            self._discovery.stop_seeking(sought.key)

    async def _first(self, hints: asyncio.Queue[Sighting | Call]) -> T:
        """The first answer that is final, of all ways in parallel."""
        answer: asyncio.Future[T | TicketError] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._try_address(address, None, answer)) for address in self._sought.addresses]
            try:
                tasks.append(group.create_task(self._follow(group, hints, tasks, answer)))
                outcome = await answer
            finally:
                for task in tasks:
                    task.cancel()
        if isinstance(outcome, TicketError):
            raise outcome
        return outcome

    async def _follow(
        self,
        group: asyncio.TaskGroup,
        hints: asyncio.Queue[Sighting | Call],
        tasks: list[asyncio.Task[None]],
        answer: asyncio.Future[T | TicketError],
    ) -> None:
        """Try what is seen by mDNS, and whoever is met at a host."""
        known: set[tuple[Address, bytes]] = set()
        calls = 0
        while True:
            hint = await hints.get()
            if not isinstance(hint, Sighting):
                calls += 1
                if calls <= CALLS_MAX:
                    work = self._try_often(partial(self.attempt_by, hint), "a meeting host", answer)
                    tasks.append(group.create_task(work))
                continue
            for address in hint.addresses:
                if (address, hint.nonce) not in known and len(known) < ADDRESSES_TRIED_MAX:
                    known.add((address, hint.nonce))
                    tasks.append(group.create_task(self._try_address(address, hint.nonce, answer)))

    async def _try_address(
        self, address: Address, nonce: bytes | None, answer: asyncio.Future[T | TicketError]
    ) -> None:
        await self._try_often(partial(self.attempt, address, nonce), str(address), answer)

    async def _try_often(
        self, attempt: Callable[[], Awaitable[T]], where: str, answer: asyncio.Future[T | TicketError]
    ) -> None:
        rest_s = RETRY_MIN_S
        while not answer.done():
            try:
                found = await attempt()
            except TicketError as error:
                if not answer.done():
                    answer.set_result(error)
            except (P2PSyncError, OSError) as error:
                self._reason = said(error)
                self._log.event("join.failed", address=where, reason=error)
                await asyncio.sleep(rest_s)
                rest_s = min(2 * rest_s, RETRY_MAX_S)
            else:
                if not answer.done():
                    answer.set_result(found)

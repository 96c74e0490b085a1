"""Keeps the port where this device listens open in the home router, for as long as somebody far away may call it.

A router that opens none costs nothing and is asked again an hour later. Nothing that it takes is loaded before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from p2psync.core.address import host_and_port
from p2psync.daemon.logs import EventLog
from p2psync.errors import LinkError
from p2psync.net.addresses import translated

if TYPE_CHECKING:
    from p2psync.net.igd import Gateway

LEASE_S = 3600
"""For which the router keeps it: so long it stays open when this PC vanishes."""
RENEW_S = 1500.0
RETRY_S = 3600.0
CLOSE_S = 1.0
"""How long the end of a daemon may wait for the router."""


class PortMapping:
    """All methods are for the event loop."""

    def __init__(
        self, own: Callable[[], Iterable[str]], port: Callable[[], int], changed: Callable[[], None], log: EventLog
    ) -> None:
        """`own`: this PC's addresses at which it listens; `port`: where, 0 for nowhere; `changed` hears of a new
        `address`.
        """
        self.address: str | None = None
        """HOST:PORT in the Internet, while there is one."""
        self._own = own
        self._port = port
        self._changed = changed
        self._log = log
        self._wanted = asyncio.Event()
        self._anew = asyncio.Event()

    def want(self, wanted: bool) -> None:
        """Whether somebody far away may call."""
        if wanted != self._wanted.is_set():
            if wanted:
                self._wanted.set()
            else:
                self._wanted.clear()
            self._anew.set()

    def network_changed(self) -> None:
        """There may be another router, or it may have forgotten."""
        self._anew.set()

    async def keep(self) -> None:
        """Until cancelled, which closes the port."""
        while True:
            await self._wanted.wait()
            self._anew.clear()
            try:
                await self._hold()
            except LinkError as error:
                self._log.event("port.refused", reason=error)
            await self._rest(RETRY_S)

    async def _hold(self) -> None:
        """Have it open as long as nothing changes. Raises LinkError."""
        gateway = await self._find()
        if gateway is None:
            return
        try:
            while self._wanted.is_set() and not self._anew.is_set():
                host, port = await gateway.open(self._port(), LEASE_S)
                self._tell(host_and_port(host, port))
                await self._rest(RENEW_S)
        finally:
            self._tell(None)
            with contextlib.suppress(LinkError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await gateway.close()

    async def _find(self) -> Gateway | None:
        own = translated(self._own())
        if not own or not self._port():
            return None
        from p2psync.net import igd

        return await igd.find(own)

    def _tell(self, address: str | None) -> None:
        if address != self.address:
            self.address = address
            self._log.event("port.mapped", address=address)
            self._changed()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._anew.wait()

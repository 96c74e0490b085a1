"""A server with a daemon that only pretends, and a client that sends what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from p2psync.api.server import Server
from p2psync.errors import NotAllowed, UsageError
from p2psync.i18n import Worded, _

STATUS: dict[str, Any] = {
    "device": {"id": "AAAAAAA-BBBBBBB", "name": 'Büro "1"', "version": "0.1.0"},
    "mandates": [
        {
            "name": "Cargo",
            "files": 3,
            "bytes": 120,
            "in_sync": True,
            "to_receive": {"files": 1, "bytes": 40},
            "to_send": {"files": 0, "bytes": 0},
            "conflicts": 2,
            "problems": 0,
            "pending": 0,
            "peers": [
                {"device": "CCCCCCC", "name": "PC 2", "connected": True, "rtt_ms": 0.4, "behind_files": 1},
                {"device": "DDDDDDD", "name": "PC 3", "connected": False, "rtt_ms": None, "behind_files": None},
            ],
        }
    ],
}


@dataclass(frozen=True)
class Answer:
    data: object
    exit_code: int = 0


@dataclass
class Daemon:
    """Answers as the name of the operation says."""

    called: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """What is waited for, set by a test."""
    ended: list[Mapping[str, object]] = field(default_factory=list)
    """With which arguments came to its end what waited."""
    faults: list[tuple[str, BaseException]] = field(default_factory=list)

    async def call(self, name: str, arguments: Mapping[str, object]) -> Answer:
        self.called.append((name, dict(arguments)))
        match name:
            case "status":
                return Answer(STATUS)
            case "inbox":
                return Answer([{"file": "a", "reason": Worded(lambda: _("The file is empty."))}])
            case "sync":
                return Answer({"result": "partial"}, 3)
            case "mandate.show":
                raise UsageError("there is no mandate called Nope")
            case "share":
                raise NotAllowed("this device is no admin")
            case "rules":
                raise KeyError("a bug")
            case "wait":
                await self._end(arguments)
            case "verify" if "repair" in arguments:
                await self._end(arguments)
        return Answer({"done": name})

    async def _end(self, arguments: Mapping[str, object]) -> None:
        self.waiting.set()
        try:
            await self.ending.wait()
            self.ended.append(arguments)
        except asyncio.CancelledError:
            self.given_up.set()
            raise


@dataclass
class Client:
    """Speaks to one server."""

    server: Server
    daemon: Daemon
    session: aiohttp.ClientSession

    @property
    def token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.server.guard.token}"}

    async def cookie(self) -> str:
        """Of a browser that was let in."""
        async with self.session.get(self.server.login_url(), allow_redirects=False) as response:
            name = self.server.guard.cookie
            return f"{name}={response.cookies[name].value}"

    def url(self, path: str) -> str:
        return f"http://{self.server.address}{path}"

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Mapping[str, str]]:
        async with self.session.get(self.url(path), headers={**self.token, **headers}) as response:
            return response.status, await _body(response), response.headers

    async def post(self, path: str, data: object = None, **headers: str) -> tuple[int, Any, Mapping[str, str]]:
        async with self.session.post(self.url(path), json=data or {}, headers={**self.token, **headers}) as response:
            return response.status, await _body(response), response.headers


async def _body(response: aiohttp.ClientResponse) -> Any:
    if response.content_type == "application/json":
        return await response.json()
    return await response.text()


@asynccontextmanager
async def served(page: bool = True) -> AsyncIterator[Client]:
    """A server on a free loopback port, and a client without cookies of its own."""
    daemon = Daemon()
    server = Server(daemon, lambda name, error: daemon.faults.append((name, error)), page)
    await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Client(server, daemon, session)
    finally:
        await server.stop()

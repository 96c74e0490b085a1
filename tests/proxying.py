"""A small proxy on loopback, SOCKS5 and HTTP CONNECT on one port; names lead to loopback, whatever they are."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from p2psync.proxies import Proxy

LOOPBACK = "127.0.0.1"
NAME = "far.example"
"""Known to the proxy alone."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Middle:
    """The proxy, and what it was asked for."""

    port: int = 0
    login: tuple[str, str] | None = None
    """User and password that it wants."""
    answer: bytes | None = None
    """Said in place of what it should; empty: nothing at all."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    carrying: set[asyncio.Task[Any]] = field(default_factory=set)

    def named(self, kind: str, user: str = "", password: str = "") -> Proxy:
        return Proxy(kind, LOOPBACK, self.port, user, password)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.carrying.add(task)
        with contextlib.suppress(OSError, ExceptionGroup, asyncio.IncompleteReadError, asyncio.CancelledError):
            first = await reader.readexactly(1)
            far = await (self._socks(reader, writer) if first == b"\x05" else self._http(reader, writer))
            if far is not None:
                await _carry((reader, writer), far)
        writer.transport.abort()

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Ends | None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        wanted = 2 if self.login else 0
        if wanted not in methods:
            writer.write(b"\x05\xff")
            await _hang_up(writer)
            return None
        writer.write(bytes([5, wanted]))
        if self.login:
            await reader.readexactly(1)
            given = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
            writer.write(b"\x01\x00" if tuple(given) == self.login else b"\x01\x01")
            if tuple(given) != self.login:
                await _hang_up(writer)
                return None
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2))
        return await self._connect(writer, host, port, b"\x05\x00\x00\x01" + bytes(6))

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Ends | None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        if self.login:
            login = base64.b64encode(":".join(self.login).encode()).decode()
            if f"Proxy-Authorization: Basic {login}" not in lines:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                await _hang_up(writer)
                return None
        host, _, port = first.split()[1].rpartition(":")
        return await self._connect(writer, host.strip("[]"), int(port), b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def _connect(self, writer: asyncio.StreamWriter, host: str, port: int, well: bytes) -> Ends | None:
        self.asked.append((host, port))
        if self.answer is not None:
            writer.write(self.answer)
            if self.answer:
                await _hang_up(writer)
                return None
            await asyncio.Event().wait()
        far = await asyncio.open_connection(LOOPBACK, port)
        writer.write(well)
        return far


@contextlib.asynccontextmanager
async def proxying(**settings: Any) -> AsyncIterator[Middle]:
    middle = Middle(**settings)
    server = await asyncio.start_server(middle.serve, LOOPBACK, 0)
    middle.port = server.sockets[0].getsockname()[1]
    try:
        yield middle
    finally:
        server.close()
        for task in middle.carrying:
            task.cancel()
        await asyncio.gather(*middle.carrying, return_exceptions=True)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def _carry(near: Ends, far: Ends) -> None:
    """Until one of both hangs up."""
    try:
        async with asyncio.TaskGroup() as group:
            for reader, writer in ((near[0], far[1]), (far[0], near[1])):
                group.create_task(_pass_on(reader, writer))
    finally:
        far[1].transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError

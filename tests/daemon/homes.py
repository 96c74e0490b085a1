"""Whole devices in one process, on loopback, with real folders: each `Pc` is a node that can stop, start and crash."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from p2psync.core.ids import device_text
from p2psync.daemon.config import LOOPBACK, Config, Endpoint
from p2psync.daemon.node import Node
from p2psync.daemon.operations.result import OperationResult
from tests.daemon.patience import until

MANDATE = "Cargo"


class Pc:
    """One device: its home, its folder, and the node while it runs."""

    def __init__(self, root: Path, name: str, **settings: Any) -> None:
        self.name = name
        self.folder = root / f"{name}.crsync"
        chosen: dict[str, Any] = {
            "listen": Endpoint(LOOPBACK, 0),
            "mdns": False,
            "api": False,
            "timetable": False,
            **settings,
        }
        self.config = Config(home=root / f"{name}.home", name=name, documents=root / f"{name}.documents", **chosen)
        self.node: Node | None = None

    @property
    def running(self) -> Node:
        assert self.node is not None, f"{self.name} is off"
        return self.node

    async def start(self) -> Pc:
        self.node = await Node.start(self.config)
        return self

    async def stop(self) -> None:
        node, self.node = self.node, None
        if node is not None:
            await node.stop()

    def cut(self) -> None:
        """Every connection breaks."""
        for line in self.running.links._lines.values():
            line.link._carrier.abort()  # type: ignore[attr-defined]

    # -- commands ------------------------------------------------------------------------------------------------------

    async def ask(self, operation: str, **arguments: object) -> OperationResult:
        return await self.running.operations.call(operation, arguments)

    async def call(self, operation: str, **arguments: object) -> Any:
        """The data of an operation that has to succeed."""
        result = await self.ask(operation, **arguments)
        assert result.exit_code == 0, result
        return result.data

    async def status(self) -> Any:
        """Of its one mandate."""
        return (await self.call("status"))["mandates"][0]

    async def create(self, **arguments: object) -> Any:
        made = await self.call("mandate.create", name=MANDATE, folder=str(self.folder), **arguments)
        await self.call("share", mandate=MANDATE)
        return made

    async def invite(self, role: str = "accounting", **arguments: object) -> str:
        made = await self.call("invite", mandate=MANDATE, role=role, **arguments)
        return str(made["ticket"])

    async def join(self, ticket: str, **arguments: object) -> Any:
        return await self.call("join", ticket=ticket, folder=str(self.folder), timeout_s=20, **arguments)

    @property
    def device(self) -> str:
        return device_text(self.running.identity.device)

    # -- the folder ----------------------------------------------------------------------------------------------------

    def save(self, path: str, data: bytes | str) -> None:
        """As a careful program does: whole, under another name first."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.tmp")
        fresh.write_bytes(data.encode() if isinstance(data, str) else data)
        fresh.replace(target)

    def read(self, path: str) -> bytes | None:
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def files(self) -> dict[str, bytes]:
        """All that a user sees, by path."""
        own = self.folder / ".p2psync"
        found = (path for path in self.folder.rglob("*") if path.is_file() and own not in path.parents)
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}

    async def has(self, path: str, data: bytes | str | None) -> None:
        """Wait until a path holds these bytes, or until it is gone."""
        wanted = data.encode() if isinstance(data, str) else data
        await until(lambda: self.read(path) == wanted, f"{self.name} has {path}")

    async def holds(self, files: int) -> None:
        """Wait until this device knows of so many files of the mandate."""

        async def holds() -> bool:
            return bool((await self.status())["files"] == files)

        await until(holds, f"{self.name} holds {files} files")

    async def in_sync(self, peers: int | None = None) -> None:
        """Wait until this device says so; with so many members connected."""

        async def holds() -> bool:
            status = await self.status()
            connected = sum(peer["connected"] for peer in status["peers"])
            return bool(status["in_sync"]) and (peers is None or connected == peers)

        await until(holds, f"{self.name} is in sync")


@asynccontextmanager
async def pcs(root: Path, *names: str, **settings: Any) -> AsyncIterator[list[Pc]]:
    """Devices that run and know nothing of each other."""
    several = [Pc(root, name, **settings) for name in names]
    try:
        for pc in several:
            await pc.start()
        yield several
    finally:
        for pc in several:
            await pc.stop()


@asynccontextmanager
async def company(root: Path, *roles: str, **founding: object) -> AsyncIterator[list[Pc]]:
    """Devices that share one mandate: the first created it, the others joined by ticket with these roles."""
    async with pcs(root, *(f"pc{number}" for number in range(1, len(roles) + 2))) as several:
        first, *others = several
        await first.create(**founding)
        for pc, role in zip(others, roles, strict=True):
            await pc.join(await first.invite(role))
        await first.in_sync(len(others))
        yield several

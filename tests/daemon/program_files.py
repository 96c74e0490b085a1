"""Bookkeeping programs with files of their own, attached to a mandate that their PCs share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from p2psync.core.ids import content_of
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until

NAME = "Cargo.crp"


def chart(title: str) -> bytes:
    return f"MAJREV=9\r\nDATEBEG=01.01.2025\r\nDATEEND=31.12.2025\r\nTITLE={title}\r\nENDOFFILE\r\n".encode()


class Program:
    """A bookkeeping program on a PC, with a file of its own."""

    def __init__(self, root: Path, pc: Pc, name: str = NAME) -> None:
        self.pc = pc
        self.file = root / f"{pc.name}.program" / name
        self.file.parent.mkdir(exist_ok=True)

    async def attach(self, **arguments: object) -> Any:
        return await self.pc.call("attach", mandate=MANDATE, files=[str(self.file)], **arguments)

    def save(self, title: str) -> None:
        self.file.write_bytes(chart(title))

    async def holds(self, title: str | None) -> None:
        wanted = None if title is None else chart(title)
        await until(lambda: self.read() == wanted, f"the program of {self.pc.name} has {title}")

    def read(self) -> bytes | None:
        return self.file.read_bytes() if self.file.exists() else None

    async def is_in(self, state: str) -> None:
        async def holds() -> bool:
            return [row["state"] for row in await self.pc.call("attached")] == [state]

        await until(holds, f"the file of {self.pc.name} is {state}")

    async def alone(self) -> None:
        """Nothing of ours is left beside the file."""
        await until(lambda: [one.name for one in self.file.parent.iterdir()] == [self.file.name], "no copy is left")

    async def versions(self) -> set[str]:
        return {row["content"] for row in await self.pc.call("versions", mandate=MANDATE, path=self.file.name)}


@asynccontextmanager
async def programs(root: Path, role: str = "accounting", **founding: object) -> AsyncIterator[list[Program]]:
    """Two PCs whose programs have the same file attached."""
    async with company(root, role, **founding) as pcs:
        one, two = (Program(root, pc) for pc in pcs)
        one.save("first")
        await one.attach()
        await two.pc.has(NAME, chart("first"))
        two.save("first")
        await two.attach()
        for program in (one, two):
            await program.is_in("current")
        yield [one, two]


def content(title: str) -> str:
    return content_of(chart(title)).hex()

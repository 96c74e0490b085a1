"""Two devices in one process: how a program embeds p2psync, without a command line and without a daemon process.

    python examples/two_devices.py

A `Node` is one device: its home holds its identity and database, and `node.operations.call` does what the commands do.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from p2psync.daemon.config import LOOPBACK, Config, Endpoint
from p2psync.daemon.node import Node

WAIT_S = 20.0


async def main(root: Path) -> None:
    """Found a mandate on one device, let the other join, save on either, and look at both folders."""
    office, home = await start(root, "office"), await start(root, "home")
    try:
        await ask(office, "mandate.create", name="Cargo", folder=str(root / "office.crsync"), role="accounting")
        await ask(office, "share", mandate="Cargo")
        ticket = (await ask(office, "invite", mandate="Cargo", role="payroll"))["ticket"]
        joined = await ask(home, "join", ticket=ticket, folder=str(root / "home.crsync"), timeout_s=WAIT_S)
        print(f"home joined {joined['mandate']} as {joined['role']}")

        (root / "office.crsync" / "letter.txt").write_text("from the office")
        run = await ask(office, "sync", mandate="Cargo", timeout_s=WAIT_S)
        print(f"sync: {run['result']}, home holds: {(root / 'home.crsync' / 'letter.txt').read_text()!r}")

        (root / "home.crsync" / "answer.txt").write_text("from home")
        answer = root / "office.crsync" / "answer.txt"
        await until(answer.exists)
        print(f"the office holds: {answer.read_text()!r}")

        for row in await ask(office, "log", mandate="Cargo"):
            if row["path"]:
                print(f"{row['time']}  {row['name']:6}  {row['kind']}  {row['path']}")
    finally:
        await home.stop()
        await office.stop()


async def start(root: Path, name: str) -> Node:
    """A device that listens on loopback only, finds nobody by itself, and serves no page."""
    listen = Endpoint(LOOPBACK, 0)
    return await Node.start(Config(home=root / f"{name}.home", listen=listen, name=name, mdns=False, api=False))


async def ask(node: Node, operation: str, **arguments: object) -> Any:
    """The data of an operation; its exit code, as that of the command, is `result.exit_code`."""
    result = await node.operations.call(operation, arguments)
    return result.data


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the other device does."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(Path(directory)))

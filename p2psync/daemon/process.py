"""A node as a process of its own: signals end it, and the interpreter is tuned for many small steps in two threads."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable

from p2psync.daemon import memory
from p2psync.daemon.config import Config
from p2psync.daemon.node import Node
from p2psync.system.process import allow_open_files, ended_by_signals

SWITCH_INTERVAL_S = 0.0001
"""How soon another thread gets its turn: a small save takes some sixty of them, also while a big file is sent."""
GC_THRESHOLDS = (20_000, 20, 50)
"""A full pass over many objects takes longer than anybody should wait."""
TRUSTED_ROOTS_VARIABLE = "SSL_CERT_FILE"
"""Of OpenSSL. A daemon trusts keys that it was told, no authorities: reading theirs costs 3 MiB and 0.05 s."""
OPEN_FILES_MAX = 16_384
"""A mandate takes about four, and some fiduciaries have hundreds: the usual limit is too low."""


def run(config: Config, on_ready: Callable[[Node], None]) -> int:
    """Run a node until a signal or `p2psync stop` ends it; returns the exit code.

    `on_ready` is called once it serves. Raises P2PSyncError if it cannot start.
    """
    tune()
    return asyncio.run(serve(config, on_ready))


async def serve(config: Config, on_ready: Callable[[Node], None]) -> int:
    """The same inside a running loop."""
    stop = asyncio.Event()
    with ended_by_signals(stop):
        node = await Node.start(config)
        try:
            gc.freeze()
            on_ready(node)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(node.wait_for_end())
                signalled = group.create_task(stop.wait())
                staying_small = group.create_task(_stay_small(node))
                await asyncio.wait([waiting, signalled], return_when=asyncio.FIRST_COMPLETED)
                for task in (waiting, signalled, staying_small):
                    task.cancel()
        finally:
            await node.stop()
    return 1 if node.broken_by is not None else 0


async def _stay_small(node: Node) -> None:
    """Once it is at rest, and at the first time also without what starting left behind."""
    begun = False

    async def let_go() -> None:
        nonlocal begun
        if not begun:
            begun = True
            memory.sweep()
        await node.let_go()

    await memory.give_back(memory.c_library(), let_go)


def tune() -> None:
    """For a process that is nothing but a daemon."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    allow_open_files(OPEN_FILES_MAX)
    memory.share_heaps(memory.c_library())
    os.environ[TRUSTED_ROOTS_VARIABLE] = os.devnull

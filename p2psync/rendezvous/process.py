"""A host as a process of its own: signals end it, and the system's limits are stretched for many visitors."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from p2psync.rendezvous.server import Server, Settings
from p2psync.system.process import allow_open_files, ended_by_signals

GC_THRESHOLDS = (20_000, 20, 50)
"""Many visitors are many objects that stay; looking through all of them takes longer than anybody should wait."""
OPEN_FILES_MAX = 65_536
"""A visitor takes one."""


def run(settings: Settings, on_ready: Callable[[Server], None], tell: Callable[[str], None]) -> int:
    """Serve until a signal ends it; returns the exit code. Raises ConfigError if it cannot begin.

    `on_ready` is called once it serves; `tell` gets what the operator should know.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    allow_open_files(OPEN_FILES_MAX)
    return asyncio.run(serve(settings, on_ready, tell))


async def serve(settings: Settings, on_ready: Callable[[Server], None], tell: Callable[[str], None]) -> int:
    """The same inside a running loop."""
    stop = asyncio.Event()
    with ended_by_signals(stop):
        server = Server(settings, tell)
        await server.start()
        try:
            gc.collect()
            gc.freeze()
            on_ready(server)
            await stop.wait()
        finally:
            await server.stop()
    return 0

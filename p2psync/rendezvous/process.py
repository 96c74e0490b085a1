"""A host as a process of its own: signals end it, and the system's limits are stretched for many visitors."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Iterator

from p2psync.rendezvous.server import Server, Settings

GC_THRESHOLDS = (20_000, 20, 50)
"""Many visitors are many objects that stay; looking through all of them takes longer than anybody should wait."""
OPEN_FILES_MAX = 65_536
ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")


def run(settings: Settings, on_ready: Callable[[Server], None], tell: Callable[[str], None]) -> int:
    """Serve until a signal ends it; returns the exit code. Raises ConfigError if it cannot begin.

    `on_ready` is called once it serves; `tell` gets what the operator should know.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    _allow_many_files()
    return asyncio.run(serve(settings, on_ready, tell))


async def serve(settings: Settings, on_ready: Callable[[Server], None], tell: Callable[[str], None]) -> int:
    """The same inside a running loop."""
    stop = asyncio.Event()
    with _signals(stop):
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


def _allow_many_files() -> None:
    """A visitor takes one open file."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, soft), hard))


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """A signal may come while the host starts or stops: it is then noticed a moment later."""
    loop = asyncio.get_running_loop()
    numbers = [getattr(signal, name) for name in ENDING_SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

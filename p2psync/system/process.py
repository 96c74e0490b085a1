"""A process that serves until somebody ends it: the signals that do, how many files it may have open, and what it
hands on to programs that it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator

ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")
OWN_VARIABLES = "P2PSYNC_"
"""What p2psync is told by its environment may be secret: no other program inherits it."""


def allow_open_files(most: int) -> None:
    """Raise the limit of open files to `most`, or to what the system lets this user have."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, soft), hard))


def environment_for_others() -> dict[str, str]:
    """What a program that is none of p2psync's own inherits."""
    return {name: text for name, text in os.environ.items() if not name.startswith(OWN_VARIABLES)}


@contextlib.contextmanager
def ended_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Meanwhile signals set `stop`; one may come while the process starts or stops, and is noticed a moment later."""
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

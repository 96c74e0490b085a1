"""Staying small: what a burst of work took is given back to the system once the process is at rest.

Of the C libraries only that of Linux (glibc) has to be told.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

ARENAS_MAX = 2
"""Heaps of the C library. It makes one for each thread that allocates, and each keeps what it once needed."""
MAPPED_FROM_BYTES = 4 << 20
"""What is asked for in smaller pieces comes from the heaps; pages that are mapped anew each time take longer to get
than to fill."""
KEPT_FREE_BYTES = 16 << 20
"""So much of a heap stays while it is worked with."""
M_ARENA_MAX = -8
M_MMAP_THRESHOLD = -3
M_TRIM_THRESHOLD = -1
"""Of <malloc.h>."""
LOOK_EVERY_S = 2.0
AT_REST_CPU_S = 0.02
"""A process that used less between two looks is at rest."""


def c_library() -> Any:
    """None if it is not glibc."""
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "malloc_trim") else None


def share_heaps(library: Any) -> None:
    """To be called before threads are started."""
    if library is not None:
        library.mallopt(M_ARENA_MAX, ARENAS_MAX)
        library.mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES)


def sweep() -> None:
    """Collect garbage also among what was frozen; what is left is not looked through again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class Rest:
    """Tells when work is over, from looks at how much processor time was used so far."""

    def __init__(self, used_s: float) -> None:
        self._used_s = used_s
        self._worked = True

    def begins(self, used_s: float) -> bool:
        """True at the first look after work at which there was none since the look before."""
        works = used_s - self._used_s >= AT_REST_CPU_S
        begins = self._worked and not works
        self._used_s, self._worked = used_s, works
        return begins


async def give_back(
    library: Any, let_go: Callable[[], Awaitable[None]], used_s: Callable[[], float] = time.process_time
) -> None:
    """Until it is cancelled: after each burst of work `let_go`, and return free memory to the system."""
    rest = Rest(used_s())
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if rest.begins(used_s()):
            await let_go()
            if library is not None:
                await asyncio.to_thread(library.malloc_trim, 0)

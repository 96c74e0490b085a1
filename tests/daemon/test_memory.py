"""Memory goes back to the system once after work, not during it."""

from __future__ import annotations

import asyncio
import gc
import platform
import weakref

import pytest

from p2psync.daemon import memory
from p2psync.daemon.memory import (
    ARENAS_MAX,
    AT_REST_CPU_S,
    KEPT_FREE_BYTES,
    M_ARENA_MAX,
    M_MMAP_THRESHOLD,
    M_TRIM_THRESHOLD,
    MAPPED_FROM_BYTES,
    Rest,
    c_library,
    give_back,
    share_heaps,
    sweep,
)

LOOKS = 5


class Library:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int]] = []
        self.trims: list[int] = []

    def mallopt(self, name: int, value: int) -> None:
        self.options.append((name, value))

    def malloc_trim(self, pad: int) -> None:
        self.trims.append(pad)


@pytest.mark.parametrize(
    ("steps", "begun"),
    [
        ([0, 0, 0], [True, False, False]),
        ([1, 1, 0, 0], [False, False, True, False]),
        ([0, 1, 0, 1, 0], [True, False, True, False, True]),
        ([AT_REST_CPU_S * 0.9] * 3, [True, False, False]),
        ([AT_REST_CPU_S * 1.1] * 3, [False, False, False]),
    ],
)
def test_rest_begins_once_after_work(steps: list[float], begun: list[bool]) -> None:
    used_s = 100.0
    rest = Rest(used_s)
    found = []
    for step_s in steps:
        used_s += step_s
        found.append(rest.begins(used_s))
    assert found == begun


@pytest.mark.asyncio
async def test_free_memory_is_given_back_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LOOK_EVERY_S", 0)
    library, looked, looks = Library(), asyncio.Event(), 0
    let: list[int] = []

    def used_s() -> float:
        nonlocal looks
        looks += 1
        if looks == LOOKS:
            looked.set()
        return float(min(looks, 3))  # work at the first two looks

    async def let_go() -> None:
        assert library.trims == []
        let.append(looks)

    async with asyncio.TaskGroup() as group:
        giving = group.create_task(give_back(library, let_go, used_s))
        await looked.wait()
        giving.cancel()
    assert library.trims == [0]
    assert let == [4], "at the first look without work before it"


def test_where_nothing_can_be_told_nothing_is_done() -> None:
    share_heaps(None)


def test_threads_share_heaps() -> None:
    library = Library()
    share_heaps(library)
    assert library.options == [
        (M_ARENA_MAX, ARENAS_MAX),
        (M_MMAP_THRESHOLD, MAPPED_FROM_BYTES),
        (M_TRIM_THRESHOLD, KEPT_FREE_BYTES),
    ]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc: no other C library can be told")
def test_the_real_one_can_be_told() -> None:
    library = c_library()
    assert library is not None
    assert library.mallopt(M_ARENA_MAX, ARENAS_MAX) == 1
    assert library.mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES) == 1
    assert library.mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES) == 1
    assert library.malloc_trim(0) in (0, 1)


def test_a_sweep_finds_garbage_also_among_what_was_frozen() -> None:
    class Knot:
        """Holds itself."""

        def __init__(self) -> None:
            self.self = self

    gc.collect()
    gone = weakref.ref(Knot())
    try:
        gc.freeze()
        gc.collect()
        assert gone() is not None
        sweep()
        assert gone() is None
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()

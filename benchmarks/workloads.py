"""The workloads: each begins with files appearing in A's folder and ends when their bytes are seen in B's."""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.pc import Pc, wait_until

MIB = 1 << 20


@dataclass
class Result:
    name: str
    unit: str
    bar: float
    """Not more than that, or for MB/s not less."""
    values: list[float] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        return self.median >= self.bar if self.unit == "MB/s" else self.median <= self.bar


def many_files(a: Pc, b: Pc, run: int, count: int = 10_000, size: int = 4096) -> float:
    """Seconds from the moment that a tree is moved into A's folder until B shows all of it."""
    tree = a.root / f"many-{run}"
    rng = Random(run)
    for number in range(count):
        path = tree / f"d{number % 100:02}" / f"f{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    target = b.folder / tree.name
    awaited = [str(target / file.relative_to(tree)) for file in tree.rglob("*.txt")]
    begun = time.perf_counter()
    tree.rename(a.folder / tree.name)
    wait_until(lambda: _all_there(awaited), 120, "the files did not arrive", 0.01)
    seconds = time.perf_counter() - begun
    _same(a.folder / tree.name, target)
    return seconds


def big_file(a: Pc, b: Pc, run: int, size: int = 1024 * MIB) -> float:
    """MB/s from the moment that a file of random bytes is moved into A's folder until B shows it."""
    source = a.root / f"big-{run}.bin"
    with source.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    target = b.folder / source.name
    begun = time.perf_counter()
    source.rename(a.folder / source.name)
    wait_until(target.exists, 300, "the big file did not arrive", 0.01)
    seconds = time.perf_counter() - begun
    _same(a.folder / source.name, target)
    return size / 1e6 / seconds


def saves(a: Pc, b: Pc, count: int = 40, size: int = 64 * 1024) -> list[float]:
    """Milliseconds of each save (temp + rename) until its bytes are visible at B."""
    values = []
    for number in range(count):
        data = os.urandom(size)
        temporary, name = a.root / "save.tmp", "saved.bin"
        temporary.write_bytes(data)
        begun = time.perf_counter()
        temporary.rename(a.folder / name)
        target = b.folder / name
        wait_until(lambda: _content(target) == data, 30, f"save {number} did not arrive", 0.0005)  # noqa: B023
        values.append((time.perf_counter() - begun) * 1000)
    return values


def idle(pcs: list[Pc], seconds: float) -> tuple[float, float]:
    """(most resident MiB, most CPU seconds a minute) over the daemons while nothing happens."""
    before = [pc.cpu_s() for pc in pcs]
    time.sleep(seconds)  # noqa: TID251 - a benchmark measures the clock
    cpu = [(pc.cpu_s() - b) * 60 / seconds for pc, b in zip(pcs, before, strict=True)]
    return max(pc.memory_mib()["VmRSS"] for pc in pcs), max(cpu)


def restart(pcs: list[Pc]) -> float:
    """Seconds from starting both daemons together until both say that they are connected and in sync."""
    for pc in pcs:
        pc.stop()
    begun = time.perf_counter()
    with ThreadPoolExecutor(len(pcs)) as together:
        list(together.map(_start, pcs))
    return time.perf_counter() - begun


def _start(pc: Pc) -> None:
    pc.start()
    wait_until(lambda: _in_sync(pc), 60, "not in sync after the restart", 0.05)


def _in_sync(pc: Pc) -> bool:
    [mandate] = pc.run("status")["mandates"]
    return bool(mandate["in_sync"] and all(peer["connected"] for peer in mandate["peers"]))


def _all_there(awaited: list[str]) -> bool:
    """Forgets those that are there: looking at all of them again and again would take time from the daemons."""
    while awaited and os.path.exists(awaited[-1]):
        awaited.pop()
    return not awaited


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _same(one: Path, other: Path) -> None:
    """Compare trees byte by byte, outside of the measured time."""
    files = [p for p in one.rglob("*") if p.is_file()] if one.is_dir() else [one]
    for file in files:
        twin = other / file.relative_to(one) if one.is_dir() else other
        if file.stat().st_size != twin.stat().st_size or not _equal(file, twin):
            raise AssertionError(f"{twin} is not what {file} is")


def _equal(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while piece := left.read(MIB):
            if piece != right.read(len(piece)):
                return False
    return True

"""The clock, and what was used between two looks: bytes on the wire, processor time, memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.clock import now_s, pause, wait_until
from benchmarks.content import compare
from benchmarks.hosts import Host
from benchmarks.tools.tool import Tool

LOOK_EVERY_S = 0.002
PEAK_EVERY_S = 0.05
"""The kernel keeps the peak of each process that runs; only what comes and goes between two looks is missed."""
REST_S = 0.5


@dataclass(slots=True)
class Sample:
    """One run of one tool through one workload; each mapping is from a host's name."""

    seconds: list[float] = field(default_factory=list)
    """From each change to the moment when its bytes are seen on all other hosts; none where nothing is timed."""
    sent_bytes: dict[str, int] = field(default_factory=dict)
    received_bytes: dict[str, int] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    memory_mib: dict[str, float] = field(default_factory=dict)
    """The peak of what was resident; while idle, the proportional share at the end."""
    read_mib: dict[str, float] = field(default_factory=dict)
    """What those programs read that ran from begin to end or still run: 0 for what is run by hand."""


@dataclass
class Stage:
    """One tool on its hosts, and the ways in which workloads use and watch it."""

    tool: Tool
    aside: Path
    """On the same disk as the folders: what is made here is moved into them."""
    rng: Random
    within_s: float
    """How long one change may take."""

    @property
    def hosts(self) -> list[Host]:
        return self.tool.hosts

    @property
    def folder(self) -> Path:
        """Where files are changed."""
        return self.tool.folder(self.tool.first)

    @property
    def other_folders(self) -> list[Path]:
        """Where changes are to be seen."""
        return [self.tool.folder(host) for host in self.tool.others]

    def time(
        self, change: Callable[[], object], seen: Callable[[], bool], path: str = "", every_s: float = LOOK_EVERY_S
    ) -> float:
        """Seconds from just before a change, of what is at or below `path`, until it is seen."""
        begun = now_s()
        change()
        self.tool.changed(path)
        wait_until(seen, self.within_s, "it was not seen", every_s=every_s, check=self.tool.check)
        seconds = now_s() - begun
        self.tool.finish(path, self.within_s)
        return seconds

    def settle(self) -> None:
        """Until the tool has nothing more to do."""
        self.tool.settle(self.within_s)

    @contextmanager
    def measured(self, *, settle: bool = True) -> Iterator[Sample]:
        """What is used inside this block, and until the tool has settled, is in the sample when it ends."""
        os.sync()
        pause(REST_S)
        for host in self.hosts:
            host.forget_peaks()
        sample = Sample()
        before = [_Used.of(host) for host in self.hosts]
        with _peaks(self.hosts) as peaks:
            yield sample
            if settle:
                self.settle()
        for host, first in zip(self.hosts, before, strict=True):
            _note(sample, host, first, _Used.of(host), peaks[host.name])

    def compare(self) -> None:
        """Raises Mismatch unless all folders hold the same."""
        for folder in self.other_folders:
            compare(self.folder, folder, self.tool.own_names)


@dataclass(frozen=True, slots=True)
class _Used:
    """What a host's programs had used at some moment."""

    cpu_s: float
    read_mib: float
    sent_bytes: int
    received_bytes: int

    @classmethod
    def of(cls, host: Host) -> _Used:
        wire = host.wire()
        return cls(host.cpu_s(), host.read_mib(), wire.sent_bytes, wire.received_bytes)


def _note(sample: Sample, host: Host, first: _Used, last: _Used, peak_mib: float) -> None:
    sample.sent_bytes[host.name] = last.sent_bytes - first.sent_bytes
    sample.received_bytes[host.name] = last.received_bytes - first.received_bytes
    sample.cpu_s[host.name] = last.cpu_s - first.cpu_s
    sample.read_mib[host.name] = max(0.0, last.read_mib - first.read_mib)
    sample.memory_mib[host.name] = peak_mib


@contextmanager
def _peaks(hosts: Sequence[Host]) -> Iterator[dict[str, float]]:
    """The highest memory of each host while inside, complete at the end."""
    peaks = dict.fromkeys((host.name for host in hosts), 0.0)
    over = threading.Event()

    def look() -> None:
        for host in hosts:
            peaks[host.name] = max(peaks[host.name], host.peak_mib())

    def watch() -> None:
        while not over.wait(PEAK_EVERY_S):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()
        look()

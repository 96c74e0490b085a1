"""PCs without a lab: daemons on this machine's loopback, for tests that need neither root nor cables."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from p2psync.daemon.config import LOOPBACK
from tests.e2e.pc import Pc, agree, ended
from tests.lab import Lab

GROWTH_MAX_BYTES = 112 << 20
"""Of the victim's memory during one attack: lists in lists as deep and as long as a frame may claim take 80 MiB."""


class Here(Lab):
    """Every host is this machine."""

    @contextlib.contextmanager
    def inside(self, host: str) -> Iterator[None]:
        yield

    def popen(self, host: str, argv: Sequence[object], **options: Any) -> subprocess.Popen[Any]:
        return subprocess.Popen([str(word) for word in argv], **options)

    def run(self, host: str, argv: Sequence[object], **options: Any) -> subprocess.CompletedProcess[Any]:
        options.setdefault("check", False)
        return subprocess.run([str(word) for word in argv], **options)


class PcHere(Pc):
    """Heard of by its ticket alone: no mDNS, nothing to be reached from outside."""

    def start(self, *options: object) -> Pc:
        return super().start("--listen", f"{LOOPBACK}:0", "--no-mdns", *options)

    @property
    def port(self) -> int:
        return int(self.overall()["device"]["port"])

    def cleared_peak(self) -> int:
        """Bytes resident now; `peak` counts from here."""
        assert self.daemon is not None
        Path(f"/proc/{self.daemon.pid}/clear_refs").write_text("5")
        return self._memory("VmRSS")

    def peak(self) -> int:
        """The most bytes that were resident since `cleared_peak`."""
        return self._memory("VmHWM")

    def _memory(self, what: str) -> int:
        assert self.daemon is not None
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(status.partition(f"{what}:")[2].split()[0]) * 1024


@contextlib.contextmanager
def company_here(root: Path, *roles: str) -> Iterator[list[PcHere]]:
    """Daemons that share one mandate; the first created it."""
    pcs = [PcHere(Here("here"), name, root) for name in "abcdefgh"[: len(roles) + 1]]
    with ended(pcs):
        for pc in pcs:
            pc.start()
        first, *others = pcs
        first.create()
        for pc, role in zip(others, roles, strict=True):
            pc.join(first.invite(role))
        agree(*pcs)
        yield pcs


@contextlib.contextmanager
def at_work(a: Pc, b: Pc) -> Iterator[list[float]]:
    """What b saves is at a, again and again, as long as the block lasts and once more; yields how long each took."""
    took: list[float] = []
    over = threading.Event()

    def work() -> None:
        while True:
            is_last = over.is_set()
            text = f"save {len(took)}, {os.urandom(8).hex()}"
            b.save("at work.txt", text)
            took.append(a.has("at work.txt", text))
            if is_last:
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield took
    finally:
        saved = len(took)
        over.set()
        thread.join()
        assert len(took) > saved, "a save did not come"


@contextlib.contextmanager
def little_memory(victim: PcHere) -> Iterator[None]:
    """Whatever happens in the block, the victim needs no more than a little for it."""
    before = victim.cleared_peak()
    yield
    grown = victim.peak() - before
    assert grown < GROWTH_MAX_BYTES, f"{grown / (1 << 20):.0f} MiB more"

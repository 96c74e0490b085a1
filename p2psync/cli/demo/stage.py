"""The PCs of the demo: each a daemon process of its own, with a home and a folder in one temporary directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from p2psync.cli.client import Client
from p2psync.cli.exits import CommandFailed
from p2psync.cli.home import DAEMON_LOG, tail
from p2psync.core.value import mutable
from p2psync.i18n import _, language

READY = "ready"
START_S = 15.0
END_S = 6.0
LOOK_EVERY_S = 0.001
TAIL_LINES = 8
OWN_DIRECTORY = ".p2psync"

_never = threading.Event()


@mutable
class Pc:
    """One PC: what a person has there, and the daemon while it runs."""

    name: str
    role: str
    home: Path
    folder: Path
    options: Sequence[str] = ()
    process: subprocess.Popen[str] | None = None
    page: str = ""
    """The address that opens its page once."""
    began_s: float = field(default=0.0)

    @property
    def client(self) -> Client:
        return Client(self.home)

    def call(self, operation: str, within_s: float = 30.0, **arguments: Any) -> Any:
        """The answer of the daemon, whatever its exit code. Raises CommandFailed."""
        return self.client.call(operation, arguments, within_s).data

    def begin(self) -> None:
        """Start the daemon, as a person would with `p2psync up`; `await_ready` waits for it."""
        words = [sys.executable, "-m", "p2psync", "--lang", language(), "up", "--home", str(self.home)]
        words += ["--name", self.name, *self.options]
        self.began_s = time.monotonic()
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def await_ready(self) -> float:
        """Seconds from its start until it said that it serves. Raises CommandFailed with the end of its log."""
        process = self._running()
        timer = threading.Timer(START_S, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if not line.startswith(READY):
            last = tail(self.home / DAEMON_LOG, TAIL_LINES)
            raise CommandFailed(_("{name} did not start:\n{text}").format(name=self.name, text=last or "-"))
        self.page = line.split()[1] if len(line.split()) > 1 else ""
        return time.monotonic() - self.began_s

    def stop(self) -> float:
        """End the daemon in order, as a person would; returns how long it took. It is killed if it does not end."""
        process = self._running()
        begun_s = time.monotonic()
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget()
        return time.monotonic() - begun_s

    def kill(self) -> None:
        """As a power cut does."""
        process = self._running()
        process.kill()
        process.wait()
        self._forget()

    def close(self) -> None:
        if self.process is not None:
            self.stop()

    # -- the folder ------------------------------------------------------------------------------------

    def save(self, name: str, data: bytes) -> None:
        """As a careful program does: written elsewhere on the same disk, then renamed."""
        fresh = self.folder.with_name(f"{self.folder.name}.saving")
        fresh.write_bytes(data)
        os.replace(fresh, self.folder / name)

    def holds(self, name: str, data: bytes) -> bool:
        try:
            return (self.folder / name).read_bytes() == data
        except OSError:
            return False

    def files(self) -> dict[str, bytes]:
        """All that a user sees, by path."""
        own = self.folder / OWN_DIRECTORY
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file() and own not in path.parents)
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}

    def _running(self) -> subprocess.Popen[str]:
        assert self.process is not None, f"{self.name} is off"
        return self.process

    def _forget(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None


@contextmanager
def stage(cast: Sequence[tuple[str, str]], keep: bool, options: Sequence[str] = ()) -> Iterator[tuple[Path, list[Pc]]]:
    """The PCs (name, role), none of them on yet. At the end all are off, and unless `keep` nothing is left of them."""
    root = Path(mkdtemp(prefix="p2psync-demo-"))
    pcs = [
        Pc(name, role, root / f"pc{number}" / "home", root / f"pc{number}" / "Cargo.crsync", options)
        for number, (name, role) in enumerate(cast, 1)
    ]
    try:
        for pc in pcs:
            pc.folder.parent.mkdir()
        yield root, pcs
    finally:
        for pc in pcs:
            pc.close()
        if not keep:
            shutil.rmtree(root, ignore_errors=True)


def waited_s(condition: Callable[[], bool], timeout_s: float) -> float | None:
    """Seconds until a condition held, looked at from outside every millisecond; None if it did not in time."""
    begun_s = time.monotonic()
    while not condition():
        if time.monotonic() - begun_s > timeout_s:
            return None
        _never.wait(LOOK_EVERY_S)
    return time.monotonic() - begun_s

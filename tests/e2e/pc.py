"""One PC of an end-to-end test: a real daemon in a network namespace, driven through the command line.

What a user does goes through the command line; only the looks of `status` that a wait repeats many times ask the
daemon as the command line does, without a process for each.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from blake3 import blake3

from p2psync.cli.client import Client
from p2psync.cli.exits import CommandFailed
from tests.lab import Lab

MANDATE = "Cargo"
DEADLINE_S = 60.0
"""Met only where something is broken."""
READY_S = 60.0
END_S = 20.0
COMMAND_S = 180.0
LOOK_EVERY_S = 0.1
TAIL_LINES = 60

WITHOUT_ROOTS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Modes of files count for the daemon as for any user's."""
WITH_ANOTHER_CLOCK = """
import sys, time
off_s, now_s, now_ns = int(sys.argv.pop(1)), time.time, time.time_ns
time.time, time.time_ns = lambda: now_s() + off_s, lambda: now_ns() + off_s * 10**9
from p2psync.cli.main import main
main()
"""

_never = threading.Event()


class Answer(NamedTuple):
    """How a command ended."""

    exit: int
    data: Any
    """The JSON document; None if there was none."""
    said: str
    """On stderr."""


def until(condition: Callable[[], object], what: str, within_s: float = DEADLINE_S) -> float:
    """Poll until a condition holds; returns the seconds that took. Raises AssertionError after the deadline."""
    begun_s = time.monotonic()
    while not condition():
        if time.monotonic() - begun_s > within_s:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        _never.wait(LOOK_EVERY_S)
    return time.monotonic() - begun_s


def pause(seconds: float) -> None:
    """Let time pass in which something must not happen."""
    _never.wait(seconds)


class Pc:
    """A home, folders, and the daemon while it runs."""

    def __init__(self, lab: Lab, host: str, root: Path) -> None:
        self.lab = lab
        self.host = host
        self.root = root
        self.home = root / f"{host}.home"
        self.folder = root / f"{host}.crsync"
        self.output = root / f"{host}.output"
        self.daemon: subprocess.Popen[bytes] | None = None
        self.is_confined = False
        """Whether the daemon has no more rights to files than their modes give."""
        self.clock_off_s = 0
        """How wrong this PC's clock is."""

    def __repr__(self) -> str:
        return f"<{self.host}>"

    # -- the daemon ----------------------------------------------------------------------------------------------------

    def start(self, *options: object) -> Pc:
        """Returns once the daemon has printed that it is ready."""
        self.root.mkdir(parents=True, exist_ok=True)
        program = ["-c", WITH_ANOTHER_CLOCK, self.clock_off_s] if self.clock_off_s else ["-m", "p2psync"]
        command = [sys.executable, "-u", *program, "up", "--home", self.home, "--name", self.host, *options]
        command = [*(WITHOUT_ROOTS_RIGHTS if self.is_confined else ()), *command]
        with self.output.open("ab") as output:
            self.daemon = self.lab.popen(
                self.host, command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output
            )
        line = self._first_line()
        assert line.startswith("ready"), f"{self.host} did not start: {line!r}; it said: {self.said()}"
        return self

    def stop(self) -> float:
        """End the daemon as the system does at shutdown; returns the seconds that took."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut ends it, but for what the system has not written yet."""
        self._end(signal.SIGKILL)

    def restart(self, *options: object) -> Pc:
        self.stop()
        return self.start(*options)

    @property
    def is_running(self) -> bool:
        return self.daemon is not None and self.daemon.poll() is None

    def _end(self, which: signal.Signals) -> float:
        daemon, self.daemon = self.daemon, None
        if daemon is None:
            return 0.0
        begun_s = time.monotonic()
        try:
            daemon.send_signal(which)
            daemon.wait(END_S)
        finally:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait(END_S)
            assert daemon.stdout is not None
            daemon.stdout.close()
        return time.monotonic() - begun_s

    def _first_line(self) -> str:
        assert self.daemon is not None
        assert self.daemon.stdout is not None
        ready, _, _ = select.select([self.daemon.stdout], [], [], READY_S)
        return self.daemon.stdout.readline().decode() if ready else "nothing"

    # -- commands ------------------------------------------------------------------------------------------------------

    def ask(self, *arguments: object, given: str | None = None) -> Answer:
        """Run a command to its end, whatever that is."""
        command = [sys.executable, "-m", "p2psync", *arguments, "--home", self.home, "--json"]
        done = self.lab.run(self.host, command, input=given, capture_output=True, text=True, timeout=COMMAND_S)
        try:
            data = json.loads(done.stdout)
        except ValueError:
            data = None
        return Answer(done.returncode, data, done.stderr.strip())

    def run(self, *arguments: object, given: str | None = None) -> Any:
        """The JSON of a command that has to succeed."""
        answer = self.ask(*arguments, given=given)
        assert answer.exit == 0, f"{self.host}: p2psync {' '.join(map(str, arguments))}: {answer}"
        return answer.data

    def begin(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        command = [sys.executable, "-m", "p2psync", *arguments, "--home", self.home, "--json"]
        return self.lab.popen(self.host, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def overall(self) -> Any:
        """The whole `status`."""
        with self.lab.inside(self.host):
            return Client(self.home).call("status").data

    def status(self, mandate: str = MANDATE) -> Any:
        """`status` of one mandate."""
        return next(m for m in self.overall()["mandates"] if m["name"] == mandate)

    @property
    def device(self) -> str:
        return str(self.overall()["device"]["id"])

    def connected(self, mandate: str = MANDATE) -> set[str]:
        """The names of the members that this device is connected with."""
        return {str(p["name"]) for p in self.status(mandate)["peers"] if p["connected"]}

    def problems(self, mandate: str = MANDATE) -> dict[str, str]:
        """What is wrong, by path."""
        return {p["path"]: p["code"] for p in self.status(mandate)["problem_list"]}

    def create(self, *options: object, mandate: str = MANDATE, folder: Path | None = None) -> Any:
        """Make a mandate and share it."""
        made = self.run("mandate", "create", mandate, "--folder", folder or self.folder, *options)
        self.run("share", mandate)
        return made

    def invite(self, role: str = "payroll", *options: object, mandate: str = MANDATE) -> str:
        return str(self.run("invite", mandate, "--role", role, *options)["ticket"])

    def join(self, ticket: str, *options: object, folder: Path | None = None) -> Any:
        return self.run("join", "-", "--folder", folder or self.folder, *options, given=ticket)

    def log(self, mandate: str = MANDATE) -> list[dict[str, Any]]:
        """What the signed log says of files, in its order, but for receipts."""
        return [row for row in self.run("log", mandate) if row["path"] and row["kind"] != "received"]

    # -- the folder ----------------------------------------------------------------------------------------------------

    def save(self, path: str, data: bytes | str) -> None:
        """As a careful program does: whole, under another name first."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"~{len(target.name)}.tmp")
        fresh.write_bytes(data.encode() if isinstance(data, str) else data)
        fresh.replace(target)

    def read(self, path: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return (self.folder / path).read_bytes()
        return None

    def has(self, path: str, data: bytes | str | None, within_s: float = DEADLINE_S) -> float:
        """Wait until a path holds these bytes, or until it is gone; returns the seconds that took."""
        wanted = data.encode() if isinstance(data, str) else data
        return until(lambda: self.read(path) == wanted, f"{self.host} has {path}", within_s)

    def files(self) -> dict[str, str]:
        """What a user sees: the digest of each file, by path."""
        return tree(self.folder)

    # -- when it went wrong --------------------------------------------------------------------------------------------

    def said(self) -> str:
        """The last lines of the daemon's output and log."""
        found = []
        for path in (self.output, self.home / "command-line.log", self.home / "p2psync.log"):
            with contextlib.suppress(OSError):
                lines = path.read_text(errors="replace").splitlines()
                found.append(f"-- {path.name}\n" + "\n".join(lines[-TAIL_LINES:]))
        with contextlib.suppress(CommandFailed, OSError, AssertionError):
            found.append(f"-- status\n{json.dumps(self.overall(), indent=1)}" if self.is_running else "-- off")
        return "\n".join(found)

    def lanes(self) -> int:
        """How many connections for bulk there ever were."""
        return (self.home / "p2psync.log").read_text().count(" lane.up ")


def tree(folder: Path) -> dict[str, str]:
    """The digest of each file in a folder, by path; empty directories end in "/"."""
    found = {}
    for directory, directories, names in os.walk(os.fsencode(folder)):
        if os.fsdecode(directory) == str(folder):
            directories[:] = [d for d in directories if d != b".p2psync"]
        inner = os.path.relpath(directory, os.fsencode(folder))
        for name in names:
            path = os.path.join(directory, name)
            with contextlib.suppress(FileNotFoundError):
                found[os.fsdecode(os.path.normpath(os.path.join(inner, name)))] = digest(path)
        if not names and not directories and inner != b".":
            found[os.fsdecode(inner) + "/"] = ""
    return found


def digest(path: bytes | str | Path) -> str:
    hasher = blake3()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()


def settled(*pcs: Pc, mandate: str = MANDATE) -> Mapping[str, str] | None:
    """What stands in the folders of these, if they are all connected, in sync and the same; else None."""
    others = {pc.host for pc in pcs}
    for pc in pcs:
        status = pc.status(mandate)
        connected = {p["name"] for p in status["peers"] if p["connected"]}
        if not status["in_sync"] or not others - {pc.host} <= connected:
            return None
    trees = [pc.files() for pc in pcs]
    return trees[0] if all(one == trees[0] for one in trees) else None


def agree(*pcs: Pc, within_s: float = DEADLINE_S) -> dict[str, str]:
    """Wait until they are connected, in sync and the same; returns what stands in their folders."""
    found: list[Mapping[str, str]] = []

    def same() -> bool:
        now = settled(*pcs)
        if now is not None:
            found.append(now)
        return now is not None

    try:
        until(same, f"{', '.join(pc.host for pc in pcs)} are the same", within_s)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{differences(*pcs)}") from None
    return dict(found[-1])


def differences(*pcs: Pc) -> str:
    """What differs, for people."""
    trees = [pc.files() for pc in pcs]
    paths = sorted({path for one in trees for path in one})
    odd = [path for path in paths if len({one.get(path) for one in trees}) > 1]
    lines = [
        f"{path}: " + ", ".join(f"{pc.host}={one.get(path, '-')[:8]}" for pc, one in zip(pcs, trees, strict=True))
        for path in odd[:20]
    ]
    states = [f"{pc.host}: in_sync={pc.status()['in_sync']} connected={sorted(pc.connected())}" for pc in pcs]
    return "\n".join([*states, f"{len(odd)} paths differ", *lines])


RUNNING: list[Pc] = []
"""Those of the test that runs, for its report if it fails."""


@contextlib.contextmanager
def ended(pcs: Sequence[Pc]) -> Iterator[None]:
    """Whatever happens meanwhile, their daemons are ended, and what they said is in the report of a test that fails."""
    RUNNING.extend(pcs)
    try:
        yield
    finally:
        for pc in pcs:
            pc.kill()
            RUNNING.remove(pc)


@contextlib.contextmanager
def office(lab: Lab, root: Path, *hosts: str, options: tuple[str, ...] = ()) -> Iterator[list[Pc]]:
    """PCs whose daemons run and know nothing of each other; ended at the end, whatever their tests did."""
    pcs = [Pc(lab, host, root) for host in hosts or lab.hosts]
    with ended(pcs):
        for pc in pcs:
            pc.start(*options)
        yield pcs


@contextlib.contextmanager
def company(lab: Lab, root: Path, *roles: str, options: tuple[str, ...] = ()) -> Iterator[list[Pc]]:
    """PCs that share one mandate: the first host of the lab created it, the next ones joined with these roles."""
    with office(lab, root, *lab.hosts[: len(roles) + 1]) as pcs:
        first, *others = pcs
        first.create(*options)
        for pc, role in zip(others, roles, strict=True):
            pc.join(first.invite(role))
        agree(*pcs)
        yield pcs

"""One PC of a test: a home, a folder, commands as a person runs them, and a daemon that starts, ends and is killed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2psync.cli.main import main
from p2psync.i18n import set_language

COMMAND_S = 60.0
READY_S = 30.0
DEADLINE_S = 30.0
LOOK_EVERY_S = 0.01
OFFLINE = ("--no-mdns", "--listen", "127.0.0.1:0")
"""No test of commands meets devices that it did not start."""

_never = threading.Event()


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Of `--json`."""
        return json.loads(self.out)


class Machine:
    """A PC."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.home = root / f"{name}.home"
        self.folder = root / f"{name}.crsync"
        self.process: subprocess.Popen[str] | None = None
        self.page = ""

    # -- the daemon ----------------------------------------------------------------------------------------------------

    def up(self, *options: str) -> Machine:
        """`p2psync up` in the background of a shell; returns when it says that it is ready."""
        words = [sys.executable, "-m", "p2psync", "up", "--home", str(self.home), "--name", self.name]
        words += [*OFFLINE, *options]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        timer = threading.Timer(READY_S, self.process.kill)
        timer.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        timer.cancel()
        assert line.startswith("ready"), line + self.process.stdout.read()
        self.page = line.split()[1] if " " in line else ""
        return self

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """Send a signal to the daemon; returns its exit code, the seconds it took, and what else it had printed."""
        process = self.process
        assert process is not None
        begun_s = time.monotonic()
        process.send_signal(number)
        said, _ = process.communicate(timeout=DEADLINE_S)
        self.process = None
        return process.returncode, time.monotonic() - begun_s, said

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    # -- commands ------------------------------------------------------------------------------------------------------

    def run(self, *words: str, stdin: str = "") -> Result:
        """A command in this process: the same code without a new interpreter."""
        return run("--home", str(self.home), *words, stdin=stdin)

    def ask(self, *words: str) -> Any:
        """The JSON of a command that has to succeed."""
        result = self.run(*words, "--json")
        assert result.code == 0, result
        return result.data

    def refuses(self, *words: str, code: int, saying: str) -> None:
        """A command that ends with this code, and tells why in a sentence with this in it."""
        result = self.run(*words)
        assert result.code == code, result
        assert saying in result.err, result
        assert "Traceback" not in result.err, result
        assert result.out == "", result

    def shell(self, *words: str, stdin: str = "") -> Result:
        """A command as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "p2psync", "--home", str(self.home), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            env=environment(),
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    # -- the folder ----------------------------------------------------------------------------------------------------

    def save(self, name: str, data: str) -> None:
        """Whole, by a rename."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.home / "saving"
        fresh.write_bytes(data.encode())
        os.replace(fresh, target)

    def read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_bytes().decode()
        except OSError:
            return None

    def has(self, name: str, data: str | None) -> None:
        """Wait until a file holds this, or until it is gone."""
        until(lambda: self.read(name) == data, f"{self.name} has {name}")


def run(*words: str, stdin: str = "") -> Result:
    """A command in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    sys.stdin = io.StringIO(stdin)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(words)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        sys.stdin = before
        set_language("en")
    return Result(code, out.getvalue(), err.getvalue())


def environment() -> dict[str, str]:
    """As of a user who speaks English and has no home of p2psync set."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "P2PSYNC"))}
    return {**rest, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Returns when a condition holds; only a broken program meets the deadline."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"did not come true within {deadline_s} s: {what}"
        _never.wait(LOOK_EVERY_S)


@contextlib.contextmanager
def machines(root: Path, *names: str, up: bool = True) -> Iterator[list[Machine]]:
    """PCs whose daemons run and know nothing of each other; all are off at the end."""
    several = [Machine(root, name) for name in names]
    try:
        if up:
            for machine in several:
                machine.up()
        yield several
    finally:
        for machine in several:
            machine.close()


@contextlib.contextmanager
def company(root: Path, role: str = "payroll") -> Iterator[tuple[Machine, Machine]]:
    """Two PCs that share the mandate Cargo: "office" is accounting and made it, "home" has joined."""
    with machines(root, "office", "home") as (office, home):
        office.ask("mandate", "create", "Cargo", "--folder", str(office.folder), "--role", "accounting")
        office.ask("share", "Cargo")
        ticket = office.ask("invite", "Cargo", "--role", role)["ticket"]
        home.ask("join", ticket, "--folder", str(home.folder))
        office.ask("wait", "Cargo", "--timeout", "30s")
        yield office, home

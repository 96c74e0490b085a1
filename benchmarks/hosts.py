"""One host of the lab as the benchmark sees it: the programs on it, and what they have used."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab import Counters, Lab

MIB = 1 << 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STOP_S = 20.0
LOG_LINES = 3
TCP_LISTEN = "0A"


class ToolFailed(RuntimeError):
    """A synchroniser ended, refused or said something else than expected; the message has its last words."""


class Host:
    """Programs are started here, in the host's namespace; all of them and their children count as its use."""

    def __init__(self, lab: Lab, name: str, directory: Path) -> None:
        """`directory` is the host's own: homes and folders of its programs go there."""
        self.name = name
        self.directory = directory
        self.address = lab.ip(name)
        self.lab = lab
        self._namespace = self._inode()
        self._started: set[int] = set()
        self._seen: dict[int, bool] = {}
        """Of each process on the machine, whether it is on this host: looked up once."""
        self._not_ours: frozenset[int] = frozenset()
        """What holds the packets back on this line is the lab's, not a tool's."""
        self._spent_s = 0.0
        self._not_ours = frozenset(self._programs())
        directory.mkdir(parents=True)

    # -- programs

    def start(self, argv: Sequence[object], **variables: str) -> Program:
        """Start a program with these environment variables in addition; what it prints goes to a log."""
        log = self.directory / "programs.log"
        with log.open("ab") as file:
            begin = file.tell()
            popen = self.lab.popen(
                self.name,
                argv,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.directory,  # not the checkout, which Python would import from
                env=self._environment(variables),
            )
        self._started.add(popen.pid)
        return Program(self, popen, log, begin)

    def run(self, argv: Sequence[object], **variables: str) -> str:
        """Run a program to its end and return what it prints. Raises ToolFailed if it fails."""
        options = {"cwd": self.directory, "env": self._environment(variables)}
        done = self.lab.run(self.name, argv, capture_output=True, text=True, **options)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ToolFailed(f"{' '.join(map(str, argv))}: exit {done.returncode}: {said}")
        return str(done.stdout)

    def listens(self, port: int) -> bool:
        """Whether a program takes TCP connections at this port; asked without making one."""
        with self.lab.inside(self.name):
            lines = [line for name in ("tcp", "tcp6") for line in _lines(f"/proc/thread-self/net/{name}")[1:]]
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == TCP_LISTEN for line in lines)

    def ended(self, pid: int, cpu_s: float) -> None:
        """For programs: one is over, and it and its children used so much."""
        self._started.discard(pid)
        self._spent_s += cpu_s

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        return os.environ | {"HOME": str(self.directory), "LC_ALL": "C.UTF-8"} | variables

    # -- what they use

    def cpu_s(self) -> float:
        """Processor seconds of all programs so far, over and running, with their children."""
        return self._spent_s + sum(_cpu_s(pid) for pid in self._programs())

    def read_mib(self) -> float:
        """What the running programs have read so far, by read and its like: files, pipes, no sockets."""
        return sum(_read_bytes(pid) for pid in self._programs()) / MIB

    def peak_mib(self) -> float:
        """The highest resident memory of those that run now, each at its own worst."""
        return sum(_memory_mib(pid, "status", "VmHWM") for pid in self._programs())

    def pss_mib(self) -> float:
        """The memory of the running programs now, what several processes share being split among them."""
        return sum(_memory_mib(pid, "smaps_rollup", "Pss") for pid in self._programs())

    def forget_peaks(self) -> None:
        """From now on `peak_mib` looks at what comes."""
        for pid in self._programs():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def wire(self) -> Counters:
        """What crossed the host's cable so far."""
        return self.lab.counters(self.name)

    def _programs(self) -> list[int]:
        """The processes on this host that belong to tools."""
        before, self._seen = self._seen, {}
        for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
            known = before.get(pid)
            self._seen[pid] = self._is_here(pid) if known is None else known
        # One that was only just started may not have reached the namespace when it was looked at.
        here = self._started | {pid for pid, is_here in self._seen.items() if is_here}
        return sorted(here - self._not_ours)

    def _is_here(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return os.stat(f"/proc/{pid}/ns/net").st_ino == self._namespace
        return False

    def _inode(self) -> int:
        with self.lab.inside(self.name):
            return os.stat("/proc/thread-self/ns/net").st_ino


class Program:
    """A started program; whoever starts it waits for it or ends it, so that its use is counted."""

    def __init__(self, host: Host, popen: subprocess.Popen[bytes], log: Path, begin: int) -> None:
        """`log` from `begin` on is what it prints, and what others on this host do."""
        self._host = host
        self._popen = popen
        self._log = log
        self._begin = begin
        self._handle = os.pidfd_open(popen.pid)

    def exit_code(self, within_s: float = 0.0) -> int | None:
        """The exit code, as soon as the program is over; None if it still runs after that time."""
        if self._popen.returncode is None and select.select([self._handle], [], [], within_s)[0]:
            # wait4 instead of Popen.wait: it tells what the program and its children used.
            _, status, used = os.wait4(self._popen.pid, 0)
            self._popen.returncode = os.waitstatus_to_exitcode(status)
            self._host.ended(self._popen.pid, used.ru_utime + used.ru_stime)
            os.close(self._handle)
        return self._popen.returncode

    def succeed(self, within_s: float) -> None:
        """Wait for its end. Raises ToolFailed if it fails, or takes longer."""
        code = self.exit_code(within_s)
        if code != 0:
            raise ToolFailed(f"{self.called} {'still runs' if code is None else f'ended with {code}'}: {self.said()}")

    def must_run(self) -> None:
        """Raises ToolFailed if it is over."""
        if (code := self.exit_code()) is not None:
            raise ToolFailed(f"{self.called} ended with {code}: {self.said()}")

    def end(self) -> None:
        """Ask it to end, and insist after a while."""
        for ask in (self._popen.terminate, self._popen.kill):
            if self.exit_code() is None:
                ask()
                self.exit_code(STOP_S)

    def said(self) -> str:
        """The last lines that it, or another one on this host since it was started, printed."""
        text = self._log.read_bytes()[self._begin :].decode(errors="replace")
        return " / ".join(text.splitlines()[-LOG_LINES:])

    @property
    def called(self) -> str:
        """Its name, and the host's."""
        words = list(map(str, self._popen.args))  # type: ignore[arg-type]
        return f"{Path(words[4]).name} on {self._host.name}"  # after "ip netns exec <namespace>"


def _cpu_s(pid: int) -> float:
    """Of a process and of those of its children that are over."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS_PER_S
    return 0.0


def _read_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/io").read_text().split()[1])
    return 0


def _memory_mib(pid: int, file: str, key: str) -> float:
    with contextlib.suppress(OSError):
        for line in _lines(f"/proc/{pid}/{file}"):
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()

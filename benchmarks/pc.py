"""One PC of the benchmark: a real daemon in a network namespace, driven through the command line."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import p2psync
from tests.lab import Lab

READY_S = 30
STOP_S = 10
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Pc:
    lab: Lab
    host: str
    root: Path

    def __post_init__(self) -> None:
        self.home = self.root / f"home-{self.host}"
        self.folder = self.root / f"{self.host}.crsync"
        self.daemon: subprocess.Popen[str] | None = None
        self._options: dict[str, Any] = {
            "text": True,
            "cwd": self.root,  # not the checkout, which would be imported instead
            "env": os.environ | {"PYTHONPATH": str(installed(self.root))},
        }

    def start(self) -> None:
        """Returns once the daemon has printed that it is ready."""
        command = [*self._command(), "up", "--name", self.host]
        self.daemon = self.lab.popen(self.host, command, stdout=subprocess.PIPE, **self._options)
        assert self.daemon.stdout is not None
        line = self.daemon.stdout.readline()
        if not line.startswith("ready"):
            raise RuntimeError(f"{self.host}: the daemon did not start: {line!r}")

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(STOP_S)
            self.daemon = None

    def run(self, *arguments: str) -> Any:
        """A command's JSON; raises RuntimeError with what it said."""
        words = [*self._command(), *arguments, "--json"]
        done = self.lab.run(self.host, words, capture_output=True, **self._options)
        if done.returncode:
            raise RuntimeError(f"p2psync {' '.join(arguments)}: exit {done.returncode}: {done.stderr or done.stdout}")
        return json.loads(done.stdout or "null")

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "p2psync", "--home", str(self.home)]

    def cpu_s(self) -> float:
        """Processor seconds that the daemon has used so far."""
        assert self.daemon is not None
        fields = Path(f"/proc/{self.daemon.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_mib(self) -> dict[str, float]:
        """Resident and proportional memory of the daemon now, and the most it ever had."""
        assert self.daemon is not None
        found = {}
        for name, key in (("smaps_rollup", "Pss"), ("status", "VmRSS"), ("status", "VmHWM")):
            text = Path(f"/proc/{self.daemon.pid}/{name}").read_text()
            line = next(x for x in text.splitlines() if x.startswith(key + ":"))
            found[key] = int(line.split()[1]) / 1024
        return found


def installed(root: Path) -> Path:
    """A copy of the program as installers leave it, with its bytecode: compiling costs time and memory."""
    directory = root / "installed"
    if not directory.exists():
        source = Path(p2psync.__file__).parent
        shutil.copytree(source, directory / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(directory, quiet=1)
    return directory


def wait_until(true: Any, seconds: float, what: str, every_s: float = 0.002) -> float:
    """Poll a condition; returns the seconds it took, raises TimeoutError."""
    begun = time.perf_counter()
    while not true():
        if time.perf_counter() - begun > seconds:
            raise TimeoutError(what)
        time.sleep(every_s)  # noqa: TID251 - a benchmark measures the clock
    return time.perf_counter() - begun

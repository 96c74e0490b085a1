"""What every synchroniser of the benchmark can do: the first host's folder is to appear on all others."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from benchmarks.clock import wait_until
from benchmarks.hosts import Host, Program, ToolFailed

READY_S = 90.0
PORT = 8730
"""Where the daemons of tools that are run by hand listen."""


class Tool(ABC):
    """One synchroniser on the hosts of one lab, for one run: fresh homes, fresh folders."""

    name: ClassVar[str]
    package: ClassVar[str] = ""
    """The Debian package that it comes from; "" if nothing is to be installed."""
    program: ClassVar[str] = ""
    """What is looked for to know whether it is installed."""
    unfit_for: ClassVar[Mapping[str, str]] = {}
    """Workloads that it cannot take part in, and why."""
    only_for: ClassVar[frozenset[str]] = frozenset()
    """If not empty: the only workloads that it is for."""
    own_names: ClassVar[frozenset[str]] = frozenset()
    """What it keeps for itself at the top of a folder."""

    def __init__(self, hosts: Sequence[Host], shared: Path) -> None:
        """`shared` is the same directory for all runs."""
        self.hosts = list(hosts)
        self.shared = shared
        self.daemons: list[Program] = []
        for host in self.hosts:
            self.folder(host).mkdir(parents=True)

    @classmethod
    def version(cls) -> str | None:
        """The first line of what it says about itself; None if it is not installed."""
        if not shutil.which(cls.program):
            return None
        said = subprocess.run([cls.program, "--version"], capture_output=True, text=True, check=False).stdout
        return said.partition("\n")[0].strip()

    @property
    def first(self) -> Host:
        """The host on which files are changed."""
        return self.hosts[0]

    @property
    def others(self) -> list[Host]:
        """The hosts on which changes are to be seen."""
        return self.hosts[1:]

    def folder(self, host: Host) -> Path:
        """The folder that is kept the same, on this host."""
        return host.directory / "folder"

    @abstractmethod
    def set_up(self) -> None:
        """Write the settings, start what has to run, return when the hosts know each other. Raises ToolFailed."""

    @abstractmethod
    def launch(self) -> None:
        """Start what has to run, once more after `stop`. It may return before all is ready."""

    @abstractmethod
    def settle(self, within_s: float) -> None:
        """Return when nothing is left to do on any host. Raises ToolFailed or TimeoutError."""

    @abstractmethod
    def changed(self, path: str = "") -> None:
        """Files have changed, those at or below `path`: for what is run by hand, the moment to run it."""

    @abstractmethod
    def finish(self, path: str = "", within_s: float = READY_S) -> None:
        """Return when what `changed` has started for this path is over."""

    def check(self) -> None:
        """Raises ToolFailed if something ended that must not."""
        for daemon in self.daemons:
            daemon.must_run()

    def said(self) -> str:
        """The last words of what runs, for the report of a failure."""
        return "; ".join(f"{daemon.called}: {daemon.said()}" for daemon in self.daemons)

    def stop(self) -> None:
        """End what runs."""
        with contextlib.ExitStack() as stack:
            for daemon in self.daemons:
                stack.callback(daemon.end)
            self.daemons = []


class Watching(Tool):
    """What runs on every host, and notices changes by itself."""

    def changed(self, path: str = "") -> None:
        """It sees that for itself."""

    def finish(self, path: str = "", within_s: float = READY_S) -> None:
        """Nothing was started."""


class ByHand(Tool):
    """What somebody runs after each change, on the first host, once for each other host."""

    def __init__(self, hosts: Sequence[Host], shared: Path) -> None:
        super().__init__(hosts, shared)
        self._commands: dict[str, list[Program]] = {}
        """Those that are not known to be over, by the path they are for."""

    @abstractmethod
    def command(self, to: Host, path: str) -> Program:
        """Start to bring the first host's changes at or below `path` ("": all) to another host."""

    @abstractmethod
    def daemon(self, host: Host) -> Program:
        """Start what takes the first host's calls on another one, at PORT."""

    def set_up(self) -> None:
        self.launch()

    def launch(self) -> None:
        self.daemons = [self.daemon(host) for host in self.others]
        for host in self.others:
            listens = partial(host.listens, PORT)
            wait_until(listens, READY_S, f"{self.name} does not listen", every_s=0.002, check=self.check)

    def changed(self, path: str = "") -> None:
        self._commands[path] = [self.command(host, path) for host in self.others]

    def finish(self, path: str = "", within_s: float = READY_S) -> None:
        for command in self._commands.get(path, []):
            command.succeed(within_s)
        self._commands.pop(path, None)

    def settle(self, within_s: float) -> None:
        for path in list(self._commands):
            self.finish(path, within_s)

    def check(self) -> None:
        super().check()
        for command in [c for commands in self._commands.values() for c in commands]:
            if command.exit_code():
                command.succeed(0)

    def stop(self) -> None:
        for command in [c for commands in self._commands.values() for c in commands]:
            command.end()
        self._commands.clear()
        super().stop()


def until_true(question: Callable[[], bool]) -> Callable[[], bool]:
    """The same question, where no answer yet means no."""

    def answer() -> bool:
        with contextlib.suppress(OSError, ValueError, ToolFailed):
            return question()
        return False

    return answer

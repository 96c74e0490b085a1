"""p2psync as its users have it: installed, with default settings, paired by ticket."""

from __future__ import annotations

import compileall
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import p2psync
from benchmarks.clock import wait_until
from benchmarks.hosts import Host
from benchmarks.tools.tool import READY_S, Watching, until_true
from p2psync.cli.client import Client
from p2psync.cli.exits import CommandFailed

LOOK_EVERY_S = 0.05


class P2psync(Watching):
    name = "p2psync"
    own_names = frozenset({".p2psync"})

    def __init__(self, hosts: Sequence[Host], shared: Path) -> None:
        super().__init__(hosts, shared)
        self._path = {"PYTHONPATH": str(installed(shared))}

    @classmethod
    def version(cls) -> str | None:
        return p2psync.__version__

    def folder(self, host: Host) -> Path:
        return host.directory / "bench.crsync"

    def set_up(self) -> None:
        """The five lines of the README."""
        self.launch()
        wait_until(until_true(self._all_answer), READY_S, "p2psync did not start", check=self.check)
        self.command(self.first, "mandate", "create", "Bench", "--folder", self.folder(self.first))
        self.command(self.first, "share", "Bench")
        for host in self.others:
            ticket = self.command(self.first, "invite", "Bench", "--role", "invoicing")["ticket"]
            self.command(host, "join", ticket, "--folder", self.folder(host))

    def launch(self) -> None:
        self.daemons = [
            host.start([*self._words(host), "up", "--name", host.name], **self._path) for host in self.hosts
        ]

    def settle(self, within_s: float) -> None:
        wait_until(
            until_true(self._is_in_sync),
            within_s,
            "p2psync did not say that all is in sync",
            every_s=LOOK_EVERY_S,
            check=self.check,
        )

    def command(self, host: Host, *arguments: object) -> Any:
        """A command's answer. Raises ToolFailed."""
        return json.loads(host.run([*self._words(host), *arguments, "--json"], **self._path) or "null")

    def _words(self, host: Host) -> list[object]:
        return [sys.executable, "-m", "p2psync", "--home", self._home(host)]

    def _home(self, host: Host) -> Path:
        return host.directory / "home"

    def _all_answer(self) -> bool:
        return all(self._ask(host, "ping") for host in self.hosts)

    def _is_in_sync(self) -> bool:
        return all(_is_calm(m, len(self.others)) for host in self.hosts for m in self._ask(host, "status")["mandates"])

    def _ask(self, host: Host, operation: str) -> Any:
        """What the daemon says over HTTP: a command for it would take more time than what is measured."""
        with host.lab.inside(host.name):
            try:
                return Client(self._home(host)).call(operation).data
            except CommandFailed as error:
                raise ValueError(str(error)) from error


def _is_calm(mandate: dict[str, Any], others: int) -> bool:
    peers = mandate["peers"]
    return bool(mandate["in_sync"] and len(peers) == others and all(peer["connected"] for peer in peers))


def installed(shared: Path) -> Path:
    """A copy of the program as installers leave it, with its bytecode: compiling costs time and memory."""
    directory = shared / "installed"
    if not directory.exists():
        source = Path(p2psync.__file__).parent
        shutil.copytree(source, directory / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(directory, quiet=1)
    return directory

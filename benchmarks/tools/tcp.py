"""A bare TCP connection that carries one big file: no synchroniser, but what one on a single connection can reach."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.hosts import Host, Program
from benchmarks.tools.tool import PORT, ByHand

SCRIPT = Path(__file__).with_name("bare.py")


class Tcp(ByHand):
    name = "tcp"
    only_for = frozenset({"W2"})

    @classmethod
    def version(cls) -> str | None:
        return "one connection, cubic"

    def daemon(self, host: Host) -> Program:
        return host.start([sys.executable, "-I", SCRIPT, "receive", self.folder(host), PORT])

    def command(self, to: Host, path: str) -> Program:
        return self.first.start(
            [sys.executable, "-I", SCRIPT, "send", self.folder(self.first) / path, to.address, PORT]
        )

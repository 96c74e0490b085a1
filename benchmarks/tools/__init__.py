"""The synchronisers that take part."""

from __future__ import annotations

from benchmarks.tools.p2psync import P2psync
from benchmarks.tools.rsync import Rsync
from benchmarks.tools.syncthing import Syncthing, SyncthingDefault, SyncthingEager
from benchmarks.tools.tcp import Tcp
from benchmarks.tools.tool import Tool
from benchmarks.tools.unison import Unison

TOOLS: tuple[type[Tool], ...] = (P2psync, Syncthing, Rsync, Unison, Tcp, SyncthingDefault, SyncthingEager)
BY_NAME = {tool.name: tool for tool in TOOLS}
USUAL = ("p2psync", "syncthing", "rsync", "unison", "tcp")
"""Those that run if nothing else is asked for."""

__all__ = ["BY_NAME", "TOOLS", "USUAL", "Tool"]

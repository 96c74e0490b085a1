"""Unison: run by hand after each change, over a socket: no encryption."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import ClassVar

from benchmarks.hosts import Host, Program
from benchmarks.tools.tool import PORT, ByHand


class Unison(ByHand):
    name = "unison"
    package = "unison"
    program = "unison"
    unfit_for: ClassVar[Mapping[str, str]] = {
        "W4b": "it locks the folder while it sends",
        "W5": "nothing of it runs while nothing changes",
    }

    @classmethod
    def version(cls) -> str | None:
        return super().version() and subprocess.check_output([cls.program, "-version"], text=True).strip()

    def daemon(self, host: Host) -> Program:
        return host.start(["unison", "-socket", PORT], **self._names(host))

    def command(self, to: Host, path: str) -> Program:
        roots = [self.folder(self.first), f"socket://{to.address}:{PORT}/{self.folder(to)}"]
        only = ["-path", path] if path else []
        return self.first.start(["unison", "-batch", "-ui", "text", *only, *roots], **self._names(self.first))

    def _names(self, host: Host) -> dict[str, str]:
        """Each host has its own records of what was the same, and is known by a name of its own."""
        return {"UNISON": str(host.directory / "unison"), "UNISONLOCALHOSTNAME": host.name}

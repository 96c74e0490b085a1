"""rsync: run by hand after each change, against plain daemons: no encryption, no sync to disk, no watching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from benchmarks.hosts import Host, Program
from benchmarks.tools.tool import PORT, ByHand

CONFIGURATION = """
use chroot = no
uid = root
gid = root
reverse lookup = no
[bench]
path = {folder}
read only = no
"""


class Rsync(ByHand):
    name = "rsync"
    package = "rsync"
    program = "rsync"
    unfit_for: ClassVar[Mapping[str, str]] = {"W5": "nothing of it runs while nothing changes"}

    def daemon(self, host: Host) -> Program:
        configuration = host.directory / "rsyncd.conf"
        configuration.write_text(CONFIGURATION.format(folder=self.folder(host)))
        return host.start(["rsync", "--daemon", "--no-detach", f"--port={PORT}", f"--config={configuration}"])

    def command(self, to: Host, path: str) -> Program:
        # Without --modify-window=-1 two saves within the same second are the same to it.
        words = ["rsync", "--archive", "--delete", "--modify-window=-1"]
        source = self.folder(self.first)
        return self.first.start([*words, f"{source}/{path}", f"rsync://{to.address}:{PORT}/bench/"])

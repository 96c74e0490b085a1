"""A real meeting host on a public machine of the lab, and PCs behind routers that know of it."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.pc import END_S, READY_S, Pc, agree, ended
from tests.lab import Lab

PORT = 443


class Host:
    """The process of a meeting host; it may end and begin again with the same key."""

    def __init__(self, lab: Lab, node: str, root: Path) -> None:
        self.lab = lab
        self.node = node
        self.home = root / f"{node}.home"
        self.log = root / f"{node}.log"
        """All that it ever says."""
        self.address = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: object) -> Host:
        place = self.node if self.lab.ip6(self.node) else self.lab.ip(self.node)  # a name stands for both addresses
        listen = f"{place}:{PORT}"
        words = ["rendezvous", "serve", "--json", "--home", self.home, "--listen", listen, *options]
        with self.log.open("ab") as log:
            process = self._process = self.lab.popen(
                self.node,
                [sys.executable, "-u", "-m", "p2psync", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], READY_S)
        said = json.loads(process.stdout.readline() if ready else "{}")
        self.address = f"{said['url']}#{said['pin']}"
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            process.kill()
            process.communicate()


@contextlib.contextmanager
def host_on(lab: Lab, root: Path, node: str = "srv", *options: object) -> Iterator[Host]:
    host = Host(lab, node, root)
    try:
        yield host.start(*options)
    finally:
        host.stop()


@contextlib.contextmanager
def far_company(lab: Lab, root: Path, host: Host, *names: str, mdns: bool = True) -> Iterator[list[Pc]]:
    """PCs that share a mandate; the first made it and knows the meeting host, the others learn of it by ticket."""
    options = [] if mdns else ["--no-mdns"]
    pcs = [Pc(lab, name, root) for name in names]
    with ended(pcs):
        first, *others = pcs
        first.start("--rendezvous", host.address, *options)
        first.create()
        for pc in others:
            pc.start(*options)
            pc.join(first.invite())
        agree(*pcs)
        yield pcs


def way(pc: Pc, other: Pc) -> str | None:
    """How one PC reaches another now."""
    return next((str(p["path"]) for p in pc.status()["peers"] if p["name"] == other.host and p["connected"]), None)


def refuse_tcp(lab: Lab) -> None:
    """No TCP gets through between the first two homes, only to the host."""
    for router, other in (("r1", "r2"), ("r2", "r1")):
        refuse = ["-s", lab.ip(other), "-p", "tcp", "-j", "DROP"]
        lab.run(router, ["iptables", "-w", "-t", "raw", "-A", "PREROUTING", *refuse], check=True)

"""How fast WebRTC alone carries a big file between two homes: real daemons behind port-restricted routers, no relay.

As root on Linux, in a clone. TCP between the homes is refused, and the meeting host relays nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import MIB, WAN
from benchmarks.clock import pause
from tests.e2e.afar import far_company, host_on, refuse_tcp, way
from tests.e2e.pc import Pc, agree, until
from tests.lab import Lab, Site, wan, why_not

RUNS = 3
LOOK_EVERY_S = 0.02
WITHIN_S = 600.0
SITES = Site("port-restricted", ("a",)), Site("port-restricted", ("b",))


def main(words: Sequence[str] | None = None) -> int:
    p = argparse.ArgumentParser(prog="python -m benchmarks.webrtc", description=__doc__)
    p.add_argument("--size", type=int, default=128, metavar="MIB", help="of the file (default: %(default)s)")
    p.add_argument("--runs", type=int, default=RUNS, help="files, one after the other (default: %(default)s)")
    p.add_argument("--rate", default=WAN.rate, help="of each line (default: %(default)s)")
    p.add_argument("--delay", default=WAN.delay, help="one way (default: %(default)s)")
    p.add_argument("--loss", default=WAN.loss, help="in each direction (default: %(default)s)")
    p.add_argument("--tcp", action="store_true", help="let TCP through as well: how fast the best way is")
    arguments = p.parse_args(words)
    if reason := why_not():
        print(f"the benchmark cannot run here: {reason}", file=sys.stderr)
        return 1
    print(f"{arguments.rate}, {arguments.delay} one way, {arguments.loss} loss; load {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(prefix="p2psync-bench-") as root, wan(SITES) as lab:
        measure(lab, Path(root), arguments)
    return 0


def measure(lab: Lab, root: Path, arguments: argparse.Namespace) -> None:
    """The line is what it is to be from the beginning: how far it reaches is judged when the two connect."""
    if not arguments.tcp:
        refuse_tcp(lab)
    for node in ("r1", "r2"):
        lab.shape(node, arguments.rate, arguments.delay, arguments.loss)
    with host_on(lab, root, "srv", "--no-relay") as host, far_company(lab, root, host, "a", "b") as (a, b):
        for run in range(arguments.runs):
            pause(2.0)
            print(one_file(a, b, f"{run}.bin", arguments.size * MIB), flush=True)


def one_file(a: Pc, b: Pc, name: str, size: int) -> str:
    """Save a file that nothing can compress on a; what came out when b has it, for people."""
    cpu = [used_s(pc) for pc in (a, b)]
    a.save(name, os.urandom(size))
    began_s = time.monotonic()
    target = b.folder / name
    while not target.exists():
        if time.monotonic() - began_s > WITHIN_S:
            return f"not within {WITHIN_S:.0f} s"
        pause(LOOK_EVERY_S)
    took_s = time.monotonic() - began_s
    used = [used_s(pc) - before for pc, before in zip((a, b), cpu, strict=True)]
    until(lambda: way(a, b) is not None, "a knows the way")
    agree(a, b)
    return (
        f"{size / MIB:.0f} MiB in {took_s:.1f} s by {way(a, b)}: {size / took_s / 1e6:.1f} MB/s; "
        f"processor {used[0]:.1f} s and {used[1]:.1f} s"
    )


def used_s(pc: Pc) -> float:
    """Processor seconds of a daemon so far."""
    assert pc.daemon is not None
    fields = Path(f"/proc/{pc.daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())

"""What a meeting host costs with many members on it: memory, processor time, and how long two take to meet.

On Linux, in a clone: the host is the real program on loopback, its members are simulated in a few processes beside it,
which use more of the machine than it does. Members come together, as after the host was restarted; then all are idle;
then newcomers come one after the other to a host that is full.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles

from benchmarks import crowd
from benchmarks.clock import now_s, pause

MEMBERS = 10_000
SIZE = 4
PROCESSES = 2
NEWCOMERS = 100
IDLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Used:
    """Of the host's process, so far."""

    cpu_s: float
    memory_mib: float
    peak_mib: float


def main(words: Sequence[str] | None = None) -> int:
    p = argparse.ArgumentParser(prog="python -m benchmarks.rendezvous", description=__doc__)
    p.add_argument("--members", type=int, default=MEMBERS, help="at the host (default: %(default)s)")
    p.add_argument("--size", type=int, default=SIZE, help="members of a mandate (default: %(default)s)")
    p.add_argument("--processes", type=int, default=PROCESSES, help="that simulate them (default: %(default)s)")
    p.add_argument("--newcomers", type=int, default=NEWCOMERS, help="of each process (default: %(default)s)")
    p.add_argument("--idle", type=float, default=IDLE_S, metavar="S", help="seconds (default: %(default)s)")
    arguments = p.parse_args(words)
    if not sys.platform.startswith("linux"):
        print("the benchmark cannot run here: it needs Linux", file=sys.stderr)
        return 1
    with host() as (pid, address):
        measure(pid, address, arguments)
    return 0


def measure(pid: int, address: str, arguments: argparse.Namespace) -> None:
    """Print a line for each thing that is measured."""
    mandates = arguments.members // arguments.size
    print(f"{mandates * arguments.size} members in {mandates} mandates; load {os.getloadavg()[0]:.2f}")
    empty, began_s = used(pid), now_s()
    print(f"nobody there: {empty.memory_mib:.0f} MiB")
    with crowds(address, mandates, arguments) as pipes:
        come = [seconds for pipe in pipes for seconds in pipe.recv()]
        full = used(pid)
        print(
            f"all came together and know each other after {now_s() - began_s:.1f} s, each {spread(come)} after it "
            f"called; processor {full.cpu_s - empty.cpu_s:.1f} s, "
            f"{1000 * (full.cpu_s - empty.cpu_s) / len(come):.1f} ms for each"
        )
        kib = 1024 * (full.memory_mib - empty.memory_mib) / len(come)
        print(f"memory {full.memory_mib:.0f} MiB, peak {full.peak_mib:.0f} MiB, {kib:.0f} KiB for each")
        pause(arguments.idle)
        idle = used(pid)
        if arguments.idle:
            share = 100 * (idle.cpu_s - full.cpu_s) / arguments.idle
            print(f"idle for {arguments.idle:.0f} s: processor {share:.1f} %, memory {idle.memory_mib:.0f} MiB")
        for pipe in pipes:
            pipe.send("newcomers")
        late = [seconds for pipe in pipes for seconds in pipe.recv()]
        print(f"a newcomer knows all others of its mandate {spread(late)} after it called")
        for pipe in pipes:
            pipe.send("end")


def spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return ", ".join(f"{1000 * one:.0f} ms" for one in seconds)
    late = quantiles(seconds, n=20, method="inclusive")[-1]
    return f"{1000 * median(seconds):.0f} ms (95 %: {1000 * late:.0f} ms)"


@contextmanager
def host() -> Iterator[tuple[int, str]]:
    """The process of a host on loopback, and its address."""
    with tempfile.TemporaryDirectory(prefix="p2psync-bench-") as home:
        words = [sys.executable, "-m", "p2psync", "rendezvous", "serve", "--json", "--home", home]
        words += ["--listen", "127.0.0.1:0"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield process.pid, f"{said['url']}#{said['pin']}"
        finally:
            process.terminate()
            process.communicate()


@contextmanager
def crowds(address: str, mandates: int, arguments: argparse.Namespace) -> Iterator[list[Connection]]:
    """Processes that are members; they end when they are told to, or with the block."""
    context, pipes = get_context("spawn"), []
    with ExitStack() as stack:
        for part in range(arguments.processes):
            mine = range(part * mandates // arguments.processes, (part + 1) * mandates // arguments.processes)
            near, far = context.Pipe()
            order = crowd.Order(address, mine, arguments.size, arguments.newcomers)
            process = context.Process(target=crowd.serve, args=(order, far))
            process.start()
            far.close()
            stack.callback(process.join)
            stack.callback(process.terminate)
            pipes.append(near)
        yield pipes


def used(pid: int) -> Used:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    memory, peak = (int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))
    return Used(cpu_s, memory, peak)


if __name__ == "__main__":
    sys.exit(main())

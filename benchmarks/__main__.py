"""Run the workloads on a LAN of two hosts (1 Gbit/s, 0.2 ms round trip) and print a table, or JSON with --json."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks import workloads
from benchmarks.pc import Pc, wait_until
from benchmarks.workloads import Result
from tests.lab import lan, why_not


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="how often each workload is run")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of the idle measurement")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="comma-separated workloads, like W1,W4")
    parser.add_argument("--dir", help="where the folders are made (default: the temporary directory)")
    arguments = parser.parse_args()
    if reason := why_not():
        print(f"the benchmark cannot run here: {reason}", file=sys.stderr)
        return 1
    only = set(filter(None, arguments.only.split(",")))
    with tempfile.TemporaryDirectory(dir=arguments.dir) as root, lan(2, rate="1gbit", delay="0.1ms") as lab:
        pcs = [Pc(lab, host, Path(root)) for host in ("a", "b")]
        try:
            pair(*pcs)
            results = list(measure(pcs, arguments.runs, arguments.idle, only))
        finally:
            for pc in pcs:
                pc.stop()
    print(json.dumps([asdict(r) for r in results], indent=1) if arguments.json else table(results))
    return 0


def pair(a: Pc, b: Pc) -> None:
    """The five lines of the README."""
    a.start()
    b.start()
    a.run("mandate", "create", "Bench", "--folder", str(a.folder), "--role", "accounting")
    a.run("share", "Bench")
    ticket = a.run("invite", "Bench", "--role", "invoicing")["ticket"]
    b.run("join", ticket, "--folder", str(b.folder))
    wait_until(lambda: workloads._in_sync(a) and workloads._in_sync(b), 30, "the two PCs did not pair", 0.1)


def measure(pcs: list[Pc], runs: int, idle_s: float, only: set[str]) -> list[Result]:
    a, b = pcs
    w1 = Result("W1 10,000 files of 4 KiB, cold", "s", 3.0)
    w2 = Result("W2 one file of 1 GiB", "MB/s", 80.0)
    w4 = Result("W4 save to visible, 64 KiB", "ms", 100.0)
    memory = Result("W5 idle with 10,000 files: resident", "MiB", 80.0)
    cpu = Result("W5 idle: CPU a minute", "s", 0.3)
    w6 = Result("W6 restart to in sync, 10,000 files", "s", 2.0)

    def repeat(result: Result, times: int, step: Callable[[int], list[float]], first: int = 0) -> None:
        wanted = not only or result.name.split()[0] in only
        for run in range(first, first + (times if wanted else 0)):
            result.values += step(run)
            print(f"{result.name}: {result.values[-1]:.3f} {result.unit}", file=sys.stderr)

    # The idle and restart figures are for 10,000 files, so the other cold runs come after them.
    repeat(w1, 1, lambda run: [workloads.many_files(a, b, run)])
    if not only or "W5" in only:
        resident, cpu_s = workloads.idle(pcs, idle_s)
        memory.values.append(resident)
        cpu.values.append(cpu_s)
    repeat(w6, runs, lambda run: [workloads.restart(pcs)])
    repeat(w4, runs, lambda run: workloads.saves(a, b))
    repeat(w1, runs - 1, lambda run: [workloads.many_files(a, b, run)], first=1)
    repeat(w2, runs, lambda run: [workloads.big_file(a, b, run)])
    return [r for r in (w1, w2, w4, memory, cpu, w6) if r.values]


def table(results: list[Result]) -> str:
    rows = ["| workload | median | min | max | bar | met |", "|---|---|---|---|---|---|"]
    for r in results:
        low, high = min(r.values), max(r.values)
        shown = [f"{statistics.median(r.values):.2f}", f"{low:.2f}", f"{high:.2f}", f"{r.bar:g}"]
        rows.append(f"| {r.name}, {r.unit} | {' | '.join(shown)} | {'yes' if r.met else 'NO'} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())

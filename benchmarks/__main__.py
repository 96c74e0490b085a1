"""Run p2psync, Syncthing, rsync and Unison through the same work on the same line, and print what came out.

As root on Linux, in a clone: hosts are network namespaces. The whole set takes some hours, and 40 GB of disk while W4b
runs; --only and --quick make it less. Ctrl-C ends it, and shows what was measured until then.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import plot, report
from benchmarks.cases import LINES, QUICK, Case, Sizes, all_cases, chosen
from benchmarks.disk import as_it_is, fresh
from benchmarks.running import Result, run_all
from benchmarks.tools import BY_NAME, TOOLS, USUAL, Tool
from tests.lab import why_not

RUNS = 3
LAB_PACKAGES = ("iproute2", "nftables", "iptables")


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    if arguments.table_of:
        return show(json.loads(arguments.table_of.read_text("utf-8")), arguments)
    try:
        cases, tools = asked_for(arguments)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.install:
        install([*LAB_PACKAGES, *sorted({tool.package for tool in tools if tool.package})])
    if reason := why_not():
        print(f"the benchmark cannot run here: {reason}", file=sys.stderr)
        return 1
    about = circumstances(tools)
    able = [tool for tool in tools if about["tools"][tool.name]]
    runs = arguments.runs or (1 if arguments.quick else RUNS)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="p2psync-bench-", dir=arguments.dir) as root:
        try:
            disk = fresh if arguments.fresh_disk else as_it_is
            for result in run_all(cases, able, runs, Path(root), disk):
                results.append(result)
        except KeyboardInterrupt:
            print("interrupted: the case that ran is left out", file=sys.stderr)
    show(report.document(results, about), arguments)
    return int(any(r.failures for r in results if r.tool == report.OURS))


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    p.add_argument("--runs", type=int, help=f"how often each workload is run with each tool (default: {RUNS})")
    p.add_argument("--idle", type=float, metavar="S", help="seconds of the idle measurements (default: 60)")
    p.add_argument("--json", action="store_true", help="print JSON instead of the table")
    p.add_argument(
        "--only",
        default="",
        metavar="NAMES",
        help="comma-separated workloads, like W1,W4, or their variants, like W1-wan; "
        f"left out otherwise: {', '.join(c.name for c in all_cases(Sizes()) if c.optional)}",
    )
    p.add_argument("--lines", default="", metavar="NAMES", help=f"only on these: {', '.join(x.name for x in LINES)}")
    p.add_argument(
        "--tools",
        default=",".join(USUAL),
        metavar="NAMES",
        help=f"comma-separated, or all (default: %(default)s; there are {', '.join(BY_NAME)})",
    )
    p.add_argument("--quick", action="store_true", help="a small set with small sizes, once: to see that all works")
    p.add_argument("--install", action="store_true", help="install the Debian packages of the lab and of the tools")
    p.add_argument("--dir", help="where the folders are made (default: the temporary directory)")
    p.add_argument(
        "--fresh-disk",
        action="store_true",
        help="make the folders on an ext4 of their own, in a file there, so that what was deleted before, as by tests, "
        "does not count",
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="write speed.json, .md, .png and .svg there, too")
    p.add_argument(
        "--table-of", type=Path, metavar="FILE", help="measure nothing, show what such a speed.json has measured"
    )
    return p


def asked_for(arguments: argparse.Namespace) -> tuple[list[Case], list[type[Tool]]]:
    """Raises ValueError if a name means nothing."""
    sizes = QUICK if arguments.quick else Sizes()
    if arguments.idle is not None:
        sizes = replace(sizes, idle_s=arguments.idle)
    lines = {name.lower() for name in _names(arguments.lines)}
    cases = chosen(all_cases(sizes), _names(arguments.only), lines, arguments.quick)
    names = BY_NAME.keys() if arguments.tools == "all" else _names(arguments.tools)
    if unknown := names - BY_NAME.keys():
        raise ValueError(f"no such tool: {', '.join(sorted(unknown))} (there are {', '.join(BY_NAME)})")
    return cases, [tool for tool in TOOLS if tool.name in names]


def install(packages: Sequence[str]) -> None:
    """One after the other: what cannot be had is skipped, and said so."""
    apt = ["apt-get", "-qq", "-y"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update"], check=False, stdout=sys.stderr, env=quiet)
    for package in packages:
        command = [*apt, "install", "--no-install-recommends", package]
        if subprocess.run(command, check=False, stdout=sys.stderr, env=quiet).returncode:
            print(f"{package} cannot be installed", file=sys.stderr)


def circumstances(tools: Sequence[type[Tool]]) -> report.Document:
    """What the figures depend on."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "load at the begin": f"{os.getloadavg()[0]:.2f}",
        "lines": "; ".join(
            f"{line.name}: {line.first_rate or line.rate}, {line.delay} one way, {line.loss} loss" for line in LINES
        ),
        "tools": {tool.name: tool.version() for tool in tools},
    }


def show(result: report.Document, arguments: argparse.Namespace) -> int:
    """Print, and write where it is wished for."""
    text, markdown = json.dumps(result, indent=1), report.table(result)
    print(text if arguments.json else markdown)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "speed.json").write_text(text + "\n", "utf-8")
        (arguments.out / "speed.md").write_text(markdown + "\n", "utf-8")
        if reason := plot.why_not():
            print(f"no picture: {reason}", file=sys.stderr)
        else:
            plot.draw(result, arguments.out)
    return 0


def _names(text: str) -> set[str]:
    return set(filter(None, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())

"""All runs of all tools: interleaved, each on a lab and in directories of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.cases import Case, Line
from benchmarks.clock import pause
from benchmarks.content import Mismatch
from benchmarks.hosts import Host, ToolFailed
from benchmarks.measuring import Sample, Stage
from benchmarks.tools import Tool
from benchmarks.workloads import warm_up
from tests.lab import Lab, LabError, lan

REST_S = 5.0
"""After a case's directories were deleted: the disk has work for longer than the deletion takes."""


@dataclass
class Result:
    """All runs of one tool in one case."""

    case: Case
    tool: str
    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """One reason for each run that came to nothing."""
    unfit: str | None = None
    """Why it was not run at all."""


def run_all(cases: Sequence[Case], tools: Sequence[type[Tool]], runs: int, root: Path) -> list[Result]:
    """Each case with each tool, so often; `root` gets a directory for each run, and needs room for all of one case."""
    shared = root / "shared"
    shared.mkdir()
    return [result for case in cases for result in run_case(case, tools, runs, root, shared)]


def run_case(case: Case, tools: Sequence[type[Tool]], runs: int, root: Path, shared: Path) -> list[Result]:
    """One case: a run of each tool, then the next run of each, with another one at the begin."""
    invited = [tool for tool in tools if not tool.only_for or case.workload in tool.only_for]
    results = {tool: Result(case, tool.name, unfit=_unfit(case, tool)) for tool in invited}
    able = [tool for tool in invited if not results[tool].unfit]
    directory = root / case.name
    for run in range(runs):
        turn = run % len(able) if able else 0
        for tool in [*able[turn:], *able[:turn]]:
            try:
                sample = run_once(case, tool, run, directory / f"{run}-{tool.name}", shared)
            except (Mismatch, ToolFailed, LabError, OSError) as error:
                results[tool].failures.append(str(error))
                _tell(case, tool, run, f"failed: {error}")
            else:
                results[tool].samples.append(sample)
                _tell(case, tool, run, _briefly(sample))
    _clear(directory)
    return list(results.values())


def run_once(case: Case, kind: type[Tool], run: int, directory: Path, shared: Path) -> Sample:
    """Raises Mismatch, ToolFailed, LabError or OSError if it comes to nothing."""
    with ExitStack() as stack:
        lab = stack.enter_context(connected(case.line, case.hosts))
        tool = kind([Host(lab, name, directory / name) for name in lab.hosts], shared)
        stack.callback(tool.stop)
        aside = directory / "aside"
        aside.mkdir()
        # The same files for all tools of a run, others in the next run.
        stage = Stage(tool, aside, Random(f"{case.name} {run}"), case.within_s)
        try:
            tool.set_up()
            if tool.others:
                warm_up(stage)
            return case.run(stage)
        except TimeoutError as error:
            raise ToolFailed(f"{error}; {tool.said()}") from error


def connected(line: Line, hosts: int) -> Lab:
    """A lab whose hosts hang on such a line."""
    lab = lan(hosts, rate=line.rate, delay=line.delay, loss=line.loss)
    if line.first_rate:
        lab.shape(lab.hosts[0], line.first_rate, line.delay, line.loss)
    return lab


def _unfit(case: Case, tool: type[Tool]) -> str | None:
    if case.only_p2psync and tool.name != "p2psync":
        return "only for p2psync"
    return tool.unfit_for.get(case.workload)


def _clear(directory: Path) -> None:
    """Only between cases: a tree that is deleted just before a run makes it up to three times slower."""
    shutil.rmtree(directory, ignore_errors=True)
    pause(REST_S)


def _briefly(sample: Sample) -> str:
    shown: Iterable[str] = (f"{s:.3f}" for s in sorted(sample.seconds))
    return f"{' '.join(shown)} s, CPU {' + '.join(f'{s:.2f}' for s in sample.cpu_s.values())} s"


def _tell(case: Case, tool: type[Tool], run: int, text: str) -> None:
    print(f"{case.name} {tool.name} run {run + 1}: {text}", file=sys.stderr, flush=True)

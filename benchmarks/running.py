"""All runs of all tools: interleaved, each on a lab and in directories of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.cases import Case, Line
from benchmarks.clock import pause
from benchmarks.content import Mismatch
from benchmarks.disk import as_it_is
from benchmarks.hosts import Host, ToolFailed
from benchmarks.measuring import Sample, Stage
from benchmarks.tools import Tool
from benchmarks.workloads import warm_up
from tests.lab import Lab, LabError, lan

Disk = Callable[[Path], AbstractContextManager[Path]]
"""Brings forth where the folders of one case are made."""
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


def run_all(
    cases: Sequence[Case], tools: Sequence[type[Tool]], runs: int, root: Path, disk: Disk = as_it_is
) -> Iterator[Result]:
    """Each case with each tool, so often; `root` gets a directory for each run, and needs room for all of one case.

    Each case has a `disk` of its own.
    """
    shared = root / "shared"
    shared.mkdir()
    for case in cases:
        with disk(root) as place:
            results = run_case(case, tools, runs, place, shared)
        yield from results


def run_case(case: Case, tools: Sequence[type[Tool]], runs: int, root: Path, shared: Path) -> list[Result]:
    """One case: a run of each tool, then the next run of each, with another one at the begin."""
    invited = [tool for tool in tools if _is_for(case, tool)]
    results = {tool: Result(case, tool.name, unfit=tool.unfit_for.get(case.workload)) for tool in invited}
    able = [tool for tool in invited if not results[tool].unfit]
    for run in range(runs):
        turn = run % len(able) if able else 0
        for tool in [*able[turn:], *able[:turn]]:
            directory = root / case.name / f"{run}-{tool.name}"
            _add(results[tool], tool, run, directory, shared)
            if case.clears_early:
                _clear(directory)
    _clear(root / case.name)
    return list(results.values())


def _add(result: Result, tool: type[Tool], run: int, directory: Path, shared: Path) -> None:
    """One more run; what fails is no reason to end the others."""
    said = f"{result.case.name} {tool.name} run {run + 1}:"
    try:
        sample = run_once(result.case, tool, run, directory, shared)
    except (Mismatch, ToolFailed, LabError, OSError) as error:
        result.failures.append(str(error))
        print(f"{said} failed: {error}", file=sys.stderr, flush=True)
    else:
        result.samples.append(sample)
        print(f"{said} {_briefly(sample)}", file=sys.stderr, flush=True)


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


def _is_for(case: Case, tool: type[Tool]) -> bool:
    if case.only_p2psync:
        return tool.name == "p2psync"
    return not tool.only_for or case.workload in tool.only_for


def _clear(directory: Path) -> None:
    """Between cases: a tree that is deleted just before a run makes it up to three times slower."""
    shutil.rmtree(directory, ignore_errors=True)
    os.sync()
    pause(REST_S)


def _briefly(sample: Sample) -> str:
    seconds = " ".join(f"{s:.3f}" for s in sorted(sample.seconds))
    return f"{seconds} s, CPU {' + '.join(f'{s:.2f}' for s in sample.cpu_s.values())} s"

"""Every workload, in small, with a synchroniser that is nothing but `cp`: what is measured, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from benchmarks import workloads
from benchmarks.cases import LAN, Case
from benchmarks.clock import wait_until
from benchmarks.content import Mismatch
from benchmarks.hosts import Host, Program, ToolFailed
from benchmarks.measuring import Stage
from benchmarks.running import connected, run_case, run_once
from benchmarks.tools.tool import ByHand
from tests.lab import requires_lab

# The whole folder is replaced at once, so that what was there before is gone.
COPY = 'cp -aT "$1" "$2.new" && rm -rf "$2.old" && mv "$2" "$2.old" && mv "$2.new" "$2"'
# The last byte, so that it looks complete all the time.
LAST_FILE = '"$(find "$2" -type f | sort | tail -n 1)"'
SPOIL = COPY + f' && f={LAST_FILE} && printf "\\377" | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") - 1)) conv=notrunc'
SIZE = 256 * 1024
WITHIN_S = 60
"""Nothing here takes a second, unless the machine is busy."""
BURN = """
import time
block = bytearray(40 << 20)
while time.process_time() < 0.3: pass
"""


class Copy(ByHand):
    name = "copy"
    script = COPY

    def launch(self) -> None:
        """Nothing has to run."""

    def daemon(self, host: Host) -> Program:
        raise AssertionError("it has none")

    def command(self, to: Host, path: str) -> Program:
        return self.first.start(["sh", "-c", self.script, "sh", self.folder(self.first), self.folder(to)])


class Spoiling(Copy):
    name = "spoiling"
    script = SPOIL


class Failing(Copy):
    name = "failing"
    script = "echo no such luck; exit 3"


WORKLOADS = {
    "many_files": partial(workloads.many_files, count=150, size=100),
    "big_file": partial(workloads.big_file, size=SIZE),
    "rewritten_pages": partial(workloads.rewritten_pages, size=SIZE, pages=3),
    "inserted_bytes": partial(workloads.inserted_bytes, size=SIZE),
    "saves": partial(workloads.saves, count=3),
    "idle": partial(workloads.idle, count=5, seconds=0.05),
    "restart": partial(workloads.restart, count=5),
    "renamed_directory": partial(workloads.renamed_directory, count=150),
}


@pytest.fixture(autouse=True)
def _no_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("measuring", "running"):
        monkeypatch.setattr(f"benchmarks.{module}.REST_S", 0.0)
    monkeypatch.setattr(workloads, "CALM_S", 0.0)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with connected(LAN, 1) as lab:
        yield Host(lab, "a", tmp_path / "a")


def case(workload: str, hosts: int = 2) -> Case:
    return Case(workload, "", workload, WORKLOADS[workload], hosts=hosts, within_s=WITHIN_S)


@requires_lab
@pytest.mark.parametrize("workload", WORKLOADS)
def test_what_arrives_is_timed(workload: str, tmp_path: Path) -> None:
    sample = run_once(case(workload, hosts=3), Copy, 0, tmp_path / "run", tmp_path)
    expected = {"idle": 0, "saves": 3}.get(workload, 1)
    assert len(sample.seconds) == expected
    assert all(seconds > 0 for seconds in sample.seconds)
    for figures in (sample.sent_bytes, sample.received_bytes, sample.cpu_s, sample.memory_mib, sample.read_mib):
        assert list(figures) == ["a", "b", "c"]


@requires_lab
def test_bytes_that_differ_are_no_result(tmp_path: Path) -> None:
    with pytest.raises(Mismatch):
        run_once(case("inserted_bytes"), Spoiling, 0, tmp_path / "run", tmp_path)


@requires_lab
def test_a_tool_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    failed, done = run_case(case("big_file"), [Failing, Copy], 2, tmp_path, tmp_path)
    assert failed.samples == []
    assert failed.failures == ["sh on a ended with 3: no such luck"] * 2
    assert len(done.samples) == 2
    assert not (tmp_path / "big_file").exists()


@requires_lab
def test_saves_end_when_the_big_file_is_there(tmp_path: Path) -> None:
    """Nothing crosses the wire with `cp`, so the stream is taken for begun at once."""
    with connected(LAN, 2) as lab:
        tool = Copy([Host(lab, name, tmp_path / name) for name in lab.hosts], tmp_path)
        (tmp_path / "aside").mkdir()
        stage = Stage(tool, tmp_path / "aside", Random(1), 0.5)
        with pytest.raises(TimeoutError, match="the big file was not sent"):
            workloads.saves_beside(stage, 3, SIZE)
        tool.stop()


@requires_lab
def test_the_processor_time_and_the_memory_of_children_count(host: Host) -> None:
    program = host.start(["sh", "-c", '"$1" -c "$2"; exec sleep 100', "sh", sys.executable, BURN])
    wait_until(lambda: host.peak_mib() > 40, WITHIN_S, "the child's memory was not seen", every_s=0.01)
    wait_until(lambda: host.cpu_s() >= 0.2, WITHIN_S, "the child's processor time was not seen")
    host.forget_peaks()
    wait_until(lambda: host.peak_mib() < 40, WITHIN_S, "the child's memory was not given back")
    program.must_run()
    program.end()
    assert host.cpu_s() >= 0.2
    assert host.peak_mib() == 0


@requires_lab
def test_a_program_that_ends_tells_why(host: Host) -> None:
    program = host.start(["sh", "-c", "echo broken; exit 7"])
    assert program.exit_code(WITHIN_S) == 7
    with pytest.raises(ToolFailed, match="sh on a ended with 7: broken"):
        program.must_run()
    program.end()
    with pytest.raises(ToolFailed, match="sh -c exit 4: exit 4"):
        host.run(["sh", "-c", "exit 4"])


@requires_lab
def test_a_port_is_looked_at_without_a_call(host: Host) -> None:
    script = "import socket, time; s = socket.create_server(('', 8730)); time.sleep(100)"
    assert not host.listens(8730)
    program = host.start([sys.executable, "-c", script])
    wait_until(lambda: host.listens(8730), WITHIN_S, "it was not seen to listen")
    program.end()
    assert not host.listens(8730)

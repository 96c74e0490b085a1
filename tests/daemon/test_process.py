"""A daemon as a process: it says when it is ready, ends on a signal, and gets over being killed."""

from __future__ import annotations

import gc
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from p2psync.daemon import memory, process
from p2psync.daemon.node import Node
from tests.daemon.homes import Pc

PROGRAM = """
import sys
from pathlib import Path
from p2psync.daemon.config import Config, Endpoint
from p2psync.daemon.process import run

home = Path(sys.argv[1])
config = Config(home, listen=Endpoint("127.0.0.1", 0), name="pc", mdns=False, documents=home)
sys.exit(run(config, lambda node: print("ready", flush=True)))
"""


@contextmanager
def daemon(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready."""
    words = [sys.executable, "-c", PROGRAM, str(home)]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n", running.communicate()[1]
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program can answer")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with daemon(tmp_path) as running:
        begun_s = time.monotonic()
        running.send_signal(number)
        assert running.wait(10) == 0
        assert time.monotonic() - begun_s < 5
        assert not (tmp_path / "daemon.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.asyncio
async def test_killed_it_begins_again_where_it_was(tmp_path: Path) -> None:
    pc = await Pc(tmp_path, "pc").start()
    await pc.create()
    pc.save("a.txt", "a")
    await pc.holds(1)
    await pc.stop()
    with daemon(pc.config.home) as running:
        pc.save("b.txt", "b")
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert (pc.config.home / "daemon.json").exists()
    await pc.start()
    await pc.holds(2)
    await pc.stop()


def test_the_interpreter_is_tuned_for_two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process.TRUSTED_ROOTS_VARIABLE, "")
    before, thresholds = sys.getswitchinterval(), gc.get_threshold()
    try:
        process.tune()
        assert sys.getswitchinterval() == pytest.approx(process.SWITCH_INTERVAL_S)
        assert gc.get_threshold() == process.GC_THRESHOLDS
        assert ssl.create_default_context().cert_store_stats()["x509_ca"] == 0
    finally:
        sys.setswitchinterval(before)
        gc.set_threshold(*thresholds)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send to oneself")
@pytest.mark.asyncio
async def test_inside_another_program_the_old_handlers_come_back(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        pc = Pc(tmp_path, "pc")
        assert await process.serve(pc.config, lambda node: os.kill(os.getpid(), signal.SIGTERM)) == 0
        assert heard == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
        gc.unfreeze()


@pytest.mark.asyncio
async def test_an_engine_that_broke_ends_the_process_with_an_error(tmp_path: Path) -> None:
    pc = Pc(tmp_path, "pc")
    try:
        assert await process.serve(pc.config, lambda node: node.broken(RuntimeError("ours"))) == 1
    finally:
        gc.unfreeze()


@pytest.mark.asyncio
async def test_the_first_rest_alone_is_for_sweeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: list[Node] = []
    sweeps: list[int] = []

    async def three_rests(library: object, let_go: Callable[[], Awaitable[None]]) -> None:
        assert not sweeps
        for _ in range(3):
            await let_go()
        nodes[0].ask_to_stop()

    monkeypatch.setattr(memory, "give_back", three_rests)
    monkeypatch.setattr(memory, "sweep", lambda: sweeps.append(1))
    try:
        assert await process.serve(Pc(tmp_path, "pc").config, nodes.append) == 0
    finally:
        gc.unfreeze()
    assert sweeps == [1]

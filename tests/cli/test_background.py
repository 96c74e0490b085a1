"""The daemon in the background: it outlives the command, ends when asked, and says why where it does not start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from p2psync.cli import background
from p2psync.cli.exits import CommandFailed
from p2psync.cli.home import read_running
from tests.cli.machine import OFFLINE, Machine


@pytest.fixture
def pc(tmp_path: Path) -> Machine:
    return Machine(tmp_path, "pc")


def test_start_and_stop_as_often_as_one_likes(pc: Machine) -> None:
    pid = background.start(pc.home, OFFLINE)
    try:
        assert background.is_alive(pid)
        assert pc.run("start").out == "p2psync is running already.\n"
        assert pc.run("status").code == 0
        assert os.name == "nt" or (pc.home / "daemon-output.log").stat().st_mode & 0o077 == 0
    finally:
        assert background.stop(pc.home)
    assert not background.is_alive(pid)
    assert not background.stop(pc.home)
    assert not (pc.home / "daemon.json").exists()
    assert pc.run("stop").out == "p2psync was not running.\n"


def test_a_start_that_fails_tells_the_last_words(pc: Machine) -> None:
    with pytest.raises(CommandFailed, match="nowhere") as caught:
        background.start(pc.home, ["--listen=nowhere"])
    assert "p2psync.log" in str(caught.value)
    result = pc.run("start", "--web", "256.1.1.1:x")
    assert result.code == 1
    assert "256.1.1.1:x" in result.err
    assert "Traceback" not in result.err


def test_a_process_that_ended_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not background.is_alive(process.pid)
    assert background.is_alive(os.getpid())


def test_poll_tells_whether_it_came_true() -> None:
    answers = iter([False, False, True])
    assert background.poll(lambda: next(answers), 10)
    assert not background.poll(lambda: False, 0)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_proxy_is_named_where_nobody_else_reads_it(pc: Machine) -> None:
    assert pc.run("start", "--proxy", "http://anna:s3cret@10.0.0.1", *OFFLINE).code == 0
    try:
        running = read_running(pc.home)
        assert running is not None
        command = Path(f"/proc/{running.pid}/cmdline").read_bytes()
        assert os.fsencode(pc.home) in command
        assert b"s3cret" not in command
    finally:
        background.stop(pc.home)
    assert pc.run("start", "--proxy", "gopher://x", *OFFLINE).code == 1
    assert pc.run("start", *OFFLINE).code == 0, "what was no proxy is not kept"
    background.stop(pc.home)

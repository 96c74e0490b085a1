"""The daemon by the command line: ready in one line, ended by signals and by `stop`, and its page let in once."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.cli.machine import Machine, machines

STOP_S = 5.0


def test_ready_is_one_line_with_an_address_that_lets_one_browser_in(tmp_path: Path) -> None:
    with machines(tmp_path, "pc") as (pc,):
        assert pc.page.startswith("http://127.0.0.1:")
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(pc.page, timeout=10) as answer:
            assert b"<title>p2psync</title>" in answer.read()
        again = pc.ask("web")["url"]
        assert again.startswith("http://127.0.0.1:")
        assert again != pc.page
        assert pc.run("web").out.startswith("http://")


def test_what_a_daemon_says_of_itself_is_private_and_gone_with_it(tmp_path: Path) -> None:
    with machines(tmp_path, "pc") as (pc,):
        said = pc.home / "daemon.json"
        assert os.name == "nt" or said.stat().st_mode & 0o777 == 0o600
        assert set(json.loads(said.read_text())) >= {"address", "token", "pid"}
        code, took_s, printed = pc.end(signal.SIGINT)
        assert (code, printed) == (0, "")
        assert took_s < STOP_S
        assert not said.exists()


def test_a_second_daemon_of_the_same_home_is_refused(tmp_path: Path) -> None:
    with machines(tmp_path, "pc") as (pc,):
        second = pc.shell("up", "--no-mdns")
        assert second.code in (1, 2)
        assert str(pc.home) in second.err
        assert "Traceback" not in second.err
        assert pc.run("status").code == 0


def test_stop_and_restart(tmp_path: Path) -> None:
    with machines(tmp_path, "pc") as (pc,):
        assert pc.run("stop").out == "p2psync has ended.\n"
        process = pc.process
        assert process is not None
        assert process.wait(STOP_S) == 0
        try:
            assert pc.run("restart", "--no-mdns", "--json").data == {"running": True, "started": True}
            assert pc.ask("status")["mandates"] == []
        finally:
            assert pc.run("stop").code == 0


def test_without_a_page_commands_work_all_the_same(tmp_path: Path) -> None:
    with machines(tmp_path, "pc", up=False) as (pc,):
        pc.up("--web", "off")
        assert pc.page == ""
        assert pc.run("status").code == 0
        assert pc.run("web").code != 0


def test_status_is_as_promised(office: Machine) -> None:
    status = office.ask("status", "Cargo")
    assert {"id", "name", "version"} <= set(status["device"])
    (mandate,) = status["mandates"]
    assert {"id", "name", "state", "role", "folder", "files", "bytes", "in_sync", "health"} <= set(mandate)
    assert {"to_receive", "to_send", "conflicts", "problems", "pending", "peers"} <= set(mandate)
    (peer,) = mandate["peers"]
    assert {"device", "name", "role", "connected", "path", "rtt_ms", "behind_files", "last_seen"} <= set(peer)
    assert (peer["connected"], peer["path"]) == (True, "lan")


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["status", "Nope"], "Nope"),
        (["up", "--listen", "nowhere"], "nowhere"),
        (["up", "--web", "x:y:z"], "x:y:z"),
        (["up", "--name", "x" * 500], "name"),
        (["up", "--bogus"], "bogus"),
        (["start", "more"], "more"),
        (["stop", "more"], "more"),
        (["restart", "more"], "more"),
        (["web", "more"], "more"),
    ],
)
def test_what_is_wrong_is_told(office: Machine, words: list[str], fragment: str) -> None:
    result = office.run(*words)
    assert result.code == 2
    assert fragment in result.err
    assert "Traceback" not in result.err

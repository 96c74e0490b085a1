"""`up` is read by hand exactly where typer would understand the same, and carries nothing of the command line."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from p2psync.cli.app import app
from p2psync.cli.exits import WRONG_USAGE
from p2psync.cli.foreground import FLAGS, NAME, WITH_VALUE, Up, become, plain, uncollected

READY_S = 30


def test_all_options_are_read() -> None:
    words = ["--json", "up", "--home", "/h", "--listen=0.0.0.0:1", "--web", "off", "--name", "Büro 1", "--no-mdns"]
    words += ["--rendezvous", "https://a", "--rendezvous=https://b?x=1", "--lang", "de"]
    words += ["--log", "detailed"]
    hosts = ("https://a", "https://b?x=1")
    assert plain(words) == Up(Path("/h"), True, "0.0.0.0:1", "off", "Büro 1", True, hosts, log="detailed")


def test_the_last_of_several_holds() -> None:
    assert plain(["--home", "/a", "up", "--home=/b", "--name", "x", "--name", ""]) == Up(Path("/b"), name="")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["status"],
        ["up", "--help"],
        ["up", "more"],
        ["up", "--", "--name"],
        ["up", "--nmae", "x"],
        ["up", "--name"],
        ["up", "--name", "--json"],
        ["up", "--no-mdns=1"],
        ["up", "--web=-x"],
        ["--version", "up"],
        ["--name", "up"],
    ],
)
def test_all_else_is_left_to_typer(words: list[str]) -> None:
    assert plain(words) is None


def test_both_know_the_same_options() -> None:
    root = typer.main.get_command(app)
    command = root.commands[NAME]  # type: ignore[attr-defined]
    options = {name: option.is_flag for option in command.params for name in option.opts}
    assert options == dict.fromkeys(WITH_VALUE, False) | dict.fromkeys(FLAGS, True)


def test_a_mistake_in_an_option_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert become(Up(tmp_path, listen="nowhere")) == WRONG_USAGE
    assert "nowhere" in capsys.readouterr().err
    assert become(Up(tmp_path, log="loud")) == WRONG_USAGE
    assert "loud" in capsys.readouterr().err


def test_garbage_is_collected_again_whatever_comes_of_the_imports() -> None:
    assert gc.isenabled()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count()
        with pytest.raises(ImportError), uncollected():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()


AFTERWARDS = {
    *("typer", "rich", "p2psync.cli.app", "p2psync.cli.client"),
    *("zeroconf", "aiortc", "aiohttp_socks", "python_socks", "segno", "spake2", "redis"),
    *("importlib.resources", "zipfile"),
    *("csv", "xml.parsers.expat", "multiprocessing", "concurrent.futures.process"),
    *("cryptography.x509", "cryptography.hazmat.primitives.serialization"),
    *("p2psync.books.export_csv", "p2psync.books.export_xml", "p2psync.net.webrtc.peer", "p2psync.rendezvous.client"),
    *("p2psync.daemon.operations.doctor", "p2psync.daemon.operations.masters", "p2psync.daemon.operations.members"),
}
"""What costs memory and time, and no daemon needs to begin with: it is imported by whoever uses it first."""


def test_a_daemon_carries_neither_the_command_line_nor_what_is_seldom_used(tmp_path: Path) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "p2psync", "up", "--home", str(tmp_path), "--no-mdns"]
    daemon = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    assert daemon.stdout.readline().startswith("ready http://")
    daemon.send_signal(signal.SIGTERM)
    imported = {line.rpartition("|")[2].strip() for line in daemon.communicate(timeout=READY_S)[1].splitlines()}
    assert daemon.returncode == 0
    assert "p2psync.daemon.node" in imported
    assert not imported & AFTERWARDS

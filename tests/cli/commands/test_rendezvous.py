"""`p2psync rendezvous serve` runs a host until it is told to end; what it cannot do it says in a sentence."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from p2psync.rendezvous.certificate import own
from p2psync.rendezvous.protocol.address import pin_text
from tests.cli.machine import DEADLINE_S, Machine, Result, environment, run

LOCAL = ("--listen", "127.0.0.1:0")


@contextlib.contextmanager
def serving(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a shell of its own."""
    words = [sys.executable, "-m", "p2psync", "rendezvous", "serve", "--home", str(home), *LOCAL, *options]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment()
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: subprocess.Popen[str], number: signal.Signals) -> Result:
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE_S)
    return Result(process.returncode, out, err)


def health(port: int) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(f"https://127.0.0.1:{port}/health", context=context, timeout=DEADLINE_S) as answer:
        return json.load(answer)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as process:
        ready = re.fullmatch(r"ready (wss://127\.0\.0\.1:([0-9]+)#([0-9A-Z]{52}))", first_line(process))
        assert ready is not None
        assert health(int(ready[2]))["status"] == "ok"
        result = ended(process, number)
    assert result.code == 0
    assert f"p2psync up --rendezvous '{ready[1]}'" in result.err
    assert "Traceback" not in result.err
    assert ready[3] == pin_text(own(tmp_path).pin), "the key is kept for the next start"


def test_for_programs(tmp_path: Path) -> None:
    certificate = own(tmp_path / "elsewhere")
    with serving(tmp_path, "--json", "--certificate", str(certificate.chain), "--no-relay") as process:
        ready = json.loads(first_line(process))
        assert health(ready["port"])["status"] == "ok"
        result = ended(process, signal.SIGTERM)
    assert ready == {
        "url": f"wss://127.0.0.1:{ready['port']}",
        "pin": pin_text(certificate.pin),
        "port": ready["port"],
    }
    assert result.code == 0
    assert not (tmp_path / "rendezvous.pem").exists()


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "host")
    nothing = str(tmp_path / "nothing.pem")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, expected in [
            (["--listen", "127.0.0.1:99999"], "no address to listen on"),
            (["--listen", f"127.0.0.1:{port}"], f"Cannot listen on 127.0.0.1:{port}"),
            ([*LOCAL, "--certificate", nothing], "cannot be used"),
            ([*LOCAL, "--key", nothing], "--certificate"),
            ([*LOCAL, "--redis", "nonsense"], "redis"),
        ]:
            result = machine.run("rendezvous", "serve", *words)
            assert result.code == 2, result
            assert expected in result.err.lower() or expected in result.err
            assert result.err.count("\n") == 1, "one sentence"


def test_it_has_help() -> None:
    result = run("rendezvous", "serve", "--help")
    assert "--redis" in result.out
    assert run("rendezvous").code == 2

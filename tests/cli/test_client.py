"""Asking the daemon: answers with their codes, its errors as ours, and a sentence whatever stands at its address."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from p2psync.cli.client import Client
from p2psync.cli.exits import FAILED, NOT_RUNNING, TIMED_OUT, CommandFailed
from p2psync.cli.home import RUNNING_FILE


@contextmanager
def answering(home: Path, answer: bytes | None) -> Iterator[list[bytes]]:
    """Something that listens where the daemon is said to be, and says `answer`, or nothing at all while asked."""
    heard: list[bytes] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (home / RUNNING_FILE).write_text(json.dumps({"address": f"127.0.0.1:{port}", "token": "secret", "pid": 1}))

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(_request(connection))
                if answer is None:
                    over.wait(10)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            over.set()
            thread.join()


def _request(connection: socket.socket) -> bytes:
    """All of it: the head may come without the body."""
    said = b""
    while b"\r\n\r\n" not in said or not said.endswith(b"}"):
        said += connection.recv(65_536)
    return said


def http(status: int, body: str, headers: str = "P2psync-Exit: 0\r\n") -> bytes:
    data = body.encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data


def asked(home: Path, answer: bytes | None, timeout_s: float = 10) -> CommandFailed:
    """The failure that an answer becomes."""
    with answering(home, answer), pytest.raises(CommandFailed) as caught:
        Client(home).call("status", timeout_s=timeout_s)
    return caught.value


def test_a_call_carries_name_arguments_and_token(tmp_path: Path) -> None:
    with answering(tmp_path, http(200, '{"a": "ü"}', "P2psync-Exit: 3\r\n")) as heard:
        reply = Client(tmp_path).call("conflicts.keep", {"path": "ü", "keep": None})
    assert (reply.data, reply.exit) == ({"a": "ü"}, 3)
    said = heard[0].decode()
    assert said.startswith("POST /api/conflicts/keep ")
    assert "Authorization: Bearer secret" in said
    assert json.loads(said.partition("\r\n\r\n")[2]) == {"path": "ü"}


def test_an_error_of_the_daemon_is_ours(tmp_path: Path) -> None:
    failure = asked(tmp_path, http(409, '{"error": "It is local.", "exit": 1}'))
    assert (str(failure), failure.exit_code) == ("It is local.", 1)


def test_without_a_daemon_the_way_to_start_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="p2psync start") as caught:
        Client(tmp_path).call("status")
    assert caught.value.exit_code == NOT_RUNNING
    assert str(tmp_path) in str(caught.value)


def test_a_daemon_that_was_killed_does_not_run(tmp_path: Path) -> None:
    with answering(tmp_path, http(200, "{}")):
        assert Client(tmp_path).is_running()
    assert not Client(tmp_path).is_running()
    with pytest.raises(CommandFailed) as caught:
        Client(tmp_path).call("status")
    assert caught.value.exit_code == NOT_RUNNING


@pytest.mark.parametrize("answer", [http(200, "{}", ""), b"SSH-2.0-x\r\n", b"", b"HTTP/1.1 200 OK\r\n"])
def test_another_program_at_its_address_is_no_daemon(tmp_path: Path, answer: bytes) -> None:
    assert asked(tmp_path, answer).exit_code == NOT_RUNNING


def test_a_daemon_that_does_not_answer_times_out(tmp_path: Path) -> None:
    failure = asked(tmp_path, None, timeout_s=0.05)
    assert failure.exit_code == TIMED_OUT
    assert "p2psync.log" in str(failure)


def test_an_error_without_reason_is_a_failure_all_the_same(tmp_path: Path) -> None:
    failure = asked(tmp_path, http(502, "<html>"))
    assert failure.exit_code == FAILED
    assert "502" in str(failure)


def test_an_answer_that_breaks_off_is_told(tmp_path: Path) -> None:
    broken = http(200, '{"a": 1}')[:-3]
    assert asked(tmp_path, broken).exit_code == NOT_RUNNING

"""The daemon in the background: begin it, wait until it serves, end it, and say why where that does not work."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from p2psync.cli.client import Client
from p2psync.cli.exits import CommandFailed
from p2psync.cli.home import DAEMON_LOG, OUTPUT_LOG, read_running, tail
from p2psync.i18n import _, language

START_S = 30.0
"""For a damaged database, or a slow disk, to be read."""
STOP_S = 10.0
PROXY_VARIABLE = "P2PSYNC_PROXY"
LOOK_EVERY_S = 0.05
TAIL_LINES = 8

_never = threading.Event()


def start(home: Path, options: Sequence[str], proxy: str | None = None, timeout_s: float = START_S) -> int:
    """Begin a daemon and return its process id once it answers. Raises CommandFailed with the end of its output.

    `proxy` goes by the environment: it may hold a password, and everybody on the PC can read command lines.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    output = home / OUTPUT_LOG
    with _private(output) as file:
        safe = ["-P"] if sys.flags.safe_path else []
        words = [sys.executable, *safe, "-m", "p2psync", "--lang", language(), "up", "--home", str(home), *options]
        environment = {**os.environ, **({PROXY_VARIABLE: proxy} if proxy else {})}
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, **_detached()
        )
    client = Client(home)

    def serves() -> bool:
        running = read_running(home)
        return process.poll() is not None or (
            running is not None and running.pid == process.pid and client.is_running()
        )

    poll(serves, timeout_s)
    if process.poll() is not None or not client.is_running():
        raise CommandFailed(
            _("p2psync could not be started. Its last words:\n{text}\nMore: {path}").format(
                text=tail(output, TAIL_LINES) or "-", path=home / DAEMON_LOG
            )
        )
    process.returncode = 0  # nobody waits for it: it outlives this command
    return process.pid


def _private(path: Path) -> BinaryIO:
    """An empty file that this user alone can read: the page's address in it lets a browser in."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def stop(home: Path, timeout_s: float = STOP_S) -> bool:
    """End the daemon and wait until it is gone; False if none runs. Raises CommandFailed if it does not end."""
    client, running = Client(home), read_running(home)
    if running is None or not client.is_running():
        return False
    client.call("stop")
    if not poll(lambda: not is_alive(running.pid), timeout_s):
        raise CommandFailed(
            _("p2psync (process {pid}) does not end. See its log: {path}").format(
                pid=running.pid, path=home / DAEMON_LOG
            )
        )
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked for counts as gone."""
    if os.name == "nt":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def poll(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a condition holds; False if it does not in time."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= until:
            return False
        _never.wait(LOOK_EVERY_S)
    return True


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _is_alive_on_windows(pid: int) -> bool:
    found = subprocess.run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], capture_output=True, text=True, check=False)
    return str(pid) in found.stdout.split()


def _detached() -> dict[str, Any]:
    """So that it outlives the terminal."""
    if os.name == "nt":
        return {
            "creationflags": getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
        }
    return {"start_new_session": True}

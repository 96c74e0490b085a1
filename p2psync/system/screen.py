"""Programs with a window: whether one could be seen, and how one is started that outlives whoever starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping

from p2psync.system.process import environment_for_others

WAIT_S = 5.0
"""Who asks another program to open something is done by then; some are that program itself, and go on until it ends."""
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
"""A program of Linux finds the screen by one of these."""


def has_screen(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a window could be seen: servers, and services that begin before anybody logs in, have no screen."""
    return platform in ("win32", "darwin") or any(environment.get(name) for name in SCREENS)


def browser_command(platform: str, address: str) -> tuple[str, ...]:
    """What shows a page in the user's browser there (`sys.platform`); nothing where the system does it itself."""
    if platform == "win32":
        return ()
    return ("open", address) if platform == "darwin" else ("xdg-open", address)


def show_page(address: str) -> bool:
    """Whether a browser was asked to show it."""
    if not has_screen(sys.platform, os.environ):
        return False
    words = browser_command(sys.platform, address)
    try:
        return (run(words) if words else start(address)) == 0
    except OSError:
        return False


def start(what: str) -> int:
    """Have Windows open a file, a folder or an address. Raises OSError."""
    by_system = getattr(os, "startfile", None)
    if by_system is None:
        raise OSError(f"{sys.platform} opens nothing by itself")
    by_system(what)
    return 0


def run(words: tuple[str, ...]) -> int:
    """Its exit code; 0 for what goes on, which outlives p2psync. Raises OSError."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        words, stdin=quiet, stdout=quiet, stderr=quiet, env=environment_for_others(), start_new_session=True
    )
    try:
        return process.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, name=words[0], daemon=True).start()
        return 0

"""Shows a folder to this PC's user in the file manager of the system."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from p2psync.errors import FolderError, P2PSyncError
from p2psync.system.process import environment_for_others

WAIT_S = 5.0
"""Who asks the file manager is done by then; some are the file manager itself, and go on until it is closed."""
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
"""A program of Linux finds the screen by one of these."""


def command(platform: str, folder: str) -> tuple[str, ...]:
    """What opens a folder, given by its whole path, there (`sys.platform`); nothing where the system does it itself.

    A folder of macOS may bear the name of a program: the Finder is named, which starts none.
    """
    if platform == "win32":
        return ()
    return ("open", "-a", "Finder", folder) if platform == "darwin" else ("xdg-open", folder)


def has_screen(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a window could be seen: servers, and services that begin before anybody logs in, have no screen."""
    return platform in ("win32", "darwin") or any(environment.get(name) for name in SCREENS)


def open_folder(folder: Path) -> None:
    """For a thread. Raises FolderError if it is not there, P2PSyncError if nothing can open it."""
    if not folder.is_dir():
        raise FolderError("The mandate's folder is not there. See: p2psync status")
    if not has_screen(sys.platform, os.environ):
        raise P2PSyncError("p2psync runs here without a screen. Open the folder yourself: {folder}", folder=folder)
    words = command(sys.platform, str(folder))
    try:
        code = _run(words) if words else _start(folder)
    except OSError as error:
        reason = error.strerror or error
        raise P2PSyncError(
            "No file manager could be started ({reason}). Open the folder yourself: {folder}",
            reason=reason,
            folder=folder,
        ) from None
    if code:
        raise P2PSyncError(
            "{program} could not open the folder (exit code {code}). Open it yourself: {folder}",
            program=words[0],
            code=code,
            folder=folder,
        )


def _start(folder: Path) -> int:
    """By Windows. With a separator at its end: beside a folder Cargo a program Cargo.exe would be started instead."""
    start = getattr(os, "startfile", None)
    if start is None:
        raise OSError(f"{sys.platform} has no file manager")
    start(os.path.join(folder, ""))
    return 0


def _run(words: tuple[str, ...]) -> int:
    """Its exit code; 0 for what goes on, which outlives p2psync."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        words, stdin=quiet, stdout=quiet, stderr=quiet, env=environment_for_others(), start_new_session=True
    )
    try:
        return process.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, name="file manager", daemon=True).start()
        return 0

"""Shows a folder to this PC's user in the file manager of the system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from p2psync.errors import FolderError, P2PSyncError
from p2psync.system.screen import has_screen, run, start


def command(platform: str, folder: str) -> tuple[str, ...]:
    """What opens a folder, given by its whole path, there (`sys.platform`); nothing where the system does it itself.

    A folder of macOS may bear the name of a program: the Finder is named, which starts none.
    """
    if platform == "win32":
        return ()
    return ("open", "-a", "Finder", folder) if platform == "darwin" else ("xdg-open", folder)


def open_folder(folder: Path) -> None:
    """For a thread. Raises FolderError if it is not there, P2PSyncError if nothing can open it."""
    if not folder.is_dir():
        raise FolderError("The mandate's folder is not there. See: p2psync status")
    if not has_screen(sys.platform, os.environ):
        raise P2PSyncError("p2psync runs here without a screen. Open the folder yourself: {folder}", folder=folder)
    words = command(sys.platform, str(folder))
    try:
        # With a separator at its end: beside a folder Cargo Windows would start a program Cargo.exe instead.
        code = run(words) if words else start(os.path.join(folder, ""))
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

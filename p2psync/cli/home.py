"""Where a device keeps its things, and how the daemon that runs there is reached."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import traceback
from pathlib import Path

from p2psync.core.value import value

HOME_VARIABLE = "P2PSYNC_HOME"
RUNNING_FILE = "daemon.json"
DAEMON_LOG = "p2psync.log"
OUTPUT_LOG = "daemon-output.log"
"""What a daemon in the background prints."""
COMMAND_LOG = "command-line.log"
COMMAND_LOG_BYTES_MAX = 1 << 20


@value
class Running:
    """What a daemon says of itself while it runs."""

    host: str
    port: int
    token: str
    pid: int


def home_path(given: Path | None) -> Path:
    """The directory chosen on the command line, by P2PSYNC_HOME, or this user's data directory; absolute."""
    chosen = given or os.environ.get(HOME_VARIABLE)
    if not chosen:
        from platformdirs import user_data_path

        chosen = user_data_path("p2psync", appauthor=False)
    return Path(os.path.abspath(Path(chosen).expanduser()))


def read_running(home: Path) -> Running | None:
    """What `daemon.json` says; None where there is none, or no sense in it. The daemon may be dead all the same."""
    try:
        said = json.loads((home / RUNNING_FILE).read_text("utf-8"))
        host, _, port = str(said["address"]).rpartition(":")
        return Running(host.strip("[]"), int(port), str(said["token"]), int(said["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def tail(path: Path, lines: int) -> str:
    """The last lines of a text file; empty if it cannot be read."""
    try:
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def note_failure(home: Path, error: BaseException) -> Path | None:
    """Write where an unexpected error came from into a file, and return that; None if nothing can be written."""
    text = "".join(traceback.format_exception(error))
    for folder in (home, Path(tempfile.gettempdir())):
        path = folder / COMMAND_LOG
        with contextlib.suppress(OSError):
            mode = "a" if not path.exists() or path.stat().st_size < COMMAND_LOG_BYTES_MAX else "w"
            with path.open(mode, encoding="utf-8") as file:
                file.write(text)
            return path
    return None

"""A bar on long work, on a terminal's stderr; elsewhere nothing at all."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from p2psync.cli.client import Client
from p2psync.cli.exits import CommandFailed
from p2psync.i18n import _

LOOK_EVERY_S = 0.3
QUIET_S = 0.7
"""Work that is over by then shows no bar."""

Ask = Callable[[], Any]


@contextmanager
def shown(client: Client, mandate: str | None, what: str, wanted: bool = True) -> Iterator[None]:
    """Show how much is still to be received and sent, while the body waits for something."""
    if not wanted or not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(client, mandate, what, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(client: Client, mandate: str | None, what: str, done: threading.Event) -> None:
    if done.wait(QUIET_S):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        most = 0
        while not done.wait(LOOK_EVERY_S):
            left = left_over(client, mandate)
            most = max(most, left)
            if left:
                progress.update(task, total=most, completed=most - left, description=_left(what, left))


def left_over(client: Client, mandate: str | None) -> int:
    """Files that are still to be moved, in or out; 0 where nobody knows."""
    try:
        status = client.call("status", {"mandate": mandate}).data
    except CommandFailed:
        return 0
    return sum(int(m["to_receive"]["files"]) + int(m["to_send"]["files"]) for m in status["mandates"])


def _left(what: str, left: int) -> str:
    return _("{what}: {n} files to go").format(what=what, n=left)

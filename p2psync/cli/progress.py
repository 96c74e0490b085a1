"""A bar on long work, on a terminal's stderr: files and bytes, done and in all; elsewhere nothing at all."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from p2psync.cli.client import Client
from p2psync.cli.exits import CommandFailed
from p2psync.cli.values import files, size
from p2psync.i18n import _

LOOK_EVERY_S = 0.3
QUIET_S = 0.7
"""Work that is over by then shows no bar."""
ALONE_S = 15.0
"""How long a first replica waits for anybody to give it."""

Ask = Callable[[], Any]


class Load(NamedTuple):
    """What is to be moved, in or out."""

    files: int = 0
    bytes: int = 0


NOTHING = Load()


@contextmanager
def shown(client: Client, mandate: str | None, what: str, wanted: bool = True, total: Load = NOTHING) -> Iterator[None]:
    """Show how much is still to be received and sent, of at least `total`, while the body waits for something."""
    if not wanted or not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(client, mandate, what, done, total), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def first_replica(client: Client, mandate: str, wanted: bool = True) -> bool:
    """On a terminal, stay until this device holds the whole mandate; False if it does not, as nobody is in reach."""
    if not wanted or not sys.stderr.isatty():
        return True
    never, alone_s, whole = threading.Event(), 0.0, _only(client, mandate)
    total = Load(int(whole["files"]), int(whole["bytes"])) if whole is not None else Load()
    with shown(client, mandate, _("Receiving"), total=total):
        while alone_s < ALONE_S:
            one = _only(client, mandate)
            if one is None:
                return False
            connected = any(peer["connected"] for peer in one["peers"])
            if one["in_sync"] and connected and not one["to_receive"]["files"]:
                return True
            alone_s = 0.0 if connected else alone_s + LOOK_EVERY_S
            never.wait(LOOK_EVERY_S)
    return False


def left_over(client: Client, mandate: str | None) -> Load:
    """What is still to be moved; nothing where nobody knows. What a device that is off lacks does not count."""
    try:
        status = client.call("status", {"mandate": mandate}).data
    except CommandFailed:
        return Load()
    several = [one for m in status["mandates"] for one in (_coming(m), _going(m), _reading(m))]
    return Load(sum(one.files for one in several), sum(one.bytes for one in several))


def told(what: str, moved: Load, total: Load) -> str:
    """How far it is, for people."""
    return _("{what}: {done} of {files}, {moved} of {size}").format(
        what=what,
        done=f"{moved.files:,}".replace(",", "’"),
        files=files(total.files),
        moved=size(moved.bytes),
        size=size(total.bytes),
    )


def _watch(client: Client, mandate: str | None, what: str, done: threading.Event, total: Load) -> None:
    if done.wait(QUIET_S):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        moved = Load()
        while not done.wait(LOOK_EVERY_S):
            left = left_over(client, mandate)
            total = Load(max(total.files, left.files), max(total.bytes, left.bytes))
            # What has come of a big file is not counted while the whole of it is verified.
            moved = Load(max(moved.files, total.files - left.files), max(moved.bytes, total.bytes - left.bytes))
            if total.files:
                progress.update(task, total=1.0, completed=_share(moved, total), description=told(what, moved, total))


def _share(moved: Load, total: Load) -> float:
    """Of the work: bytes, but ten thousand empty files are some too."""
    by_files = moved.files / total.files
    return (by_files + moved.bytes / total.bytes) / 2 if total.bytes else by_files


def _coming(mandate: Mapping[str, Any]) -> Load:
    return Load(int(mandate["to_receive"]["files"]), int(mandate["to_receive"]["bytes"]))


def _going(mandate: Mapping[str, Any]) -> Load:
    """To whoever of those who are connected lacks most."""
    behind = [(peer["behind_bytes"], peer["behind_files"]) for peer in mandate["peers"] if peer["connected"]]
    most_bytes, most_files = max(behind, default=(0, 0))
    return Load(most_files, most_bytes)


def _reading(mandate: Mapping[str, Any]) -> Load:
    """What a full run still has to read again."""
    read = (mandate.get("run") or {}).get("read")
    if read is None:
        return Load()
    return Load(max(0, int(mandate["files"]) - read["files"]), max(0, int(mandate["bytes"]) - read["bytes"]))


def _only(client: Client, mandate: str) -> Any:
    """The status of one mandate; None if it cannot be had."""
    try:
        return client.call("status", {"mandate": mandate}).data["mandates"][0]
    except CommandFailed:
        return None

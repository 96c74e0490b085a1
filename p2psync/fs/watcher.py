"""The watcher that suits this system."""

from __future__ import annotations

import sys

from p2psync.fs.folder import Folder
from p2psync.fs.signs import Watcher


def watcher_for(folder: Folder) -> Watcher:
    """The best there is on this system: inotify costs nothing while nothing happens; the other polls itself."""
    if sys.platform == "linux":
        from p2psync.fs.inotify import InotifyWatcher

        return InotifyWatcher(folder)
    from p2psync.fs.portable import PortableWatcher

    return PortableWatcher(folder)

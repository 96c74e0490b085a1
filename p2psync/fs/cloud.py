"""Recognises folders that another program synchronises already, by their names and by what such programs leave there.

Two programs that replicate the same files take each other's placements for edits; the makers of bookkeeping
programs refuse such folders too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

_PARTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), service)
    for pattern, service in (
        (r"Dropbox( \(.+\))?", "Dropbox"),
        (r"OneDrive( - .+|-[A-Za-z0-9]+)?", "OneDrive"),
        (r"Google ?Drive( .*)?|GoogleDrive-.+|My Drive", "Google Drive"),
        (r"iCloud ?Drive|com~apple~CloudDocs", "iCloud"),
        (r"Nextcloud[0-9]?", "Nextcloud"),
        (r"ownCloud[0-9]?", "ownCloud"),
        (r"kDrive[0-9]?", "kDrive"),
        (r"Box Sync|Box-Box", "Box"),
        (r"MEGA ?sync", "MEGA"),
        (r"pCloud ?Drive|pCloud ?Sync", "pCloud"),
        (r"ProtonDrive(-.+)?|Proton Drive", "Proton Drive"),
        (r"SynologyDrive", "Synology Drive"),
        (r"Seafile", "Seafile"),
        (r"MagentaCLOUD", "MagentaCLOUD"),
        (r"HiDrive", "HiDrive"),
        (r"Tresorit", "Tresorit"),
    )
)
_RUNS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("library", "mobile documents"), "iCloud"),
    (("library", "cloudstorage"), "a cloud service"),
)
"""Parts that follow each other, in lower case."""

MARKERS: dict[str, str] = {
    ".dropbox": "Dropbox",
    ".dropbox.cache": "Dropbox",
    ".849C9593-D756-4E56-8D6E-42412F2A707B": "OneDrive",
    ".tmp.drivedownload": "Google Drive",
    ".nextcloudsync.log": "Nextcloud",
    ".owncloudsync.log": "ownCloud",
    ".stfolder": "Syncthing",
    ".SynologyWorkingDirectory": "Synology Drive",
    ".sync/ID": "Resilio Sync",
}
"""What the services leave in the top of a folder that they keep: a name, and whose it is."""


def service_by_name(parts: Sequence[str]) -> str | None:
    """The service in whose folder a path lies, judged by the path's parts, outermost first; None if in none."""
    lowered = [part.lower() for part in parts]
    for run, service in _RUNS:
        if any(tuple(lowered[at : at + len(run)]) == run for at in range(len(lowered))):
            return service
    for part in parts:
        for pattern, service in _PARTS:
            if pattern.fullmatch(part):
                return service
    return None


def service_by_marker(directories: Iterable[str], exists: Callable[[str], bool]) -> str | None:
    """The same by what lies in the folder and in those above it; `exists` tells of "<directory>/<marker>"."""
    for directory in directories:
        for marker, service in MARKERS.items():
            if exists(f"{directory}/{marker}"):
                return service
    return None

"""A mandate's folder on disk: its own hidden directory, the marker that proves it is there, and names to and fro."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
import time
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from p2psync.core.ids import MandateId, mandate_text, parse_mandate
from p2psync.core.problem import Code
from p2psync.core.relpath import OWN_DIRECTORY, RelPath, from_disk, to_disk
from p2psync.core.value import value
from p2psync.errors import FolderError, InvalidId
from p2psync.fs.attributes import set_hidden
from p2psync.fs.cloud import service_by_marker, service_by_name
from p2psync.fs.durable import sync_descriptor, sync_directories
from p2psync.fs.traits import SYSTEMS_OWN, Traits, racy_for_s
from p2psync.i18n import _

MARKER_FORMAT = 1
EPOCH_BYTES = 16
MARKER_BYTES_MAX = 4096


@value
class Marker:
    """Whose folder it is, and since when its contents were under watch."""

    mandate: MandateId
    epoch: bytes
    """EPOCH_BYTES random bytes, renewed at each start."""


class FolderVanished(Exception):
    """The folder is not there any more; nothing that is missing in it counts as deleted."""


class Folder:
    def __init__(self, root: Path, traits: Traits = SYSTEMS_OWN) -> None:
        """`root` need not exist yet; `traits`: what its disk was found to be like."""
        self.root = root.absolute()
        self.own = self.root / OWN_DIRECTORY
        self.staging = self.own / "staging"
        self.versions = self.own / "versions"
        self.traits = traits
        self._names = traits.names
        self._marker_path = self.own / "marker"
        self._ours: tuple[Marker, ...] = ()
        """The marker that was written; while it is being renewed the one before, too."""
        self._seen: tuple[int, ...] | None = None
        """What the disk said of the marker when it was read last and found to be ours."""
        self._prefix = os.path.join(self.root, "")

    # -- names ----------------------------------------------------------------------------------------------------

    def where(self, rel: RelPath | str) -> str:
        """Where a path lies on this disk; "" is the folder itself."""
        return self._prefix + to_disk(RelPath(rel), self._names)

    def spelling(self, rel: RelPath) -> str:
        """The inverse of `spelled`: how this disk names a path, relative to the folder."""
        return to_disk(rel, self._names)

    def path(self, rel: RelPath) -> Path:
        """The same as a Path."""
        return Path(self.where(rel))

    def spelled(self, name: str) -> RelPath:
        """The path that this disk lists as `name`, relative to the folder, "/" between parts. Raises InvalidPath."""
        return from_disk(unicodedata.normalize("NFC", name) if self.traits.composes else name, self._names)

    # -- the marker -----------------------------------------------------------------------------------------------

    def read_marker(self) -> Marker | None:
        """None where there is no folder, no marker, or none that can be understood."""
        try:
            with self._marker_path.open("rb") as file:
                return _parse_marker(file.read(MARKER_BYTES_MAX))
        except OSError:
            return None

    def write_marker(self, marker: Marker) -> None:
        """Durable and whole, or not at all. Raises OSError."""
        self._ours = (*self._ours[-1:], marker)
        self._seen = None
        fresh = self._marker_path.with_suffix(".new")
        fields = {"format": MARKER_FORMAT, "mandate": mandate_text(marker.mandate), "epoch": marker.epoch.hex()}
        with fresh.open("wb") as file:
            file.write(json.dumps(fields).encode() + b"\n")
            file.flush()
            sync_descriptor(file.fileno())
        fresh.replace(self._marker_path)
        sync_directories([self.own], self.own)
        self._ours = (marker,)

    def trouble(self) -> Code | None:
        """FOLDER_GONE or FOLDER_MARKER_GONE while this is not the folder that was opened; None if it is.

        Asked of each folder every few seconds: a marker that nobody touched since is not read again.
        """
        seen = self._look_at_marker()
        if seen is not None and seen == self._seen:
            return None
        if not self.root.is_dir():
            return Code.FOLDER_GONE
        ours = self._ours
        marker = self.read_marker()
        ours += self._ours  # it may have been renewed meanwhile
        if marker is None or (ours and marker not in ours):
            return Code.FOLDER_MARKER_GONE
        if seen is not None and marker in self._ours and not racy_for_s(max(seen[-2:]), time.time_ns()):
            self._seen = seen
        return None

    def _look_at_marker(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self._marker_path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def is_there(self) -> bool:
        """False for an unplugged drive, an empty mount point, a folder that was swapped for another."""
        return self.trouble() is None

    # -- making it ready ------------------------------------------------------------------------------------------

    def prepare(self, others: Iterable[Path] = ()) -> None:
        """Make the folder and what p2psync needs in it; nothing that is there already is touched.

        `others`: the folders of the other mandates. Raises FolderError with a sentence for the user.
        """
        self._check_place(others)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for directory in (self.own, self.staging, self.versions):
                directory.mkdir(exist_ok=True)
            self._try_to_write()
        except OSError as error:
            raise FolderError(_sentence(self.root, error)) from None
        self._check_own()
        if sys.platform == "win32":
            set_hidden(self.own, True, ctypes.CDLL("kernel32", use_last_error=True))

    def _check_place(self, others: Iterable[Path]) -> None:
        root = Path(os.path.realpath(self.root))
        if os.path.exists(root) and not os.path.isdir(root):
            raise FolderError(_("{folder} is a file; choose a folder.").format(folder=self.root))
        above = [*root.parents]
        marked = next((p for p in above if os.path.exists(p / OWN_DIRECTORY / "marker")), None)
        for other in (Path(os.path.realpath(o)) for o in others):
            if other == root or other in above or root in other.parents:
                marked = marked or other
        if marked is not None:
            raise FolderError(
                _(
                    "{folder} and {other}, the folder of another mandate, lie in one another. Choose another folder."
                ).format(folder=self.root, other=marked)
            )
        in_cloud = self.in_cloud()
        if in_cloud is not None:
            raise FolderError(in_cloud)

    def in_cloud(self) -> str | None:
        """Why this is no place for a mandate's folder, if a cloud service keeps it too, for people."""
        root = Path(os.path.realpath(self.root))
        directories = [str(p) for p in (root, *root.parents)]
        service = service_by_name(root.parts) or service_by_marker(directories, os.path.exists)
        if service is None:
            return None
        return _(
            "{folder} lies in a folder that {service} synchronises; two synchronisers on the same files damage "
            "them. Choose a folder outside of it."
        ).format(folder=self.root, service=service)

    def _try_to_write(self) -> None:
        probe = self.staging / "tmp-probe"
        probe.write_bytes(b"")
        probe.unlink()

    def _check_own(self) -> None:
        """Placing is a rename, so staging must not lie elsewhere."""
        if self.own.is_symlink() or self.own.stat().st_dev != self.root.stat().st_dev:
            raise FolderError(
                _("{own} must be a directory on the same disk as the folder; remove it and try again.").format(
                    own=self.own
                )
            )


def _parse_marker(raw: bytes) -> Marker | None:
    try:
        fields = json.loads(raw)
        marker = Marker(parse_mandate(fields["mandate"]), bytes.fromhex(fields["epoch"]))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidId):
        return None
    return marker if fields.get("format") == MARKER_FORMAT and len(marker.epoch) == EPOCH_BYTES else None


def _sentence(root: Path, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return _("p2psync may not write in {folder}; allow it, or choose another folder.").format(folder=root)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _("The disk of {folder} is full; free some space, or choose another folder.").format(folder=root)
    return _("{folder} cannot be used as a folder: {reason}.").format(folder=root, reason=error.strerror or error)

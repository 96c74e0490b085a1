"""A mandate's folder in a temporary directory, and short words for what the tests of this package say."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry, Kind
from p2psync.core.ids import ContentId, content_of
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import PlaceItem
from p2psync.fs.exchange import EXCHANGE, Exchange
from p2psync.fs.placer import Placer
from p2psync.fs.sight import Expected, Onlooker
from p2psync.fs.staging import Staging
from p2psync.fs.traits import SYSTEMS_OWN, Traits
from p2psync.fs.versions import Versions
from p2psync.fs.watchlist import NAME as WATCHLIST
from tests.fs.onlooking import Nobody

OLD_NS = 1_700_000_000_123_456_789
"""A time that no file saved during a test has."""


@dataclass(frozen=True)
class Places:
    """The folder's directories, as the placer asks for them."""

    root: Path
    traits: Traits = SYSTEMS_OWN

    @property
    def staging(self) -> Path:
        return self.root / ".p2psync" / "staging"

    @property
    def versions(self) -> Path:
        return self.root / ".p2psync" / "versions"

    def path(self, rel: RelPath) -> Path:
        return self.root / rel

    def where(self, rel: RelPath) -> str:
        return str(self.root / rel)


@dataclass
class Nowhere:
    """A `Local` that has nothing but what it is given, and remembers what it is told."""

    given: dict[ContentId, bytes] = field(default_factory=dict)
    remembered: list[tuple[ContentId, RelPath]] = field(default_factory=list)

    def take_given(self, contents: Iterable[ContentId]) -> dict[ContentId, bytes]:
        return {content: self.given.pop(content) for content in contents if content in self.given}

    def stage_from_local(self, content: ContentId) -> bool:
        return False

    def remember(self, placed: Iterable[tuple[ContentId, RelPath]]) -> None:
        self.remembered.extend(placed)


class Disk:
    """A folder, its placer, and what a user does there."""

    def __init__(
        self,
        root: Path,
        exchange: Exchange = EXCHANGE,
        traits: Traits = SYSTEMS_OWN,
    ) -> None:
        self.places = Places(root, traits)
        self.staging = Staging(self.places.staging)
        self.versions = Versions(self.places.versions)
        self.registered: list[Expected] = []
        self.onlooker: Onlooker = Nobody()
        self.now = 0.0
        self.local = Nowhere()
        self.placer = Placer(
            self.places,
            self.staging,
            self.versions,
            self.local,
            exchange=exchange,
            onlooker=self,
            clock=lambda: self.now,
        )

    def expect(self, several: Sequence[Expected]) -> None:
        self.registered.extend(several)
        self.onlooker.expect(several)

    def made(self, directory: RelPath) -> None:
        self.onlooker.made(directory)

    def coming(self, paths: Sequence[RelPath]) -> None:
        self.onlooker.coming(paths)

    def not_come(self, path: RelPath) -> None:
        self.onlooker.not_come(path)

    def save(self, path: str, data: bytes, mtime_ns: int = OLD_NS) -> PlaceItem:
        """A user saves a file; returns an item that expects just that and puts nothing yet."""
        target = self.places.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        os.utime(target, ns=(mtime_ns, mtime_ns))
        return self.expecting(path, data)

    def expecting(self, path: str, data: bytes) -> PlaceItem:
        stat = self.places.traits.stat((self.places.root / path).lstat())
        return PlaceItem(RelPath(path), a_file(data, stat.mtime_ns), stat, ABSENT, "replaced")

    def staged(self, *contents: bytes) -> None:
        self.staging.stage_whole([(content_of(data), data) for data in contents])

    def given(self, *contents: bytes) -> None:
        """As what came along with its change."""
        self.local.given |= {content_of(data): data for data in contents}

    def tree(self) -> dict[str, bytes | None]:
        """Every file with its bytes, every empty directory with None; without our own directory."""
        return tree_of(self.places.root)

    def kept(self) -> dict[str, bytes]:
        """The kept versions by the first digits of their ids."""
        return {content.hex()[:8]: self.versions.path(content).read_bytes() for content in self.versions.iterate()}

    def in_staging(self) -> list[str]:
        """Without the list of what is watched, which goes with the last that is."""
        return sorted(file.name for file in self.places.staging.iterdir() if file.name != WATCHLIST)


def tree_of(root: Path) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for directory, directories, files in os.walk(root):
        if Path(directory) == root:
            directories.remove(".p2psync")
        here = Path(directory).relative_to(root)
        found |= {(here / name).as_posix(): (root / here / name).read_bytes() for name in files}
        if not directories and not files and Path(directory) != root:
            found[here.as_posix()] = None
    return found


def a_file(data: bytes, mtime_ns: int = OLD_NS, mode: int = 0) -> Entry:
    return Entry(Kind.FILE, len(data), mtime_ns, mode, content_of(data))


def create(path: str, data: bytes, mtime_ns: int = OLD_NS, mode: int = 0) -> PlaceItem:
    return PlaceItem(RelPath(path), ABSENT, None, a_file(data, mtime_ns, mode), "replaced")


def mkdir(path: str) -> PlaceItem:
    return PlaceItem(RelPath(path), ABSENT, None, EMPTY_DIRECTORY, "replaced")


def rmdir(path: str) -> PlaceItem:
    return PlaceItem(RelPath(path), EMPTY_DIRECTORY, None, ABSENT, "removed")


def version(data: bytes) -> dict[str, bytes]:
    """What `Disk.kept` shows for one kept file."""
    return {content_of(data).hex()[:8]: data}


def whole(files: Mapping[str, bytes]) -> dict[str, bytes | None]:
    return dict(files)

"""One simulated PC: a device, its database, its folder, and what is on its way in and out of them.

Effects are performed after the commit, each at a time of its own; a crash forgets those that were still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from blake3 import blake3

from p2psync.books.index import merge
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import ContentId, DeviceId, MandateId, content_of
from p2psync.core.relpath import Folding, RelPath
from p2psync.core.rules import Role
from p2psync.engine.admin import Admin, Welcome
from p2psync.engine.device import Device
from p2psync.engine.effects import CloseLink, Effect, Fetch, KeepVersion, Merge, Place, Rescan, Send, WakeAt
from p2psync.engine.events import (
    EpochRenewed,
    Event,
    Fetched,
    FetchFailed,
    FolderOpened,
    Kept,
    LateWrite,
    Merged,
    Observed,
    Placed,
    ScanFinished,
    Tick,
    WrittenLate,
)
from p2psync.engine.ledger import Keys
from p2psync.errors import CodecError
from p2psync.sim.checkers import check_late_writes
from p2psync.sim.disk import Disk
from p2psync.sim.state import MemoryDeviceState

if TYPE_CHECKING:
    from p2psync.sim.world import World

SCAN_BATCH = 500


def keyed(device: DeviceId, data: bytes) -> bytes:
    """A cheap stand-in for a signature: who knows the id can make it, and nobody here lies about that."""
    return blake3(data, key=blake3(device).digest()).digest(64)


class Host:
    def __init__(self, world: World, number: int, folding: Folding):
        self.world = world
        self.number = number
        self.name = f"pc{number}"
        device = DeviceId(blake3(self.name.encode()).digest())
        self.keys = Keys(device, lambda data: keyed(device, data), lambda d, data, s: keyed(d, data) == s)
        self.state = MemoryDeviceState()
        self.disk = Disk(folding)
        self.device: Device | None = None
        self.mandate: MandateId | None = None
        self.welcome: Welcome | None = None
        self.role = Role.ACCOUNTING
        self.revoked = False
        self.life = 0
        """Counts starts; what was scheduled in an earlier life does not happen."""
        self.backups: list[tuple[MemoryDeviceState, Disk]] = []
        self._untold: list[LateWrite] = []
        """Late writes that were found, and not told when a crash came."""
        self.dirty: set[RelPath] = set()
        """Paths that a user touched and that the watcher overlooked or that nobody has looked at yet."""

    # -- life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.life += 1
        self.device = Device(self.keys, self.state, Random(self.world.rng.random()), self.name, "sim")
        if self.mandate is not None and self.mandate in self.device.mandates:
            self.open_folder()

    def open_folder(self) -> None:
        """Compare the epochs, write a new one, and look at everything."""
        assert self.device is not None
        assert self.mandate is not None
        state = self.device.mandates[self.mandate].state
        continuous = bool(self.disk.epoch) and state.get("epoch") == self.disk.epoch
        for path, base in state.bases(state.placing()).items():
            self.world.users.cut_off.setdefault((self.name, path), set()).add(base.entry.content)
        self.device.set_folding(self.mandate, self.disk.folding)
        self.disk.epoch = self.world.rng.randbytes(16)
        self.handle(FolderOpened(self.mandate, continuous, self.disk.epoch, frozenset(self.disk.versions)))
        if not continuous:
            self.forget_outs()
        self.later(self.world.knobs.disk_s, self._watch_on)
        self.later(self.world.knobs.disk_s, self.scan)

    def _watch_on(self) -> None:
        """What came out in an earlier life."""
        for out in self.disk.outs.values():
            out.reported = True
        self.tell_late_writes(self.disk.told_before())
        check_late_writes(self, self._untold)
        self._untold.clear()
        self.look_for_late_writes()

    def forget_outs(self) -> None:
        """Somebody else had the folder meanwhile: what came out of it before is not watched any more."""
        for out in self.disk.outs.values():
            if out.written is not None:  # it lies under the name of what it held before: nobody will find it
                self.world.users.spoiled.update((out.content, content_of(out.written)))
        self.disk.outs.clear()
        self._untold.clear()

    def renew_epoch(self) -> None:
        assert self.mandate is not None
        self.disk.epoch = self.world.rng.randbytes(16)
        self.handle(EpochRenewed(self.mandate, self.disk.epoch))

    def crash(self) -> None:
        self.life += 1
        self.device = None
        self.disk.staged.clear()

    def lose_state(self) -> None:
        """The database is gone; what the ticket's welcome said is still known."""
        self.state = MemoryDeviceState()

    def later(self, mean_s: float, action: Callable[[], None]) -> None:
        """Do it after a random time, unless this life has ended by then."""
        life = self.life

        def if_alive() -> None:
            if self.life == life:
                action()

        self.world.after(self.world.spread(mean_s), if_alive)

    # -- the engine ------------------------------------------------------------------------------------

    def handle(self, *events: Event) -> None:
        if self.device is None:
            return
        self.state.begin()
        effects = self.device.handle_all(events, self.world.now)
        self._finish(effects)

    def act(self, deed: Callable[[Admin], None]) -> None:
        """A person's act on the mandate."""
        assert self.device is not None
        assert self.mandate is not None
        self.state.begin()
        self.device.act(self.world.now)
        deed(self.device.admin(self.mandate))
        self._finish(self.device.finish())

    def adopt(self, welcome: Welcome) -> None:
        assert self.device is not None
        self.welcome = welcome
        self.state.begin()
        self.device.act(self.world.now)
        self.mandate = self.device.join(welcome)
        self._finish(self.device.finish())
        self.open_folder()

    def leave(self) -> None:
        """Tell the others, and forget the mandate; the folder stays."""
        assert self.device is not None
        assert self.mandate is not None
        self.state.begin()
        self.device.act(self.world.now)
        self.device.leave(self.mandate)
        self._finish(self.device.finish())
        self.revoked, self.welcome = True, None

    def _finish(self, effects: Sequence[Effect]) -> None:
        self.state.commit()
        self.world.trace(self, effects)
        for effect in effects:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        disk_s = self.world.knobs.disk_s
        match effect:
            case Send(link, message):
                self.world.network.send(link, message)
            case CloseLink(link):
                self.world.network.close(link)
            case Fetch(mandate, wanted):
                for one in wanted:
                    self.world.network.fetch(self, mandate, one.content)
            case Place():
                self.later(disk_s, lambda: self._place(effect))
            case KeepVersion():
                self.later(disk_s, lambda: self._keep(effect))
            case Merge(mandate, path, sources):
                self.later(disk_s, lambda: self._merge(mandate, path, sources))
            case Rescan(_, paths):
                self.later(self.world.knobs.notice_s, lambda: self.look(paths) if paths else self.scan())
            case WakeAt(at_s):
                self.later_at(at_s, lambda: self.handle(Tick()))
            case _:
                pass

    def later_at(self, at_s: float, action: Callable[[], None]) -> None:
        life = self.life
        self.world.after(max(0.0, at_s - self.world.now.monotonic_s), lambda: action() if self.life == life else None)

    # -- the disk --------------------------------------------------------------------------------------

    def _place(self, effect: Place) -> None:
        outcomes = self.disk.place_all(effect.items)
        self.later(self.world.knobs.disk_s, lambda: self._report(Placed(effect.mandate, outcomes)))

    def _report(self, placed: Placed) -> None:
        self.handle(placed)
        paths = {outcome.path for outcome in placed.outcomes if outcome.placed}
        for out in self.disk.outs.values():
            out.reported = out.reported or out.path in paths
        self.look_for_late_writes()

    def _keep(self, effect: KeepVersion) -> None:
        content = effect.entry.content
        data = self.disk.find(content) if content is not None else None
        if content is None or data is None:
            self.handle(FetchFailed(effect.mandate, (content,) if content is not None else ()))
            return
        self.disk.versions[content] = data
        self.handle(Kept(effect.mandate, effect.path, effect.entry, effect.reason, effect.change))

    def _merge(self, mandate: MandateId, path: RelPath, sources: tuple[ContentId, ...]) -> None:
        versions = [data for data in (self.disk.find(c) for c in sources) if data is not None]
        if len(versions) < len(sources):
            self.handle(Merged(mandate, path, sources, None, unmergeable=False))
            return
        try:
            data = merge(versions).data
        except CodecError:
            data = None
        entry = None
        if data is not None:
            self.disk.staged[content_of(data)] = data
            entry = Entry(Kind.FILE, len(data), 0, 0, content_of(data))
        self.handle(Merged(mandate, path, sources, entry))

    def staged(self, mandate: MandateId, content: ContentId, data: bytes | None) -> None:
        """A fetch ended, with the bytes or without."""
        if data is None:
            self.handle(FetchFailed(mandate, (content,)))
        else:
            self.disk.staged[content] = data
            self.handle(Fetched(mandate, (content,)))

    # -- looking ---------------------------------------------------------------------------------------

    def look_for_late_writes(self) -> None:
        if self.device is None:
            return
        writes = self.disk.late_writes()
        if writes and self.world.crashes_now(self):
            self._untold += writes
            return
        self.tell_late_writes(writes)

    def tell_late_writes(self, writes: Sequence[LateWrite]) -> None:
        if writes and self.mandate is not None:
            self.handle(WrittenLate(self.mandate, tuple(writes)))
            check_late_writes(self, writes)

    def look(self, paths: Sequence[RelPath]) -> None:
        if self.mandate is None:
            return
        self.dirty.difference_update(paths)
        seen = tuple(self.disk.seen(p) for p in sorted(paths))
        self.handle(Observed(self.mandate, seen))

    def scan(self) -> None:
        if self.mandate is None or self.device is None or self.mandate not in self.device.mandates:
            return
        base = {row.path for row in self.device.mandates[self.mandate].state.all_bases()}
        paths = sorted(base.union(self.disk.files))
        for start in range(0, len(paths), SCAN_BATCH):
            self.look(paths[start : start + SCAN_BATCH])
        self.handle(ScanFinished(self.mandate, True))

"""The simulated people: they save, delete, rename, revert and decide, and what they did is remembered.

For every content that a user saved it is known what the user wrote over. From that follows what a change may
name as its parents, and which bytes nobody may lose.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from p2psync.core.ids import ContentId, content_of
from p2psync.core.period import Period
from p2psync.core.relpath import RelPath, parse
from p2psync.errors import NotAllowed, UsageError

if TYPE_CHECKING:
    from p2psync.sim.host import Host
    from p2psync.sim.world import World

SUFFIXES = (".txt", ".crp", ".ecf", ".ecs", ".crbank")
FROZEN = Period(date(2025, 1, 1), date(2025, 12, 31))
LOOK_AGAIN_S = 2.0
"""Mean time until a late write is noticed."""


class Users:
    def __init__(self, world: World):
        self._world = world
        rng = world.rng
        self.paths = [
            parse(f"{rng.choice(['', 'sub/', 'Sub/'])}f{i}{rng.choice(SUFFIXES)}") for i in range(world.knobs.paths)
        ]
        self.paths += [parse("f0"), parse("f0/inner.txt")] if rng.random() < 0.3 else []
        self.paths += [parse("f1 (01-01-2025 ~ 31-12-2025).ecf")] if world.knobs.freezes else []
        self._count = 0
        self.saved: dict[ContentId, tuple[Host, RelPath]] = {}
        """Everything a user saved, by whom and where; each save has bytes of its own."""
        self.replaced: set[ContentId] = set()
        """What a user overwrote or deleted, having it before him."""
        self.excused: set[ContentId] = set()
        """What a restored backup took away with it."""
        self.spoiled: set[ContentId] = set()
        """Versions that were written over, and with what, by a program just before the folder was left to itself."""
        self.wrote_over: dict[tuple[str, RelPath, ContentId | None], set[ContentId | None]] = {}
        """(host, path, content saved) -> what stood there before."""
        self.cut_off: dict[tuple[str, RelPath], set[ContentId | None]] = {}
        """(host, path) -> what a placement was to take out there when a crash came, or a backup was made: it is not
        known whether who saved next had that or what was placed before him."""
        self._removed: dict[tuple[str, RelPath], ContentId] = {}

    def act(self) -> None:
        """One act of one user."""
        hosts = [h for h in self._world.hosts if h.mandate is not None and not h.revoked]
        host = self._world.rng.choice(hosts)
        roll = self._world.rng.random()
        knobs = self._world.knobs
        if roll < knobs.decisions:
            self._decide(host)
        elif roll < knobs.decisions + knobs.merged_files:
            self._add_line(host)
        elif roll < knobs.decisions + knobs.merged_files + knobs.marks:
            self._mark(host)
        else:
            self._touch(host)

    def _touch(self, host: Host) -> None:
        rng = self._world.rng
        path = rng.choice(self.paths)
        standing = host.disk.standing_name(path)
        deed = rng.choice(["save", "save", "save", "delete", "rename", "revert"])
        if deed == "delete" and standing is not None:
            self._remove(host, standing)
        elif deed == "rename" and standing is not None:
            self._rename(host, standing, rng.choice(self.paths))
        elif deed == "revert" and standing is not None and host.disk.versions:
            self._write(host, standing, host.disk.versions[rng.choice(sorted(host.disk.versions))], fresh=False)
        else:
            self._save(host, path)

    def _save(self, host: Host, path: RelPath) -> None:
        if host.disk.standing_name(path) is None and host.disk.obstructed(path):
            return
        self._count += 1
        self._write(host, path, f"{host.name} save {self._count}".encode(), fresh=True)
        if self._world.rng.random() < self._world.knobs.open_handles:
            standing = host.disk.standing_name(path)
            assert standing is not None
            self._hold_open(host, host.disk.files[standing].inode)

    def _hold_open(self, host: Host, inode: int) -> None:
        """A program keeps the file open, and writes into it a moment later, whatever took its place meanwhile."""
        disk = host.disk
        self._count += 1
        data = f"{host.name} late {self._count}".encode()
        mean_s = self._world.knobs.open_s

        def write() -> None:
            if host.disk is disk:
                self._write_in_place(host, inode, data)

        self._world.after(self._world.spread(mean_s), write)

    def _write_in_place(self, host: Host, inode: int, data: bytes) -> None:
        held = host.disk.held(inode)
        if held is None or self._world.healed:
            return  # a user removed it, or replaced it knowingly: what is written there nobody expects to see again
        path, before = held
        content = content_of(data)
        self.saved[content] = (host, path)
        self.replaced.add(before)
        self.wrote_over.setdefault((host.name, path, content), set()).add(before)
        host.disk.write_in_place(inode, data, self._world.now.wall_ms * 1_000_000)
        if host.disk.path_of(inode) is not None:
            self._notice(host, path)
        else:
            host.later(LOOK_AGAIN_S, host.look_for_late_writes)
        if self._world.rng.random() < self._world.knobs.open_handles:
            self._hold_open(host, inode)

    def _write(self, host: Host, path: RelPath, data: bytes, fresh: bool) -> None:
        path = host.disk.standing_name(path) or path
        before = host.disk.files.get(path)
        content = content_of(data)
        if before is not None and before.content == content:
            return
        if fresh:
            self.saved[content] = (host, path)
        if before is not None:
            self.replaced.add(before.content)
        self._note(host, path, content)
        host.disk.write(path, data, self._world.now.wall_ms * 1_000_000)
        self._notice(host, path)

    def _remove(self, host: Host, path: RelPath) -> None:
        self._take_away(host, path)
        self._notice(host, path)

    def _take_away(self, host: Host, path: RelPath) -> None:
        content = host.disk.files.pop(path).content
        self.replaced.add(content)
        self._removed[(host.name, path)] = content

    def _note(self, host: Host, path: RelPath, content: ContentId) -> None:
        """What the user has before him when he writes: what stands there, or what he took away himself."""
        before = host.disk.files.get(path)
        removed = self._removed.get((host.name, path))
        over = self.wrote_over.setdefault((host.name, path, content), set())
        over.add(before.content if before is not None else removed)

    def _rename(self, host: Host, old: RelPath, new: RelPath) -> None:
        file = host.disk.files[old]
        if new == old:
            return
        target = host.disk.standing_name(new)
        if target is None and (host.disk.obstructed(new) or new.startswith(old + "/")):
            return
        if target is not None and target != old:
            self._take_away(host, target)
            self._notice(host, target)
        self._removed[(host.name, old)] = host.disk.files.pop(old).content
        self._note(host, new, file.content)
        host.disk.write(new, file.data, file.mtime_ns)
        self._notice(host, old, new)

    def _add_line(self, host: Host) -> None:
        """A producer renews the index: it reads it and writes it whole."""
        path = parse("Cargo.ecc")
        self._count += 1
        file = host.disk.files.get(path)
        lines = [x for x in (file.data if file else b"#FSC\t9.3\tECC\r\n#END\r\n").split(b"\r\n") if x and x != b"#END"]
        lines.append(f"#ECF\t1; 05/01/2025 09:{self._count % 60:02}:00; f{self._count % 4}.ecf; {self._count}".encode())
        self._write(host, path, b"\r\n".join([*lines, b"#END", b""]), fresh=False)

    def _decide(self, host: Host) -> None:
        if host.device is None or host.mandate is None or host.mandate not in host.device.mandates:
            return
        open_ones = host.device.admin(host.mandate).conflicts()
        if not open_ones:
            return
        conflict = self._world.rng.choice(open_ones)
        keep = self._world.rng.choice([conflict.winner, *conflict.losers])
        try:
            host.act(lambda admin: admin.resolve(conflict.path, keep.id))
        except (UsageError, NotAllowed):
            host.state.rollback()
            return
        self.replaced.update(
            h.entry.content for h in (conflict.winner, *conflict.losers) if h.entry.content is not None
        )

    def close_books(self, host: Host) -> None:
        """An admin freezes a period, with files as they stand before him, or lets them be changed again."""
        if host.device is None or host.mandate is None or host.mandate not in host.device.mandates:
            return
        mandate = host.device.mandates[host.mandate]
        if FROZEN in mandate.authority.frozen:
            host.act(lambda admin: admin.unfreeze(FROZEN))
            return
        paths = self._world.rng.sample(self.paths, k=min(2, len(self.paths)))
        rows = mandate.state.bases(paths).values()
        shown = {row.path: row.entry.content for row in rows if row.entry.content is not None}
        try:
            host.act(lambda admin: admin.freeze(FROZEN, shown))
        except UsageError:
            host.state.rollback()

    def hand_over(self, host: Host) -> None:
        """Somebody says that a file is another device's from now on; whose it is not is refused, if he is no admin."""
        if host.revoked or host.device is None or host.mandate is None or host.mandate not in host.device.mandates:
            return
        path, taker = self._world.rng.choice(self.paths), self._world.rng.choice(self._world.hosts)
        try:
            host.act(lambda admin: admin.set_owner(path, taker.keys.device))
        except (UsageError, NotAllowed):
            host.state.rollback()

    def _mark(self, host: Host) -> None:
        """Somebody says that he posted what a file holds, or that he did not."""
        if host.device is None or host.mandate is None or host.mandate not in host.device.mandates:
            return
        state = host.device.mandates[host.mandate].state
        path = self._world.rng.choice(self.paths)
        row = state.bases([path]).get(path)
        undo = self._world.rng.random() < 0.3
        try:
            if undo:
                host.act(lambda admin: admin.unpost([path]))
            else:
                host.act(lambda admin: admin.post({path: row.entry.content if row is not None else None}))
        except (UsageError, NotAllowed):
            host.state.rollback()

    def _notice(self, host: Host, *paths: RelPath) -> None:
        host.dirty.update(paths)
        if host.device is None or self._world.rng.random() < self._world.knobs.overlook:
            return
        host.later(self._world.knobs.notice_s, lambda: host.look(paths))

"""Watching on Linux, driven by events: an idle folder costs no CPU at all.

`inotify_simple` is the kernel's interface and nothing more, and that is what is needed here: one read brings all
events at hand with their cookies, and a cancelled task loses none. Directories are kept as a tree beside the watches,
so that renaming one, however much it holds, is one change.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType

from inotify_simple import Event, INotify, flags

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import OWN_DIRECTORY, RelPath
from p2psync.core.value import mutable
from p2psync.engine.settle import How
from p2psync.errors import InvalidPath
from p2psync.fs.folder import Folder
from p2psync.fs.listing import shown
from p2psync.fs.recall import Recall
from p2psync.fs.signs import COALESCE_FIRST_S, COALESCE_S, COALESCE_STORM_S, MANY, REST_S, Lost, Noticed, Refused, Signs
from p2psync.fs.threads import in_thread

CREATE, MODIFY, CLOSE, ATTRIB = int(flags.CREATE), int(flags.MODIFY), int(flags.CLOSE_WRITE), int(flags.ATTRIB)
MOVED_FROM, MOVED_TO, DELETE = int(flags.MOVED_FROM), int(flags.MOVED_TO), int(flags.DELETE)
ISDIR, IGNORED, OVERFLOW, UNMOUNT = int(flags.ISDIR), int(flags.IGNORED), int(flags.Q_OVERFLOW), int(flags.UNMOUNT)
SELF = int(flags.DELETE_SELF | flags.MOVE_SELF)
WATCHED = CREATE | MODIFY | CLOSE | ATTRIB | MOVED_FROM | MOVED_TO | DELETE
HOW_TO_WATCH = int(flags.ONLYDIR | flags.DONT_FOLLOW | flags.EXCL_UNLINK)
NOTHING = Event(-1, 0, 0, "")
COMING_S = 5.0
"""A file of whose coming no sign was read for so long came unheard, for its directory was not watched."""

_HOW_OF_FILES = (
    (MOVED_TO, How.RENAMED),
    (MOVED_FROM | DELETE, How.DELETED),
    (CREATE, How.CREATED),
    (MODIFY, How.MODIFIED),
    (CLOSE, How.CLOSED),
    (ATTRIB, How.ASKED),
)
_HOW_OF_DIRECTORIES = (
    (MOVED_TO, How.RENAMED),
    (MOVED_FROM | DELETE, How.DELETED),
    (CREATE, How.ASKED),
)


@dataclass(slots=True, eq=False)
class _Node:
    """A directory that is watched."""

    name: str
    above: _Node | None
    """None for the folder itself, and for a directory that left its name and has no new one yet."""
    watch: int = -1
    made: bool = False
    """The placer made it, and its watch was set before the sign of that was read."""
    inside: dict[str, _Node] = field(default_factory=dict)


@mutable
class _Round:
    """What one reading of the queue amounts to."""

    noticed: list[Noticed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    placed: list[RelPath] = field(default_factory=list)
    last: dict[tuple[int, str], How] = field(default_factory=dict)
    """What was told last of a name, so that it is not told twice in a row."""
    new: list[tuple[_Node, str]] = field(default_factory=list)
    """Directories to watch."""
    prefixes: dict[int, str | None] = field(default_factory=dict)
    """Of names in watched directories, by the watch, until something happens that may change them; see `_spelling`."""
    begun_s: float = field(default_factory=time.monotonic)
    lost: bool = False
    ended: bool = False


class InotifyWatcher:
    hears_closing = True

    def __init__(self, folder: Folder) -> None:
        self.blind = False
        self._folder = folder
        self._coming: Recall[tuple[RelPath, float]] = Recall()
        """By their disk names, the files of ours on the way to free names, and since when."""
        self._made: dict[str, int] = {}
        """By their disk names, the watches of directories that the placer made, until the sign of that is read."""
        self._watching = threading.Lock()
        """Held by who sets a watch: the placer sets some. Never waited for by the loop, for disks may be slow."""
        self._is_open = False

    async def __aenter__(self) -> InotifyWatcher:
        self.blind = False
        self._top = _Node("", None)
        self._nodes: dict[int, _Node] = {}
        self._moved: dict[int, _Node] = {}
        self._moved_before: dict[int, _Node] = {}
        self._readable = asyncio.Event()
        self._stormy = False
        self._read_s = -math.inf
        self._ended = False
        self._inotify = INotify(nonblocking=True)
        self._is_open = True
        try:
            await in_thread(None, self._watch_all)
        except BaseException:
            self._close()
            raise
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fd)
        self._close()

    def _close(self) -> None:
        self._is_open = False
        self._inotify.close()

    def __aiter__(self) -> InotifyWatcher:
        return self

    async def __anext__(self) -> Signs | Lost:
        while not self._ended:
            await self._readable.wait()
            events = await self._gather()
            self._read_s = asyncio.get_running_loop().time()
            self._stormy = len(events) > MANY
            told = await self._digest(events)
            self._listen()
            if told is not None:
                return told
        raise StopAsyncIteration

    async def _gather(self) -> list[Event]:
        """Signs of a moment: somebody waits for the first one, and for a file that came whole, nobody for many."""
        events: list[Event] = []
        pause_s = COALESCE_STORM_S if self._stormy else COALESCE_S
        if asyncio.get_running_loop().time() - self._read_s > REST_S:
            events = self._inotify.read(timeout=0)
            if any(event.mask & MOVED_TO for event in events):
                return events
            pause_s = COALESCE_FIRST_S
        await asyncio.sleep(pause_s)
        return [*events, *self._inotify.read(timeout=0)]

    def _listen(self) -> None:
        """One call back, then silence until the queue was read: the loop is not to spin while signs gather."""
        self._readable.clear()
        asyncio.get_running_loop().add_reader(self._inotify.fd, self._hear)

    def _hear(self) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fd)
        self._readable.set()

    # -- events ---------------------------------------------------------------------------------------------------

    async def _digest(self, events: Iterable[Event]) -> Signs | Lost | None:
        self._drop_moved_away()
        this = _Round()
        for event, after in pairwise([*events, NOTHING]):
            if event.mask != MOVED_TO or not self._take_placed(event, after, this):
                this.prefixes.clear()
                self._take(event, this)
        self._ended = this.ended
        if this.lost or this.new:
            await in_thread(None, lambda: self._watch_new(this))
        if this.lost:
            return Lost()
        if not this.noticed and not this.refused and not this.placed:
            return None
        return Signs(tuple(this.noticed), tuple(this.refused), tuple(this.placed))

    def _take_placed(self, event: Event, after: Event, this: _Round) -> bool:
        """True for a file of ours that came to its name, to which no other program renamed one just after.

        The kernel tells of several renamings to one name in a row as of the first of them. It numbers all that there
        are, and one after the other those into one directory: where the next sign is of one into the same directory
        and has the next number, there was none in between.
        """
        watch = event.wd
        if watch not in this.prefixes:
            node = self._nodes.get(watch)
            this.prefixes[watch] = self._spelling(node) if node is not None else None
        prefix = this.prefixes[watch]
        coming = self._coming.forget(RelPath(prefix + event.name)) if prefix is not None else None
        if coming is None or after.wd != watch or after.cookie != event.cookie + 1:
            return False
        if this.begun_s - coming[1] > COMING_S:
            return False
        this.placed.append(coming[0])
        return True

    def _take(self, event: Event, this: _Round) -> None:
        watch, mask, cookie, name = event
        node = self._nodes.get(watch)
        if mask & OVERFLOW:
            this.lost = True
        elif node is None:
            if mask & IGNORED:
                self._unmake(watch)
                this.lost |= self._watching.locked()  # it may be one of which the placer is just about to tell
        elif mask & (IGNORED | UNMOUNT | SELF):
            this.ended |= node is self._top
            this.lost |= bool(mask & UNMOUNT)
            if mask & IGNORED:
                self._forget(node)
        elif node is self._top and name == OWN_DIRECTORY:
            return
        else:
            if mask & ISDIR and self._follow(node, mask, cookie, name, this):
                return
            for bits, how in _HOW_OF_DIRECTORIES if mask & ISDIR else _HOW_OF_FILES:
                if mask & bits and this.last.get((watch, name)) is not how:
                    this.last[watch, name] = how
                    self._tell(node, name, how, this)

    def _tell(self, node: _Node, name: str, how: How, this: _Round) -> None:
        prefix = self._spelling(node)
        if prefix is None:
            return
        try:
            this.noticed.append(Noticed(self._folder.spelled(prefix + name), how))
        except InvalidPath as error:
            this.refused.append(Refused(Problem(shown(prefix + name), Code(error.code)), how is not How.DELETED))

    def _follow(self, node: _Node, mask: int, cookie: int, name: str, this: _Round) -> bool:
        """Keep the tree as the directories are; True for one that the placer made, in which nothing goes unheard."""
        if mask & MOVED_FROM:
            moved = node.inside.pop(name, None)
            if moved is not None:
                moved.above = None
                self._moved[cookie] = moved
        elif mask & (MOVED_TO | CREATE):
            moved = self._moved.pop(cookie, None) or self._moved_before.pop(cookie, None) if cookie else None
            if moved is None and mask & CREATE and self._take_made(node, name):
                return True
            if moved is None or moved.made:  # what was watched may have been another one that took its name at once
                this.new.append((node, name))
            else:
                moved.name, moved.above = name, node
                node.inside[name] = moved
        return False

    def _take_made(self, above: _Node, name: str) -> bool:
        prefix = self._spelling(above)
        watch = self._made.pop(prefix + name, None) if prefix is not None and self._made else None
        if watch is None or watch in self._nodes:
            return False
        above.inside[name] = self._nodes[watch] = _Node(name, above, watch, made=True)
        return True

    def _spelling(self, node: _Node) -> str | None:
        """The directory's disk name relative to the folder, with a slash behind; None if it has none now."""
        names = []
        while node is not self._top:
            if node.above is None:
                return None
            names.append(node.name)
            node = node.above
        return "".join(f"{name}/" for name in reversed(names))

    # -- what the placer says -------------------------------------------------------------------------------------

    def made(self, directory: RelPath) -> None:
        """Watch it before it is filled, so that it need not be listed; unless a program was quicker to fill it."""
        where = self._folder.where(directory)
        with self._watching, contextlib.suppress(OSError, ValueError):  # ValueError: closed meanwhile
            if self._is_open and (watch := self._add_watch(where)) not in self._nodes and not os.listdir(where):
                self._made[self._folder.spelling(directory)] = watch

    def coming(self, paths: Sequence[RelPath]) -> None:
        since_s = time.monotonic()
        self._coming.renew({RelPath(self._folder.spelling(path)): (path, since_s) for path in paths}, ())

    def not_come(self, path: RelPath) -> None:
        self._coming.forget(RelPath(self._folder.spelling(path)))

    # -- watches --------------------------------------------------------------------------------------------------

    def _watch_new(self, this: _Round) -> None:
        if this.lost:
            self._watch_all()
            return
        for above, name in this.new:
            self._watch_tree(above, name)

    def _watch_all(self) -> None:
        """From scratch; watches of directories that still are there keep their numbers. Raises OSError."""
        before = set(self._nodes)
        with self._watching:
            self._nodes.clear()
            self._made.clear()
        self._coming.clear()
        self._moved.clear()
        self._moved_before.clear()
        self._top = _Node("", None)
        self._top.watch = self._inotify.add_watch(self._folder.root, WATCHED | SELF | int(flags.ONLYDIR))
        self._nodes[self._top.watch] = self._top
        for name in self._directories_in(self._top):
            self._watch_tree(self._top, name)
        for watch in before - set(self._nodes):
            self._unwatch(watch)

    def _watch_tree(self, above: _Node, name: str) -> None:
        """Watch a directory first and then list it, so that nothing made in it goes unseen."""
        todo = [(above, name)]
        while todo:
            above, name = todo.pop()
            prefix = self._spelling(above)
            if prefix is None or (not prefix and name == OWN_DIRECTORY):
                continue
            node = self._watch(above, name, os.path.join(self._folder.root, prefix + name))
            if node is not None:
                todo += [(node, inner) for inner in self._directories_in(node)]

    def _watch(self, above: _Node, name: str, where: str) -> _Node | None:
        """None where it is gone, may not be read, or the system allows no more watches."""
        with self._watching:
            try:
                watch = self._add_watch(where)
            except OSError as error:
                self.blind |= error.errno in (errno.ENOSPC, errno.ENOMEM)
                return None
            known = self._nodes.get(watch)
            if known is self._top:
                return None
            if known is not None:
                self._detach(known)
            self._unmake(watch)
            node = above.inside[name] = self._nodes[watch] = _Node(name, above, watch)
        return node

    def _add_watch(self, where: str) -> int:
        return int(self._inotify.add_watch(where, WATCHED | HOW_TO_WATCH))

    def _unmake(self, watch: int) -> None:
        """It is known already, or gone."""
        for name in [name for name, made in self._made.items() if made == watch]:
            del self._made[name]

    def _directories_in(self, node: _Node) -> list[str]:
        prefix = self._spelling(node)
        try:
            with os.scandir(os.path.join(self._folder.root, prefix or "")) as listed:
                return [entry.name for entry in listed if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return []

    def _drop_moved_away(self) -> None:
        """A directory that got no new name by the next reading left the folder."""
        for node in self._moved_before.values():
            self._drop(node)
        self._moved_before, self._moved = self._moved, {}

    def _drop(self, node: _Node) -> None:
        todo = [node]
        while todo:
            node = todo.pop()
            todo += node.inside.values()
            if self._nodes.get(node.watch) is node:
                del self._nodes[node.watch]
                self._unwatch(node.watch)

    def _unwatch(self, watch: int) -> None:
        with contextlib.suppress(OSError):  # its directory was deleted meanwhile
            self._inotify.rm_watch(watch)

    def _forget(self, node: _Node) -> None:
        del self._nodes[node.watch]
        self._detach(node)

    def _detach(self, node: _Node) -> None:
        if node.above is not None and node.above.inside.get(node.name) is node:
            del node.above.inside[node.name]

"""What the tests of the states are made from: both states behind one face, and small signed blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from p2psync.core.block import Block, Opening, SignedBlock, sign_block
from p2psync.core.change import Change
from p2psync.core.changelog import Stated
from p2psync.core.clock import Tip
from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import BlockHash, ChangeId, ContentId, DeviceId, LogId, MandateId, content_of
from p2psync.core.mark import POSTED, Mark, StatedMark
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.state import (
    BaseRow,
    DeviceState,
    LiveRow,
    LogRow,
    MandateState,
    PlacingRow,
    TodoKind,
    TodoRow,
    VersionRow,
)
from p2psync.sim.state import MemoryDeviceState
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState

MANDATE = MandateId(b"m" * 16)
OTHER = MandateId(b"o" * 16)
ANNA = DeviceId(b"a" * 32)
BERT = DeviceId(b"b" * 32)
LOG = LogId(b"l" * 16)
BERTS = LogId(b"k" * 16)
NOWHERE = BlockHash(b"n" * 32)


class Store(Protocol):
    """A device's state with its transactions."""

    @property
    def state(self) -> DeviceState: ...
    def transaction(self) -> AbstractContextManager[object]: ...
    def close(self) -> None: ...


class MemoryStore:
    def __init__(self) -> None:
        self.state = MemoryDeviceState()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.state.begin()
        try:
            yield
        except BaseException:
            self.state.rollback()
            raise
        self.state.commit()

    def close(self) -> None:
        pass


class SqliteStore:
    def __init__(self, path: Path) -> None:
        self.database = Database.open(path)
        self.state = SqliteDeviceState(self.database)

    def transaction(self) -> AbstractContextManager[object]:
        return self.database.transaction()

    def close(self) -> None:
        self.database.close()


class Crash(Exception):
    """What the tests raise to have a transaction undone."""


@contextmanager
def undone(store: Store) -> Iterator[None]:
    """A transaction that does not last."""
    with suppress(Crash), store.transaction():
        yield
        raise Crash


def path(text: str) -> RelPath:
    return RelPath(text)


def file(text: str, size: int | None = None) -> Entry:
    """A file that holds this text, said to be of any size."""
    data = text.encode()
    return Entry(Kind.FILE, len(data) if size is None else size, 1_700_000_000_000_000_000, 0, content_of(data))


def content(text: str) -> ContentId:
    return content_of(text.encode())


def version(where: str, text: str, kept_ms: int, change: ChangeId | None = None) -> VersionRow:
    return VersionRow(path(where), content(text), 1, 2, kept_ms, "replaced", ANNA if change else None, change)


A, B, C = path("a"), path("b"), path("c")


class Author:
    """A device that writes one log into a state, as the engine would."""

    def __init__(
        self,
        state: MandateState,
        log: LogId = LOG,
        device: DeviceId = ANNA,
        file_class: str = "",
        mandate: MandateId = MANDATE,
    ):
        self.state = state
        self.log = log
        self.device = device
        self.file_class = file_class
        self.mandate = mandate
        self.last: SignedBlock | None = None
        state.add_log(LogRow(log, device, file_class))

    def block(
        self, changes: Sequence[Change] = (), tips: tuple[BlockHash, ...] = (), marks: tuple[Mark, ...] = ()
    ) -> SignedBlock:
        """The next block of the log, taken in."""
        seq = self.last.block.seq + 1 if self.last else 1
        prev = self.last.hash if self.last else None
        opening = None if self.last else Opening(self.device, self.file_class)
        said = () if marks else tuple(changes) or (Change(path("filler"), file("filler"), ()),)
        self.last = sign_block(
            self.mandate, Block(self.log, seq, prev, 1000 + seq, (), opening, said, marks=marks), lambda _: bytes(64)
        )
        self.state.add_block(self.last, tips)
        return self.last

    def save(self, *changes: Change, accepted: bool = True) -> tuple[ChangeId, ...]:
        """A block with these changes, each as accepted as said; returns their ids."""
        stated = self.stated(self.block(changes))
        self.state.add_changes([(change, accepted) for change in stated])
        return tuple(change.id for change in stated)

    def mark(self, *marks: Mark, accepted: bool = True) -> tuple[ChangeId, ...]:
        """A block with these marks, each as accepted as said; returns their ids."""
        assert self.last is not None, "after a first block"
        block = self.block(marks=marks)
        rows = [
            (StatedMark(ChangeId(block.hash, at), self.device, m, at + 1, 7), accepted) for at, m in enumerate(marks)
        ]
        self.state.add_marks(rows)
        return tuple(row.id for row, _ in rows)

    def stated(self, block: SignedBlock, stamp: int = 1) -> list[Stated]:
        return [
            Stated(
                *(ChangeId(block.hash, index), self.device, c.path, c.entry, c.parents, c.settled),
                stamp=stamp,
                time_ms=block.block.time_ms,
            )
            for index, c in enumerate(block.block.changes)
        ]


def fill(state: MandateState, mandate: MandateId) -> None:
    """A row in every table."""
    author = Author(state, mandate=mandate)
    one, two = author.save(Change(A, file("1"), ()), Change(B, file("2"), ()))
    author.save(Change(B, file("3"), (two,)))
    author.save(Change(B, file("4"), (two,)), Change(C, file("5"), ()), accepted=False)
    state.put("folder", "/somewhere")
    state.put_tips({LOG: (Tip(1, NOWHERE),)}, LOG)
    state.put_bases([BaseRow(A, file("1"), FileStat(1, 2, 3), (one,)), BaseRow(B, file("2"), None, ())])
    state.put_live([LiveRow(A, file("1"), "a", 1), LiveRow(path("d/e"), file("1"), "D", 1)])
    state.add_todo([TodoRow(A, kind) for kind in TodoKind])
    state.begin_placing([PlacingRow(A, file("1"), (one,))])
    state.add_versions([version("a", "kept", 4, one)])
    state.put_problems([Problem("a", Code.LOCKED, "by a program")])
    author.mark(Mark(POSTED, A, content("1")))


def everything(state: MandateState) -> list[object]:
    """All answers about what `fill` wrote; all empty when nothing is there."""
    paths = [A, B, C, path("d/e"), path("new"), path("x/y"), path("x")]
    contents = [content(text) for text in ("1", "2", "3", "4", "5", "new", "kept", "lost")]
    return [
        *(state.get("folder"), state.logs(), state.tips(), list(state.parsed_blocks("")), state.blocks_of(LOG, 0)),
        *(state.heads(paths), state.is_known(paths), state.refused_count(), list(state.refused(9)), state.conflicted()),
        [found for c in contents for p in paths if (found := state.with_content(p, c))],
        [sources for c in contents if (sources := state.content_sources(c))],
        [classes for c in contents if (classes := state.content_classes(c))],
        *(state.bases(paths), list(state.all_bases())),
        *(state.live(paths), state.live_in_slots(["a", "D", "x/y"]), state.with_live_below(paths)),
        *(*state.live_totals(), *state.todo_totals()),
        *(state.todo(kind, None, 99) for kind in TodoKind),
        *(state.todo_rows(kind, paths) for kind in TodoKind),
        *(state.todo_count(kind) for kind in TodoKind),
        state.placing(),
        *([kept for p in paths if (kept := state.versions(p))], state.has_version(contents), state.problems()),
        [founders for p in paths if (founders := state.founders(p))],
        state.marks(),
    ]

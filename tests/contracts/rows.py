"""What the tests of the states are made from: both states behind one face, and small signed blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from p2psync.core.block import Block, Opening, SignedBlock, sign_block
from p2psync.core.change import Change
from p2psync.core.changelog import Stated
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import BlockHash, ChangeId, ContentId, DeviceId, LogId, MandateId, content_of
from p2psync.core.relpath import RelPath
from p2psync.engine.state import DeviceState, LogRow, MandateState, VersionRow
from p2psync.sim.state import MemoryDeviceState
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState

MANDATE = MandateId(b"m" * 16)
OTHER = MandateId(b"o" * 16)
ANNA = DeviceId(b"a" * 32)
BERT = DeviceId(b"b" * 32)
LOG = LogId(b"l" * 16)
BERTS = LogId(b"k" * 16)


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

    def block(self, changes: Sequence[Change] = (), tips: tuple[BlockHash, ...] = ()) -> SignedBlock:
        """The next block of the log, taken in."""
        seq = self.last.block.seq + 1 if self.last else 1
        prev = self.last.hash if self.last else None
        opening = None if self.last else Opening(self.device, self.file_class)
        changes = tuple(changes) or (Change(path("filler"), file("filler"), ()),)
        self.last = sign_block(
            self.mandate, Block(self.log, seq, prev, 1000 + seq, (), opening, changes), lambda _: bytes(64)
        )
        self.state.add_block(self.last, tips)
        return self.last

    def save(self, *changes: Change, accepted: bool = True) -> tuple[ChangeId, ...]:
        """A block with these changes, each as accepted as said; returns their ids."""
        stated = self.stated(self.block(changes))
        self.state.add_changes([(change, accepted) for change in stated])
        return tuple(change.id for change in stated)

    def stated(self, block: SignedBlock, stamp: int = 1) -> list[Stated]:
        return [
            Stated(
                *(ChangeId(block.hash, index), self.device, c.path, c.entry, c.parents, c.settled),
                stamp=stamp,
                time_ms=block.block.time_ms,
            )
            for index, c in enumerate(block.block.changes)
        ]

"""The state of a device in SQLite: the engine's port, put together from one part per table.

To be used inside of `Database.transaction`, by the thread that is in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set

from p2psync.core.block import Block, SignedBlock
from p2psync.core.changelog import Stated
from p2psync.core.clock import Tips
from p2psync.core.ids import BlockHash, ChangeId, ContentId, DeviceId, LogId, MandateId
from p2psync.core.mark import StatedMark
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.state import BaseRow, BlockRow, LiveRow, LogRow, PlacingRow, TodoKind, TodoRow, VersionRow
from p2psync.store.base import BaseRows
from p2psync.store.blocks import BlockRows, LogRows
from p2psync.store.changes import ChangeRows
from p2psync.store.database import Database
from p2psync.store.live import LiveRows
from p2psync.store.marks import MarkRows
from p2psync.store.numbers import Numbers
from p2psync.store.placing import PlacingRows
from p2psync.store.problems import ProblemRows
from p2psync.store.settings import SettingRows
from p2psync.store.todo import TodoRows
from p2psync.store.versions import VersionRows


class SqliteDeviceState:
    """A `DeviceState` whose rows survive."""

    def __init__(self, database: Database):
        self._database = database
        self._connection = database.connection

    def mandates(self) -> Sequence[MandateId]:
        return [MandateId(mandate) for (mandate,) in self._connection.execute("SELECT id FROM mandate ORDER BY id")]

    def mandate(self, mandate: MandateId) -> SqliteMandateState:
        """Raises KeyError for one that was not added."""
        return SqliteMandateState(self._database, mandate, self._number(mandate))

    def add_mandate(self, mandate: MandateId) -> SqliteMandateState:
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO mandate (id) VALUES (?)", (mandate,))
            connection.execute("INSERT INTO tally (mandate) VALUES (?)", (self._number(mandate),))
        return self.mandate(mandate)

    def remove_mandate(self, mandate: MandateId) -> None:
        """Its rows go with it in every table: each refers to it with ON DELETE CASCADE."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM mandate WHERE id = ?", (mandate,))

    def _number(self, mandate: MandateId) -> int:
        return mandate_number(self._connection, mandate)


class SqliteMandateState:
    """A `MandateState` whose rows survive; each table's part says how."""

    def __init__(self, database: Database, mandate: MandateId, number: int):
        connection = database.connection
        self._database = database
        self._undone = database.undone
        self._connection = connection
        self._number = number
        self._parts = _Parts(connection, mandate, number)

    @property
    def _rows(self) -> _Parts:
        """The rows of each table; what was undone is not remembered."""
        if self._undone != self._database.undone:
            self._undone = self._database.undone
            self._parts.forget()
        return self._parts

    # -- settings --------------------------------------------------------------------------------------
    def get(self, name: str) -> object:
        return self._rows.settings.get(name)

    def put(self, name: str, value: object) -> None:
        self._rows.settings.put(name, value)

    # -- logs and blocks -------------------------------------------------------------------------------
    def logs(self) -> Sequence[LogRow]:
        return self._rows.logs.all()

    def add_log(self, row: LogRow) -> None:
        self._rows.logs.add(row)

    def tips(self) -> Tips:
        return self._rows.logs.tips()

    def put_tips(self, tips: Tips, log: LogId) -> None:
        self._rows.logs.put_tips(log, tips.get(log, ()))

    def block(self, block: BlockHash) -> BlockRow | None:
        return self._rows.blocks.one(block)

    def add_block(self, block: SignedBlock, authority_tips: tuple[BlockHash, ...]) -> BlockRow:
        return self._rows.blocks.add(block, authority_tips)

    def raw_blocks(self, intakes: Sequence[int]) -> Sequence[bytes]:
        return self._rows.blocks.raw(intakes)

    def blocks_of(self, log: LogId, after_seq: int) -> Sequence[BlockRow]:
        return self._rows.blocks.of_log(log, after_seq)

    def parsed_blocks(self, file_class: str) -> Iterable[tuple[BlockRow, Block]]:
        return self._rows.blocks.parsed(file_class)

    # -- changes and heads -----------------------------------------------------------------------------
    def add_changes(self, changes: Sequence[tuple[Stated, bool]]) -> None:
        self._rows.changes.add(changes)

    def changes(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, Stated]:
        return self._rows.changes.by_id(ids)

    def heads(self, paths: Iterable[RelPath]) -> Mapping[RelPath, Sequence[Stated]]:
        return self._rows.changes.heads(paths)

    def judge_again(self, verdicts: Iterable[tuple[BlockHash, Sequence[bool]]]) -> set[RelPath]:
        several = dict(verdicts)
        self._rows.marks.judge_again(several)
        return self._rows.changes.judge_again(several.items())

    def with_content(self, path: RelPath, content: ContentId) -> Sequence[ChangeId]:
        return self._rows.changes.with_content(path, content)

    def founders(self, path: RelPath) -> Set[DeviceId]:
        return self._rows.changes.founders(path)

    def is_known(self, paths: Iterable[RelPath]) -> set[RelPath]:
        return self._rows.changes.is_known(paths)

    def head_totals(self, intakes: Iterable[int]) -> tuple[int, int]:
        return self._rows.changes.head_totals(intakes)

    def refused_count(self) -> int:
        return self._rows.changes.refused_count()

    def refused(self, limit: int) -> Sequence[Stated]:
        return self._rows.changes.refused(limit)

    def content_sources(self, content: ContentId) -> Sequence[RelPath]:
        return self._rows.bases.sources(content)

    def standing(self, contents: Iterable[ContentId]) -> Set[ContentId]:
        return self._rows.bases.sources_of(contents, limit=1).keys()

    def content_classes(self, content: ContentId) -> set[str]:
        classes = {row.file_class for row in self.logs()}
        return {file_class for file_class in classes if self._rows.changes.named_in(file_class, [content])}

    # -- marks -----------------------------------------------------------------------------------------
    def add_marks(self, marks: Sequence[tuple[StatedMark, bool]]) -> None:
        self._rows.marks.add(marks)

    def marks_by_id(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, StatedMark]:
        return self._rows.marks.by_id(ids)

    def marks(self, paths: Iterable[RelPath] | None = None) -> Sequence[tuple[StatedMark, bool]]:
        return self._rows.marks.of_paths(paths)

    # -- base, live paths ------------------------------------------------------------------------------
    def bases(self, paths: Iterable[RelPath]) -> Mapping[RelPath, BaseRow]:
        return self._rows.bases.get(paths)

    def put_bases(self, rows: Sequence[BaseRow]) -> None:
        self._rows.bases.put(rows)

    def drop_bases(self, paths: Iterable[RelPath]) -> None:
        self._rows.bases.drop(paths)

    def all_bases(self) -> Iterable[BaseRow]:
        return self._rows.bases.all()

    def live(self, paths: Iterable[RelPath]) -> Mapping[RelPath, LiveRow]:
        return self._rows.live.get(paths)

    def put_live(self, rows: Sequence[LiveRow]) -> None:
        self._rows.live.put(rows)

    def drop_live(self, paths: Iterable[RelPath]) -> None:
        self._rows.live.drop(paths)

    def with_live_below(self, paths: Iterable[RelPath]) -> Set[RelPath]:
        return self._rows.live.with_any_below(paths)

    def live_in_slots(self, slots: Iterable[str]) -> Mapping[str, Sequence[RelPath]]:
        return self._rows.live.in_slots(slots)

    def live_totals(self) -> tuple[int, int]:
        return self._rows.live.totals()

    def conflicted(self) -> Sequence[RelPath]:
        return self._rows.changes.conflicted()

    # -- what is to be done ----------------------------------------------------------------------------
    def add_todo(self, rows: Iterable[TodoRow]) -> None:
        self._rows.todo.add(rows)

    def drop_todo(self, kind: TodoKind, paths: Iterable[RelPath]) -> None:
        self._rows.todo.drop(kind, paths)

    def todo(self, kind: TodoKind, after: RelPath | None, limit: int) -> Sequence[TodoRow]:
        return self._rows.todo.after(kind, after, limit)

    def todo_rows(self, kind: TodoKind, paths: Iterable[RelPath]) -> Mapping[RelPath, TodoRow]:
        return self._rows.todo.get(kind, paths)

    def todo_count(self, kind: TodoKind) -> int:
        return self._rows.todo.count(kind)

    def todo_totals(self) -> tuple[int, int]:
        return self._rows.todo.totals()

    # -- placements in flight --------------------------------------------------------------------------
    def begin_placing(self, rows: Sequence[PlacingRow]) -> None:
        self._rows.placing.begin(rows)

    def end_placing(self, paths: Iterable[RelPath]) -> None:
        self._rows.placing.end(paths)

    def placing(self) -> Mapping[RelPath, PlacingRow]:
        return self._rows.placing.all()

    # -- versions, problems ----------------------------------------------------------------------------
    def add_versions(self, rows: Sequence[VersionRow]) -> None:
        self._rows.versions.add(rows)

    def versions(self, path: RelPath) -> Sequence[VersionRow]:
        return self._rows.versions.of_path(path)

    def has_version(self, contents: Iterable[ContentId]) -> set[ContentId]:
        return self._rows.versions.kept(contents)

    def drop_versions(self, contents: Iterable[ContentId]) -> None:
        self._rows.versions.drop(contents)

    def retain_versions(self, contents: Set[ContentId]) -> None:
        self._rows.versions.retain(contents)

    def put_problems(self, problems: Iterable[Problem]) -> None:
        self._rows.problems.put(problems)

    def clear_problems(self, paths: Iterable[str], codes: Iterable[str] | None = None) -> None:
        self._rows.problems.clear(paths, codes)

    def problems(self) -> Sequence[Problem]:
        return self._rows.problems.all()


class _Parts:
    """The rows of one mandate, table by table."""

    def __init__(self, connection: sqlite3.Connection, mandate: MandateId, number: int):
        numbers = Numbers(connection, number)
        self.settings = SettingRows(connection, number)
        self.logs = LogRows(connection, number)
        self.blocks = BlockRows(connection, number, mandate, numbers)
        self.changes = ChangeRows(connection, number, numbers)
        self.marks = MarkRows(connection, number, numbers)
        self.bases = BaseRows(connection, number, numbers)
        self.live = LiveRows(connection, number)
        self.todo = TodoRows(connection, number)
        self.placing = PlacingRows(connection, number)
        self.versions = VersionRows(connection, number)
        self.problems = ProblemRows(connection, number)
        self._numbers = numbers

    def forget(self) -> None:
        """What was read or written lately may be otherwise: a transaction was undone."""
        for part in (self._numbers, self.settings, self.logs, self.blocks, self.changes, self.bases, self.live):
            part.forget()
        for other in (self.todo, self.placing, self.problems):
            other.forget()


def mandate_number(connection: sqlite3.Connection, mandate: MandateId) -> int:
    """The number by which every table names a mandate. Raises KeyError for one that was not added."""
    found = connection.execute("SELECT number FROM mandate WHERE id = ?", (mandate,)).fetchone()
    if found is None:
        raise KeyError(mandate)
    return int(found[0])

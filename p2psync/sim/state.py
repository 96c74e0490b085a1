"""The rows of a device in plain dicts: the simulator's database, and that of the engine's unit tests.

Every value in a table is immutable and every table is written through one journal, so that a simulated
crash (`rollback`) costs what was written since `begin`, not a copy of everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import msgpack

from p2psync.core.block import Block, SignedBlock, parse_block
from p2psync.core.changelog import Stated
from p2psync.core.changelog import heads as heads_among
from p2psync.core.clock import Tip, Tips
from p2psync.core.entry import Kind
from p2psync.core.ids import BlockHash, ChangeId, ContentId, DeviceId, LogId, MandateId
from p2psync.core.mark import StatedMark
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.state import BaseRow, BlockRow, LiveRow, LogRow, PlacingRow, TodoKind, TodoRow, VersionRow

PROBLEMS_MAX = 10_000

K = TypeVar("K")
V = TypeVar("V")
_MISSING: Any = object()


class MemoryDeviceState:
    """A `DeviceState` without a disk; writes outside of a transaction are kept at once."""

    def __init__(self) -> None:
        self._journal = _Journal()
        self._mandates: dict[MandateId, MemoryMandateState] = {}

    def begin(self) -> None:
        self._journal.begin()

    def commit(self) -> None:
        self._journal.commit()

    def rollback(self) -> None:
        """Forget everything written since `begin`, as a crash would."""
        self._journal.rollback()
        for state in self._mandates.values():
            state.forget_derived()

    def copy(self) -> MemoryDeviceState:
        """What a backup of this database holds: independent of it from then on."""
        assert not self._journal.is_open, "a backup is made between transactions"
        twin = MemoryDeviceState()
        for mandate, state in self._mandates.items():
            twin._mandates[mandate] = MemoryMandateState(mandate, twin._journal, state.copied_tables())
        return twin

    def mandates(self) -> Sequence[MandateId]:
        return sorted(self._mandates)

    def mandate(self, mandate: MandateId) -> MemoryMandateState:
        """Raises KeyError for one that was not added."""
        return self._mandates[mandate]

    def add_mandate(self, mandate: MandateId) -> MemoryMandateState:
        assert mandate not in self._mandates, "a mandate is added once"
        self._journal.put(self._mandates, mandate, MemoryMandateState(mandate, self._journal, _Tables()))
        return self._mandates[mandate]

    def remove_mandate(self, mandate: MandateId) -> None:
        self._journal.drop(self._mandates, mandate)


class _Journal:
    """What to put back, newest last, if the transaction is rolled back."""

    def __init__(self) -> None:
        self._undo: list[tuple[dict[Any, Any], Any, Any]] | None = None

    @property
    def is_open(self) -> bool:
        return self._undo is not None

    def begin(self) -> None:
        assert self._undo is None, "transactions do not nest"
        self._undo = []

    def commit(self) -> None:
        assert self._undo is not None, "nothing was begun"
        self._undo = None

    def rollback(self) -> None:
        assert self._undo is not None, "nothing was begun"
        for table, key, value in reversed(self._undo):
            if value is _MISSING:
                table.pop(key, None)
            else:
                table[key] = value
        self._undo = None

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        if self._undo is not None:
            self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> None:
        value = table.pop(key, _MISSING)
        if self._undo is not None and value is not _MISSING:
            self._undo.append((table, key, value))

    def put_in(self, table: dict[K, dict[V, bool]], key: K, member: V) -> None:
        """Add a member to the set kept under a key, itself a dict so that it is not copied."""
        if key not in table:
            self.put(table, key, {})
        self.put(table[key], member, True)


@dataclass(slots=True)
class _Tables:
    settings: dict[str, bytes] = field(default_factory=dict)
    logs: dict[LogId, LogRow] = field(default_factory=dict)
    tips: dict[LogId, tuple[Tip, ...]] = field(default_factory=dict)
    blocks: dict[BlockHash, BlockRow] = field(default_factory=dict)
    raw: dict[int, bytes] = field(default_factory=dict)
    of_log: dict[LogId, dict[BlockHash, bool]] = field(default_factory=dict)
    changes: dict[ChangeId, Stated] = field(default_factory=dict)
    accepted: dict[ChangeId, bool] = field(default_factory=dict)
    of_path: dict[RelPath, dict[ChangeId, bool]] = field(default_factory=dict)
    stating: dict[ContentId, dict[ChangeId, bool]] = field(default_factory=dict)
    marks: dict[ChangeId, tuple[StatedMark, bool]] = field(default_factory=dict)
    bases: dict[RelPath, BaseRow] = field(default_factory=dict)
    sources: dict[ContentId, dict[RelPath, bool]] = field(default_factory=dict)
    live: dict[RelPath, LiveRow] = field(default_factory=dict)
    slots: dict[str, dict[RelPath, bool]] = field(default_factory=dict)
    below: dict[str, int] = field(default_factory=dict)
    """How many live paths lie under each directory."""
    todo: dict[TodoKind, dict[RelPath, TodoRow]] = field(default_factory=lambda: {kind: {} for kind in TodoKind})
    placing: dict[RelPath, PlacingRow] = field(default_factory=dict)
    versions: dict[RelPath, tuple[VersionRow, ...]] = field(default_factory=dict)
    kept: dict[ContentId, bool] = field(default_factory=dict)
    problems: dict[tuple[str, str], Problem] = field(default_factory=dict)

    def copy(self) -> _Tables:
        return _Tables(**{f.name: _copied(getattr(self, f.name)) for f in fields(self)})


def _copied(table: dict[Any, Any]) -> dict[Any, Any]:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in table.items()}


class MemoryMandateState:
    """A `MandateState` without a disk."""

    def __init__(self, mandate: MandateId, journal: _Journal, tables: _Tables) -> None:
        self._mandate = mandate
        self._journal = journal
        self._tables = tables
        self._heads: dict[RelPath, tuple[Stated, ...]] = {}
        """Computed before and asked for again; never written to otherwise."""

    def forget_derived(self) -> None:
        self._heads.clear()

    def copied_tables(self) -> _Tables:
        return self._tables.copy()

    # -- settings --------------------------------------------------------------------------------------
    def get(self, name: str) -> object:
        packed = self._tables.settings.get(name)
        value: object = None if packed is None else msgpack.unpackb(packed, strict_map_key=False)
        return value

    def put(self, name: str, value: object) -> None:
        self._journal.put(self._tables.settings, name, msgpack.packb(value))

    # -- logs and blocks -------------------------------------------------------------------------------
    def logs(self) -> Sequence[LogRow]:
        return sorted(self._tables.logs.values(), key=lambda row: row.log)

    def add_log(self, row: LogRow) -> None:
        assert row.log not in self._tables.logs, "a log is added once"
        self._journal.put(self._tables.logs, row.log, row)

    def tips(self) -> Tips:
        return {log: self._tables.tips[log] for log in sorted(self._tables.tips)}

    def put_tips(self, tips: Tips, log: LogId) -> None:
        if tips.get(log):
            self._journal.put(self._tables.tips, log, tuple(sorted(tips[log])))
        else:
            self._journal.drop(self._tables.tips, log)

    def block(self, block: BlockHash) -> BlockRow | None:
        return self._tables.blocks.get(block)

    def add_block(self, block: SignedBlock, authority_tips: tuple[BlockHash, ...]) -> BlockRow:
        assert block.hash not in self._tables.blocks, "a block is added once"
        assert block.block.log in self._tables.logs, "a block's log is added before it"
        inner = block.block
        intake = len(self._tables.raw) + 1
        row = BlockRow(intake, block.hash, inner.log, inner.seq, inner.prev, len(block.raw), authority_tips)
        self._journal.put(self._tables.blocks, block.hash, row)
        self._journal.put(self._tables.raw, intake, block.raw)
        self._journal.put_in(self._tables.of_log, inner.log, block.hash)
        return row

    def raw_blocks(self, intakes: Sequence[int]) -> Sequence[bytes]:
        return [self._tables.raw[intake] for intake in intakes]

    def blocks_of(self, log: LogId, after_seq: int) -> Sequence[BlockRow]:
        rows = (self._tables.blocks[block] for block in self._tables.of_log.get(log, ()))
        return sorted((row for row in rows if row.seq > after_seq), key=lambda row: row.intake)

    def parsed_blocks(self, file_class: str) -> Iterable[tuple[BlockRow, Block]]:
        logs = [row.log for row in self._tables.logs.values() if row.file_class == file_class]
        rows = [self._tables.blocks[block] for log in logs for block in self._tables.of_log.get(log, ())]
        for row in sorted(rows, key=lambda row: row.intake):
            yield row, parse_block(self._mandate, self._tables.raw[row.intake]).block

    # -- changes and heads -----------------------------------------------------------------------------
    def add_changes(self, changes: Sequence[tuple[Stated, bool]]) -> None:
        for change, accepted in changes:
            assert change.id not in self._tables.changes, "a change is added once"
            self._journal.put(self._tables.changes, change.id, change)
            self._journal.put(self._tables.accepted, change.id, accepted)
            self._journal.put_in(self._tables.of_path, change.path, change.id)
            if change.entry.content is not None:
                self._journal.put_in(self._tables.stating, change.entry.content, change.id)
            self._heads.pop(change.path, None)

    def changes(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, Stated]:
        return {i: self._tables.changes[i] for i in ids if i in self._tables.changes}

    def all_changes(self) -> Sequence[Stated]:
        """For the simulator's checkers."""
        return list(self._tables.changes.values())

    def is_accepted(self, change: ChangeId) -> bool:
        return self._tables.accepted[change]

    def heads(self, paths: Iterable[RelPath]) -> Mapping[RelPath, Sequence[Stated]]:
        return {path: found for path in paths if (found := self._heads_of(path))}

    def _heads_of(self, path: RelPath) -> tuple[Stated, ...]:
        if path not in self._heads:
            changes = [self._tables.changes[i] for i in self._tables.of_path.get(path, ())]
            found = heads_among(changes, self._tables.accepted.__getitem__)
            self._heads[path] = tuple(self._tables.changes[i] for i in sorted(found))
        return self._heads[path]

    def judge_again(self, verdicts: Iterable[tuple[BlockHash, Sequence[bool]]]) -> set[RelPath]:
        touched = set()
        for block, accepted in verdicts:
            for index, verdict in enumerate(accepted):
                change = ChangeId(block, index)
                if change in self._tables.marks:
                    self._journal.put(self._tables.marks, change, (self._tables.marks[change][0], verdict))
                elif self._tables.accepted.get(change, verdict) != verdict:
                    self._journal.put(self._tables.accepted, change, verdict)
                    touched.add(self._tables.changes[change].path)
        for path in touched:
            self._heads.pop(path, None)
        return touched

    def with_content(self, path: RelPath, content: ContentId) -> Sequence[ChangeId]:
        found = (i for i in self._accepted_of(path) if self._tables.changes[i].entry.content == content)
        return sorted(found, key=lambda i: (self._tables.blocks[i.block].intake, i.position))

    def is_known(self, paths: Iterable[RelPath]) -> set[RelPath]:
        return {path for path in paths if any(True for _ in self._accepted_of(path))}

    def founders(self, path: RelPath) -> Set[DeviceId]:
        return {self._tables.changes[i].author for i in self._accepted_of(path) if self._tables.changes[i].stamp == 1}

    def _accepted_of(self, path: RelPath) -> Iterable[ChangeId]:
        return (i for i in self._tables.of_path.get(path, ()) if self._tables.accepted[i])

    def head_totals(self, intakes: Iterable[int]) -> tuple[int, int]:
        wanted = set(intakes)
        blocks = {row.hash for row in self._tables.blocks.values() if row.intake in wanted}
        stated = [change for i, change in self._tables.changes.items() if i.block in blocks]
        sizes = [change.entry.size for change in stated if change in self._heads_of(change.path)]
        return (len(sizes), sum(sizes))

    def refused_count(self) -> int:
        return sum(not accepted for accepted in self._tables.accepted.values())

    def refused(self, limit: int) -> Sequence[Stated]:
        found = [i for i, accepted in self._tables.accepted.items() if not accepted]
        found.sort(key=lambda i: (self._tables.blocks[i.block].intake, i.position), reverse=True)
        return [self._tables.changes[i] for i in found[:limit]]

    def content_sources(self, content: ContentId) -> Sequence[RelPath]:
        return sorted(self._tables.sources.get(content, ()))

    def standing(self, contents: Iterable[ContentId]) -> Set[ContentId]:
        return {content for content in contents if self._tables.sources.get(content)}

    def content_classes(self, content: ContentId) -> set[str]:
        stating = (i for i in self._tables.stating.get(content, ()) if self._tables.accepted[i])
        return {self._tables.logs[self._tables.blocks[i.block].log].file_class for i in stating}

    # -- marks -----------------------------------------------------------------------------------------
    def add_marks(self, marks: Sequence[tuple[StatedMark, bool]]) -> None:
        for one, accepted in marks:
            assert one.id not in self._tables.marks, "a mark is added once"
            self._journal.put(self._tables.marks, one.id, (one, accepted))

    def marks_by_id(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, StatedMark]:
        return {i: self._tables.marks[i][0] for i in ids if i in self._tables.marks}

    def marks(self, paths: Iterable[RelPath] | None = None) -> Sequence[tuple[StatedMark, bool]]:
        wanted = None if paths is None else set(paths)
        found = (self._tables.marks[i] for i in sorted(self._tables.marks))
        return [pair for pair in found if wanted is None or pair[0].mark.path in wanted]

    # -- base, live paths ------------------------------------------------------------------------------
    def bases(self, paths: Iterable[RelPath]) -> Mapping[RelPath, BaseRow]:
        return {path: self._tables.bases[path] for path in paths if path in self._tables.bases}

    def put_bases(self, rows: Sequence[BaseRow]) -> None:
        for row in rows:
            self._unlist_source(row.path)
            self._journal.put(self._tables.bases, row.path, row)
            if row.entry.content is not None:
                self._journal.put_in(self._tables.sources, row.entry.content, row.path)

    def drop_bases(self, paths: Iterable[RelPath]) -> None:
        for path in paths:
            self._unlist_source(path)
            self._journal.drop(self._tables.bases, path)

    def _unlist_source(self, path: RelPath) -> None:
        before = self._tables.bases.get(path)
        if before is not None and before.entry.content is not None:
            self._journal.drop(self._tables.sources[before.entry.content], path)

    def all_bases(self) -> Iterable[BaseRow]:
        for path in sorted(self._tables.bases):
            if path in self._tables.bases:
                yield self._tables.bases[path]

    def live(self, paths: Iterable[RelPath]) -> Mapping[RelPath, LiveRow]:
        return {path: self._tables.live[path] for path in paths if path in self._tables.live}

    def put_live(self, rows: Sequence[LiveRow]) -> None:
        for row in rows:
            self.drop_live((row.path,))
            self._journal.put(self._tables.live, row.path, row)
            self._journal.put_in(self._tables.slots, row.slot, row.path)
            self._count_below(row.path, 1)

    def drop_live(self, paths: Iterable[RelPath]) -> None:
        for path in paths:
            if path in self._tables.live:
                self._journal.drop(self._tables.slots[self._tables.live[path].slot], path)
                self._journal.drop(self._tables.live, path)
                self._count_below(path, -1)

    def _count_below(self, path: RelPath, step: int) -> None:
        directory = path.rpartition("/")[0]
        while directory:
            self._journal.put(self._tables.below, directory, self._tables.below.get(directory, 0) + step)
            directory = directory.rpartition("/")[0]

    def with_live_below(self, paths: Iterable[RelPath]) -> Set[RelPath]:
        return {path for path in paths if self._tables.below.get(path, 0) > 0}

    def live_in_slots(self, slots: Iterable[str]) -> Mapping[str, Sequence[RelPath]]:
        return {slot: sorted(paths) for slot in slots if (paths := self._tables.slots.get(slot))}

    def live_totals(self) -> tuple[int, int]:
        sizes = [row.entry.size for row in self._tables.live.values() if row.entry.kind == Kind.FILE]
        return len(sizes), sum(sizes)

    def conflicted(self) -> Sequence[RelPath]:
        return sorted(path for path in self._tables.of_path if len(self._heads_of(path)) > 1)

    # -- what is to be done ----------------------------------------------------------------------------
    def add_todo(self, rows: Iterable[TodoRow]) -> None:
        for row in rows:
            self._journal.put(self._tables.todo[row.kind], row.path, row)

    def drop_todo(self, kind: TodoKind, paths: Iterable[RelPath]) -> None:
        for path in paths:
            self._journal.drop(self._tables.todo[kind], path)

    def todo(self, kind: TodoKind, after: RelPath | None, limit: int) -> Sequence[TodoRow]:
        rows = self._tables.todo[kind]
        return [rows[path] for path in sorted(rows) if after is None or path > after][:limit]

    def todo_rows(self, kind: TodoKind, paths: Iterable[RelPath]) -> Mapping[RelPath, TodoRow]:
        rows = self._tables.todo[kind]
        return {path: rows[path] for path in paths if path in rows}

    def todo_count(self, kind: TodoKind) -> int:
        return len(self._tables.todo[kind])

    def todo_totals(self) -> tuple[int, int]:
        rows = self.live(self._tables.todo[TodoKind.PLACE]).values()
        sizes = [row.entry.size for row in rows if row.entry.kind == Kind.FILE]
        return len(sizes), sum(sizes)

    # -- placements in flight --------------------------------------------------------------------------
    def begin_placing(self, rows: Sequence[PlacingRow]) -> None:
        for row in rows:
            self._journal.put(self._tables.placing, row.path, row)

    def end_placing(self, paths: Iterable[RelPath]) -> None:
        for path in paths:
            self._journal.drop(self._tables.placing, path)

    def placing(self) -> Mapping[RelPath, PlacingRow]:
        return dict(self._tables.placing)

    # -- versions, problems ----------------------------------------------------------------------------
    def add_versions(self, rows: Sequence[VersionRow]) -> None:
        for row in rows:
            self._journal.put(self._tables.versions, row.path, (*self._tables.versions.get(row.path, ()), row))
            self._journal.put(self._tables.kept, row.content, True)

    def versions(self, path: RelPath) -> Sequence[VersionRow]:
        return sorted(reversed(self._tables.versions.get(path, ())), key=lambda row: -row.kept_ms)

    def has_version(self, contents: Iterable[ContentId]) -> set[ContentId]:
        return {content for content in contents if content in self._tables.kept}

    def drop_versions(self, contents: Iterable[ContentId]) -> None:
        gone = set(contents)
        for path, rows in list(self._tables.versions.items()):
            left = tuple(row for row in rows if row.content not in gone)
            if left != rows:
                self._journal.put(self._tables.versions, path, left)
        for content in gone:
            self._journal.drop(self._tables.kept, content)

    def retain_versions(self, contents: Set[ContentId]) -> None:
        self.drop_versions([c for c in self._tables.kept if c not in contents])

    def put_problems(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._journal.put(self._tables.problems, (problem.path, problem.code), problem)

    def clear_problems(self, paths: Iterable[str], codes: Iterable[str] | None = None) -> None:
        asked = set(paths)
        cleared = None if codes is None else set(codes)
        for path, code in list(self._tables.problems):
            if path in asked and (cleared is None or code in cleared):
                self._journal.drop(self._tables.problems, (path, code))

    def problems(self) -> Sequence[Problem]:
        return sorted(self._tables.problems.values())[:PROBLEMS_MAX]

"""Whatever is done to them, the state in SQLite, the one in dicts, and the pure definition of heads agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.block import Block, Opening, SignedBlock, sign_block
from p2psync.core.change import Change
from p2psync.core.changelog import Stated
from p2psync.core.changelog import heads as heads_among
from p2psync.core.clock import Tip
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry, FileStat
from p2psync.core.ids import BlockHash, ChangeId, DeviceId, LogId, MandateId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.state import BaseRow, LiveRow, LogRow, MandateState, PlacingRow, TodoKind, TodoRow
from tests.contracts.rows import MemoryStore, SqliteStore, Store, content, file, path, undone, version

PATHS = [path(p) for p in ("a", "a.b", "a/b", "a/b/c", "A", "e\u0301")]
TEXTS = ["", "1", "22"]
FILES = [file(text) for text in TEXTS]
LOGS = [
    LogRow(LogId(bytes([n]) * 16), DeviceId(bytes([n]) * 32), file_class)
    for n, file_class in enumerate(["", "payroll", ""])
]

paths = st.sampled_from(PATHS)
some_paths = st.lists(paths, max_size=4)
entries = st.sampled_from([ABSENT, EMPTY_DIRECTORY, *FILES])
live_entries = st.sampled_from([EMPTY_DIRECTORY, *FILES])
picks = st.lists(st.integers(0, 9), max_size=3)
"""Numbers that pick among the changes there are."""
todo_kinds = st.sampled_from(TodoKind)


@dataclass
class World:
    """What both states were told, in the order in which they were."""

    mandate: MandateId
    changes: list[tuple[Stated, bool]] = field(default_factory=list)
    blocks: list[SignedBlock] = field(default_factory=list)

    def picked(self, numbers: list[int], where: str | None = None) -> tuple[ChangeId, ...]:
        """Changes, each once; of a path if one is named."""
        ids = [c.id for c, _ in self.changes if where is None or c.path == where]
        return tuple(dict.fromkeys(ids[n % len(ids)] for n in numbers if ids))

    def expected_heads(self) -> dict[str, list[ChangeId]]:
        accepted = {c.id: verdict for c, verdict in self.changes}
        by_path = {p: [c for c, _ in self.changes if c.path == p] for p in PATHS}
        found = {p: sorted(heads_among(many, accepted.__getitem__)) for p, many in by_path.items()}
        return {p: ids for p, ids in found.items() if ids}


Step = Callable[[World, list[MandateState]], None]
"""Does one thing to all states alike."""


@st.composite
def saves(draw: st.DrawFn) -> Step:
    """A block of one to four changes of different paths, of which some may lie about what they replace."""
    log = draw(st.sampled_from(LOGS))
    row = st.tuples(paths, entries, picks, picks, st.booleans())
    rows = draw(st.lists(row, min_size=1, max_size=4, unique_by=lambda r: r[0]))
    lies = draw(st.booleans())

    def save(world: World, states: list[MandateState]) -> None:
        changes = tuple(
            Change(p, entry, world.picked(parents, None if lies else p), world.picked(settled, p))
            for p, entry, parents, settled, _ in rows
        )
        before = [b for b in world.blocks if b.block.log == log.log][-1:]
        opening = None if before else Opening(log.device, log.file_class)
        seq, prev = (before[0].block.seq + 1, before[0].hash) if before else (1, None)
        signed = sign_block(world.mandate, Block(log.log, seq, prev, 5, (), opening, changes), lambda _: bytes(64))
        made = [
            (Stated(ChangeId(signed.hash, i), log.device, c.path, c.entry, c.parents, c.settled, 1 + i, 5), row[-1])
            for i, (c, row) in enumerate(zip(changes, rows, strict=True))
        ]
        for state in states:
            if not before:
                state.add_log(log)
            state.add_block(signed, (signed.hash,) * (len(changes) - 1))
            state.add_changes(made)
            state.put_tips({log.log: (Tip(seq, signed.hash),)}, log.log)
        world.blocks.append(signed)
        world.changes += made

    return save


@st.composite
def judgements(draw: st.DrawFn) -> Step:
    flips = draw(st.lists(st.tuples(st.integers(0, 9), st.lists(st.booleans(), min_size=4, max_size=4)), max_size=3))

    def judge(world: World, states: list[MandateState]) -> None:
        verdicts: dict[BlockHash, list[bool]] = {}
        for number, bits in flips:
            if world.blocks:
                block = world.blocks[number % len(world.blocks)]
                verdicts[block.hash] = bits[: len(block.block.changes)]
        flipped = {
            change.path
            for change, before in world.changes
            if change.id.block in verdicts and verdicts[change.id.block][change.id[1]] != before
        }
        for state in states:
            assert state.judge_again(verdicts.items()) == flipped
        world.changes = [
            (change, verdicts[change.id.block][change.id[1]] if change.id.block in verdicts else before)
            for change, before in world.changes
        ]

    return judge


def each(act: Callable[[MandateState], object]) -> Step:
    def do(world: World, states: list[MandateState]) -> None:
        for state in states:
            act(state)

    return do


def bases(rows: list[tuple[RelPath, Entry, list[int], bool]]) -> Step:
    def put(world: World, states: list[MandateState]) -> None:
        known = FileStat(1, 2, 2**63 + 5)
        made = [BaseRow(p, entry, known if stat else None, world.picked(heads)) for p, entry, heads, stat in rows]
        for state in states:
            state.put_bases(made)

    return put


def placements(rows: list[tuple[RelPath, Entry, list[int]]]) -> Step:
    def begin(world: World, states: list[MandateState]) -> None:
        for state in states:
            state.begin_placing([PlacingRow(p, entry, world.picked(heads)) for p, entry, heads in rows])

    return begin


live_rows = st.builds(LiveRow, paths, live_entries, st.sampled_from(["a", "é", "a/b", "s"]), st.integers(1, 3))
version_rows = st.builds(version, paths, st.sampled_from(TEXTS), st.integers(0, 2))
problems = st.builds(Problem, paths, st.sampled_from([Code.LOCKED, Code.DISK_FULL]), st.text(max_size=2))
values = st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=3)

looks = st.just(each(lambda s: s.heads(PATHS)))
"""What was looked at in a transaction that did not last must not be remembered."""
GROUPS: dict[str, st.SearchStrategy[Step]] = {
    "heads": st.one_of(saves(), saves(), judgements(), looks),
    "base": st.one_of(
        saves(),
        st.lists(st.tuples(paths, entries, picks, st.booleans()), min_size=1, max_size=4).map(bases),
        some_paths.map(lambda ps: each(lambda s: s.drop_bases(ps))),
    ),
    "live and todo": st.one_of(
        st.lists(live_rows, min_size=1, max_size=4).map(lambda rows: each(lambda s: s.put_live(rows))),
        some_paths.map(lambda ps: each(lambda s: s.drop_live(ps))),
        st.lists(st.builds(TodoRow, paths, todo_kinds), max_size=4).map(lambda rows: each(lambda s: s.add_todo(rows))),
        st.tuples(todo_kinds, some_paths).map(lambda t: each(lambda s: s.drop_todo(*t))),
    ),
    "placing": st.one_of(
        st.lists(st.tuples(paths, entries, picks), max_size=4).map(placements),
        some_paths.map(lambda ps: each(lambda s: s.end_placing(ps))),
    ),
    "the rest": st.one_of(
        st.lists(version_rows, max_size=3).map(lambda rows: each(lambda s: s.add_versions(rows))),
        st.lists(problems, max_size=3).map(lambda rows: each(lambda s: s.put_problems(rows))),
        some_paths.map(lambda ps: each(lambda s: s.clear_problems(ps, [Code.LOCKED] if len(ps) % 2 else None))),
        st.tuples(st.sampled_from("xy"), values).map(lambda t: each(lambda s: s.put(*t))),
    ),
}
GROUPS["all"] = st.one_of(*GROUPS.values())


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path_factory.mktemp("agree") / "state.db")
    yield store
    store.close()


numbers = count()


@pytest.mark.parametrize("group", GROUPS)
@settings(max_examples=80)
@given(data=st.data())
def test_the_states_agree_with_each_other_and_with_the_definition(
    sqlite: SqliteStore, group: str, data: st.DataObject
) -> None:
    steps = st.lists(GROUPS[group], min_size=3, max_size=12)
    many = data.draw(st.lists(st.tuples(st.booleans(), steps), min_size=1, max_size=3))
    mandate = MandateId(next(numbers).to_bytes(16))
    stores: list[Store] = [MemoryStore(), sqlite]
    states = [store.state.add_mandate(mandate) for store in stores]
    world = World(mandate)
    for lasts, todo in many:
        tried = replace(world, changes=list(world.changes), blocks=list(world.blocks))
        with ExitStack() as open_transactions:
            for store in stores:
                open_transactions.enter_context(store.transaction() if lasts else undone(store))
            for step in todo:
                step(tried, states)
        world = tried if lasts else world
        expect_agreement(world, states)


def expect_agreement(world: World, states: list[MandateState]) -> None:
    for state in states:
        assert {p: [h.id for h in found] for p, found in state.heads(PATHS).items()} == world.expected_heads()
    in_dicts, in_sqlite = (observed(world, state) for state in states)
    for name, value in in_dicts.items():
        assert in_sqlite[name] == value, name


def observed(world: World, state: MandateState) -> dict[str, object]:
    """All that a state can be asked."""
    texts = [content(text) for text in TEXTS]
    rows = [row for log in LOGS for row in state.blocks_of(log.log, 0)]
    order = sorted(row.intake for row in rows)
    return {
        "settings": [state.get(name) for name in "xyz"],
        "logs": state.logs(),
        "tips": state.tips(),
        "blocks": [replace(row, intake=order.index(row.intake)) for row in rows],
        "later blocks": [[row.hash for row in state.blocks_of(log.log, 1)] for log in LOGS],
        "raw": state.raw_blocks(order),
        "parsed": [[block for _, block in state.parsed_blocks(c)] for c in ("", "payroll")],
        "changes": state.changes([c.id for c, _ in world.changes]),
        "heads": {p: list(found) for p, found in state.heads(PATHS).items()},
        "with content": [list(state.with_content(p, text)) for p in PATHS for text in texts],
        "known": state.is_known(PATHS),
        "head totals": [state.head_totals([intake]) for intake in order],
        "refused": state.refused_count(),
        "refused changes": {one.id for one in state.refused(1000)},
        "conflicted": list(state.conflicted()),
        "sources": [list(state.content_sources(text)) for text in texts],
        "classes": [state.content_classes(text) for text in texts],
        "bases": state.bases(PATHS),
        "all bases": list(state.all_bases()),
        "live": state.live(PATHS),
        "below": state.with_live_below(PATHS),
        "slots": state.live_in_slots(["a", "é", "s", *PATHS]),
        "totals": (state.live_totals(), state.todo_totals()),
        "todo": [state.todo(kind, after, 2) for kind in TodoKind for after in (None, *PATHS)],
        "todo rows": [state.todo_rows(kind, PATHS) for kind in TodoKind],
        "placing": state.placing(),
        "todo counts": [state.todo_count(kind) for kind in TodoKind],
        "versions": [list(state.versions(p)) for p in PATHS],
        "kept": state.has_version(texts),
        "problems": list(state.problems()),
    }

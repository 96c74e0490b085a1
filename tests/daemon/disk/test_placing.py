"""Disk work that the engine asks for: every effect is answered, whatever the disk says."""

from __future__ import annotations

import errno
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import BlockHash, ChangeId, MandateId, content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath
from p2psync.daemon.disk import placing
from p2psync.daemon.disk.placing import DiskThreads, Placing
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import KeepVersion, Merge, Place, PlaceItem
from p2psync.engine.events import Event, FetchFailed, Kept, Merged, Observed, Outcome, Placed, WrittenLate
from p2psync.fs import outs
from p2psync.fs.batch import Batch
from p2psync.fs.contents import Contents
from p2psync.fs.folder import Folder, Marker
from p2psync.fs.placer import Placer
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from tests.daemon.patience import DEADLINE_S, until
from tests.fs.onlooking import Nobody

MANDATE = MandateId(b"m" * 16)
CHANGE = ChangeId(BlockHash(b"b" * 32), 0)
INDEX = b"#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; a.ecf; 1\r\n#END\r\n"
OTHER_INDEX = b"#FSC\t9.3\tECC\r\n#ECF\t1; 06/01/2025 09:00:00; b.ecf; 2\r\n#END\r\n"


@pytest.mark.asyncio
async def test_a_batch_is_placed_and_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.staging.stage_whole([(content_of(b"new"), b"new")])
        d.placing.place(Place(MANDATE, (d.item("a.txt", b"new"),)))
        await until(lambda: d.told)
        (placed,) = d.told
        assert isinstance(placed, Placed)
        assert [(o.path, o.placed) for o in placed.outcomes] == [("a.txt", True)]
        assert (d.folder.root / "a.txt").read_bytes() == b"new"


@pytest.mark.asyncio
async def test_nothing_is_placed_into_a_folder_that_is_gone(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        (d.folder.own / "marker").unlink()
        d.placing.place(Place(MANDATE, (d.item("a.txt", b"new"),)))
        await until(lambda: d.told)
        (placed,) = d.told
        assert isinstance(placed, Placed)
        assert [o.problem and o.problem.code for o in placed.outcomes] == [Code.FOLDER_MARKER_GONE]
        assert not (d.folder.root / "a.txt").exists()


@pytest.mark.asyncio
async def test_a_fault_of_the_placer_is_a_problem_and_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as d:
        with monkeypatch.context() as patch:
            patch.setattr(d.placer, "place", lambda *_: 1 // 0)
            d.placing.place(Place(MANDATE, (d.item("a.txt", b"new"),)))
            await until(lambda: d.told)
        d.staging.stage_whole([(content_of(b"new"), b"new")])
        d.placing.place(Place(MANDATE, (d.item("a.txt", b"new"),)))
        await until(lambda: len(d.told) == 2)
        first, second = (event.outcomes[0] for event in d.told if isinstance(event, Placed))
        assert first.problem is not None
        assert first.problem.code == Code.DISK_ERROR
        assert second.placed


@pytest.mark.asyncio
async def test_a_storm_of_new_files_goes_on_while_the_disk_is_waited_for_and_all_else_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[RelPath] = []
    go_on = {name: threading.Event() for name in ("new", "newer", "newest", "changed", "changed again", "late")}

    def place(items: Sequence[PlaceItem], prepared: Batch | None) -> list[Outcome]:
        begun.append(items[0].path)
        assert go_on[items[0].path].wait(DEADLINE_S)
        return [Outcome(item.path, True) for item in items]

    async with desk(tmp_path) as d:
        monkeypatch.setattr(d.placer, "place", place)
        monkeypatch.setattr(placing, "PLACE_BATCH_AIM", 1)
        changed = [d.item(name, b"2", b"1") for name in ("changed", "changed again")]
        for item in (*(d.item(name, b"1") for name in ("new", "newer", "newest")), *changed, d.item("late", b"1")):
            d.placing.place(Place(MANDATE, (item,)))
        await until(lambda: set(begun) == {"new", "newer"})
        go_on["newer"].set()
        await until(lambda: told(d) == ["newer"])
        go_on["new"].set()
        await until(lambda: begun[2:] == ["newest"])
        go_on["newest"].set()
        await until(lambda: begun[3:] == ["changed"])
        assert told(d) == ["newer", "new", "newest"]
        go_on["changed"].set()
        await until(lambda: begun[4:] == ["changed again"])
        assert told(d)[3:] == ["changed"]
        go_on["changed again"].set()
        await until(lambda: begun[5:] == ["late"])
        assert told(d)[4:] == ["changed again"]
        go_on["late"].set()
        await d.placing.stop()
        assert told(d)[5:] == ["late"], "what is under way is told at the end, too"


def told(d: Desk) -> list[RelPath]:
    return [outcome.path for event in d.told if isinstance(event, Placed) for outcome in event.outcomes]


@pytest.mark.asyncio
async def test_what_is_prepared_is_written_before_it_is_to_be_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as d:
        effect = Place(MANDATE, (d.item("a.txt", b"new"),))
        d.contents.hand_over({content_of(b"new"): b"new"})
        d.placing.prepare(effect)
        await until(lambda: [file.read_bytes() for file in d.staging.root.iterdir()] == [b"new"])
        assert not (d.folder.root / "a.txt").exists()
        monkeypatch.setattr(d.contents, "take_given", lambda contents: {})
        d.placing.place(effect)
        await until(lambda: told(d) == ["a.txt"])
        assert (d.folder.root / "a.txt").read_bytes() == b"new"


@pytest.mark.asyncio
async def test_what_is_prepared_and_comes_with_others_is_not_lost(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.contents.hand_over({content_of(b"1"): b"1", content_of(b"2"): b"2", content_of(b"3"): b"3"})
        first, second, third = (Place(MANDATE, (d.item(name, name.encode()),)) for name in "123")
        d.placing.prepare(first)
        d.placing.prepare(second)
        for effect in (second, first, third):
            d.placing.place(effect)
        await until(lambda: len(told(d)) == 3)
        assert {name: (d.folder.root / name).read_bytes() for name in "123"} == {"1": b"1", "2": b"2", "3": b"3"}
        d.contents.hand_over({content_of(b"4"): b"4"})
        d.placing.prepare(Place(MANDATE, (d.item("4", b"4"),)))
        await d.placing.stop()
        assert d.staging.path(content_of(b"4")).read_bytes() == b"4", "it waits for the next time"


@pytest.mark.asyncio
async def test_nothing_is_prepared_where_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as d:
        d.staging.stage_whole([(content_of(b"new"), b"new")])
        monkeypatch.setattr(d.placer, "prepare", lambda items: 1 // 0)
        effect = Place(MANDATE, (d.item("a.txt", b"new"),))
        d.placing.prepare(effect)
        d.placing.place(effect)
        await until(lambda: told(d) == ["a.txt"])
        assert (d.folder.root / "a.txt").read_bytes() == b"new"
        (d.folder.own / "marker").unlink()
        d.placing.prepare(effect)
        d.placing.place(effect)
        await until(lambda: len(told(d)) == 2)


@pytest.mark.asyncio
async def test_what_a_program_writes_into_a_replaced_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outs, "LOOK_AGAIN_AFTER_S", (0.05, 0.05))
    async with desk(tmp_path) as d:
        d.staging.stage_whole([(content_of(b"new"), b"new")])
        (d.folder.root / "a.txt").write_bytes(b"old")
        with (d.folder.root / "a.txt").open("ab") as program:
            item = replace(d.item("a.txt", b"new", b"old"), stood=(CHANGE,))
            d.placing.place(Place(MANDATE, (item,)))
            await until(lambda: d.told)
            program.write(b" and more")
            program.flush()
            await until(lambda: len(d.told) == 2)
        written = d.told[1]
        assert isinstance(written, WrittenLate)
        (write,) = written.writes
        assert (write.path, write.entry.content, write.stood) == ("a.txt", content_of(b"old and more"), (CHANGE,))
        assert d.versions.has(content_of(b"old and more"))


@pytest.mark.asyncio
async def test_a_version_is_kept_from_the_folder_or_from_staging(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        (d.folder.root / "a.ecf").write_bytes(b"in the folder")
        d.staging.stage_whole([(content_of(b"in staging"), b"in staging")])
        wanted = [d.keep("a.ecf", b"in the folder"), d.keep("a.ecf", b"in staging"), d.keep("a.ecf", b"nowhere")]
        for effect in wanted:
            d.placing.keep(effect)
        await until(lambda: len(d.told) == 3)
        assert d.told == [
            Kept(MANDATE, RelPath("a.ecf"), wanted[0].entry, "edited", CHANGE),
            Kept(MANDATE, RelPath("a.ecf"), wanted[1].entry, "edited", CHANGE),
            FetchFailed(MANDATE, (content_of(b"nowhere"),)),
        ]
        assert d.versions.has(content_of(b"in the folder"))
        assert d.versions.has(content_of(b"in staging"))


@pytest.mark.asyncio
async def test_indexes_are_merged_into_staging(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        sources = (content_of(INDEX), content_of(OTHER_INDEX))
        d.staging.stage_whole([(sources[0], INDEX), (sources[1], OTHER_INDEX)])
        d.placing.keep(Merge(MANDATE, RelPath("a.ecc"), sources))
        await until(lambda: d.told)
        (merged,) = d.told
        assert isinstance(merged, Merged)
        assert merged.entry is not None
        assert merged.entry.content is not None
        data = d.staging.path(merged.entry.content).read_bytes()
        assert b"a.ecf" in data
        assert b"b.ecf" in data
        assert merged.entry.size == len(data)


@pytest.mark.asyncio
async def test_all_numbers_that_an_index_has_twice_are_one_problem(tmp_path: Path) -> None:
    lines = [f"#ECF\t1; 05/01/2025 09:00:00; {n} {u}.ecf; {u}" for n in "ab" for u in (1, 2)]
    first, second = ("\r\n".join(["#FSC\t9.3\tECC", *half, "#END", ""]).encode() for half in (lines[:2], lines[2:]))
    async with desk(tmp_path) as d:
        sources = (content_of(first), content_of(second))
        d.staging.stage_whole(list(zip(sources, (first, second), strict=True)))
        d.placing.keep(Merge(MANDATE, RelPath("a.ecc"), sources))
        await until(lambda: len(d.told) == 1)
        (merged,) = d.told
        assert isinstance(merged, Merged)
        assert [(p.code, p.detail) for p in merged.problems] == [
            (Code.INDEX_CONFLICT, "1 (a 1.ecf, b 1.ecf); 2 (a 2.ecf, b 2.ecf)")
        ]


@pytest.mark.asyncio
async def test_what_cannot_be_merged_is_told_apart_from_what_is_not_here(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        torn, missing = content_of(b"torn"), content_of(b"missing")
        d.staging.stage_whole([(content_of(INDEX), INDEX), (torn, b"torn")])
        d.placing.keep(Merge(MANDATE, RelPath("a.ecc"), (content_of(INDEX), torn)))
        d.placing.keep(Merge(MANDATE, RelPath("b.ecc"), (content_of(INDEX), missing)))
        await until(lambda: len(d.told) == 2)
        assert [(e.path, e.entry, e.unmergeable) for e in d.told if isinstance(e, Merged)] == [
            ("a.ecc", None, True),
            ("b.ecc", None, False),
        ]


@pytest.mark.asyncio
async def test_what_a_restored_file_replaced_is_kept_and_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outs, "LOOK_AGAIN_AFTER_S", (0.05, 0.05))
    async with desk(tmp_path) as d:
        before = d.folder.root / "a.txt"
        before.write_bytes(b"new")
        d.staging.stage_whole([(content_of(b"old"), b"old")])
        with before.open("ab") as program:
            await d.placing.restore(content_of(b"old"), RelPath("a.txt"), 0)
            (kept,) = d.told
            assert isinstance(kept, Kept)
            assert (kept.path, kept.entry.content, kept.reason) == ("a.txt", content_of(b"new"), "replaced")
            assert before.read_bytes() == b"old"
            program.write(b" and late")
        await until(lambda: len(d.told) == 2)
        late = d.told[1]
        assert isinstance(late, WrittenLate)
        assert [write.entry.content for write in late.writes] == [content_of(b"new and late")]


@pytest.mark.asyncio
async def test_what_was_saved_in_the_midst_and_overtaken_is_listed(tmp_path: Path) -> None:
    overtaken = Entry(Kind.FILE, 3, 1, 0, content_of(b"mid"))
    async with desk(tmp_path) as d:
        d.placer._kept_besides.append((RelPath("a.txt"), overtaken))
        d.placing.place(Place(MANDATE, (d.item("b.txt", b"new"),)))
        await until(lambda: len(d.told) == 2)
        assert d.told[1] == Kept(MANDATE, RelPath("a.txt"), overtaken, "edited", None)


@pytest.mark.asyncio
async def test_what_a_full_disk_refuses_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "RETRY_S", 0.02)
    monkeypatch.setattr(placing, "KEEP_BATCH_MAX", 2)
    full, attempts = OSError(errno.ENOSPC, "No space left on device"), []
    async with desk(tmp_path) as d:
        sources = (content_of(INDEX), content_of(OTHER_INDEX))
        d.staging.stage_whole([(sources[0], INDEX), (sources[1], OTHER_INDEX)])
        wanted = [d.keep(path, b"data") for path in ("a.crp", "b.crp", "c.crp")]
        for one in wanted:
            (d.folder.root / one.path).write_bytes(b"data")

        def fail(*given: object) -> None:
            attempts.append(given)
            raise full

        with monkeypatch.context() as patch:
            patch.setattr(Versions, "copy_in", fail)
            patch.setattr(Staging, "stage_whole", fail)
            effects: list[KeepVersion | Merge] = [*wanted, Merge(MANDATE, RelPath("d.ecc"), sources)]
            for effect in effects:
                d.placing.keep(effect)
            await until(lambda: len(attempts) >= 12)
            told = [problem for event in d.told if isinstance(event, Observed) for problem in event.problems]
            assert sorted(p.path for p in told) == ["a.crp", "b.crp", "c.crp", "d.ecc"]
            assert {p.code for p in told} == {Code.DISK_FULL}
            assert len(told) == len(d.told) == 4, "nothing is answered, and nothing said twice"
        await until(lambda: sum(len(event.cleared) for event in d.told if isinstance(event, Observed)) == 4)
        kept = {event.path for event in d.told if isinstance(event, Kept)}
        over = [path for event in d.told if isinstance(event, Observed) for path in event.cleared]
        assert (kept, sorted(over)) == ({"a.crp", "b.crp", "c.crp"}, ["a.crp", "b.crp", "c.crp", "d.ecc"])
        assert [event.entry is not None for event in d.told if isinstance(event, Merged)] == [True]


@pytest.mark.asyncio
async def test_stopping_finishes_what_is_being_placed_and_forgets_the_rest(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.staging.stage_whole([(content_of(b"new"), b"new")])
        d.placing.place(Place(MANDATE, (d.item("a.txt", b"new"),)))
        await d.placing.stop()
        assert len(d.told) <= 1
        assert (d.folder.root / "a.txt").exists() == bool(d.told)


class Desk:
    """One mandate's folder, and what was told of it."""

    def __init__(self, root: Path, tasks: Tasks) -> None:
        self.told: list[Event] = []
        self.folder = Folder(root / "folder")
        self.folder.prepare()
        self.folder.write_marker(Marker(MANDATE, b"e" * 16))
        self.staging = Staging(self.folder.staging)
        self.versions = Versions(self.folder.versions)
        self.contents = Contents(self.folder, self.staging, self.versions, lambda several: {})
        self.placer = Placer(self.folder, self.staging, self.versions, self.contents, onlooker=Nobody())
        self.threads = DiskThreads()
        self.placing = Placing(
            *(MANDATE, self.folder, self.contents, self.staging, self.versions, self.placer),
            *(self.threads, cast(Runtime, self), EventLog(None)),
        )
        self.placing.start(tasks)

    def post_now(self, event: Event) -> None:
        self.told.append(event)

    async def post(self, event: Event) -> None:
        self.told.append(event)

    def item(self, path: str, data: bytes, before: bytes | None = None) -> PlaceItem:
        expect = ABSENT if before is None else Entry(Kind.FILE, len(before), 0, 0, content_of(before))
        return PlaceItem(RelPath(path), expect, None, Entry(Kind.FILE, len(data), 1, 0, content_of(data)), "replaced")

    def keep(self, path: str, data: bytes) -> KeepVersion:
        entry = Entry(Kind.FILE, len(data), 1, 0, content_of(data))
        return KeepVersion(MANDATE, RelPath(path), entry, "edited", CHANGE)


@asynccontextmanager
async def desk(root: Path) -> AsyncIterator[Desk]:
    tasks = Tasks(EventLog(None))
    await tasks.open()
    one = Desk(root, tasks)
    try:
        yield one
    finally:
        await one.placing.stop()
        await tasks.close()
        one.threads.close()

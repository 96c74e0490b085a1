"""Reading beside the engine: committed rows only, page by page, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import ContentId, MandateId, content_of, parse_mandate
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents.reading import SOURCES_MAX, Reading
from p2psync.engine.state import BaseRow
from p2psync.store.base import PAGE
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.daemon.homes import pcs

MANDATE = MandateId(b"m" * 16)
STAT = FileStat(3, 5, 7)


def row(path: str, content: bytes = b"c") -> BaseRow:
    return BaseRow(RelPath(path), Entry(Kind.FILE, 3, 5, 0, ContentId(content * 32)), STAT, ())


@pytest.fixture
def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    one = Database.open(tmp_path / "p2psync.db")
    SqliteDeviceState(one).add_mandate(MANDATE)
    yield one
    one.close()


def put(database: Database, *rows: BaseRow) -> None:
    with database.transaction():
        SqliteDeviceState(database).mandate(MANDATE).put_bases(rows)


def test_only_committed_rows_are_seen(database: Database) -> None:
    reading = Reading(database, MANDATE)
    with database.transaction():
        SqliteDeviceState(database).mandate(MANDATE).put_bases([row("a")])
        assert reading.get_many([RelPath("a")]) == {}
    assert reading.get_many([RelPath("a"), RelPath("b")]) == {"a": (row("a").entry, STAT)}


def test_rows_come_in_order_whatever_their_number(database: Database) -> None:
    paths = [f"d{number:05}/f" for number in range(2 * PAGE + 1)]
    put(database, *(row(path) for path in paths), row("d00001"), row("d00001-"))
    reading = Reading(database, MANDATE)
    assert [path for path, _, _ in reading.all()] == sorted([*paths, "d00001", "d00001-"])
    assert [path for path, _, _ in reading.below(RelPath("d00001"))] == ["d00001/f"]


def test_rows_may_change_while_they_are_walked_through(database: Database) -> None:
    put(database, *(row(f"f{number:05}") for number in range(PAGE + 1)))
    reading = Reading(database, MANDATE)
    walked = iter(reading.all())
    next(walked)
    put(database, row("a"), row("z"))
    assert [path for path, _, _ in walked][-1] == "z"


def test_sources_are_bounded(database: Database) -> None:
    put(database, *(row(f"f{number}") for number in range(SOURCES_MAX + 5)), row("other", b"o"))
    reading = Reading(database, MANDATE)
    several, one, none = ContentId(b"c" * 32), ContentId(b"o" * 32), ContentId(b"n" * 32)
    found = reading.sources([several, one, none])
    assert len(found[several]) == SOURCES_MAX
    assert found[one] == ["other"]
    assert not found.get(none)
    assert reading.named_in("", [one]) == set()


def test_several_threads_take_turns(database: Database) -> None:
    put(database, *(row(f"f{number:05}") for number in range(PAGE)))
    reading = Reading(database, MANDATE)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: len(list(reading.all())), range(20)))
    assert counts == [PAGE] * 20


def test_a_mandate_that_is_not_there_is_an_error(database: Database) -> None:
    with pytest.raises(KeyError):
        Reading(database, MandateId(b"x" * 16))


@pytest.mark.asyncio
async def test_the_past_of_a_file_is_what_was_followed_by_something_else(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        made = await pc.create()
        for text in ("first", "second"):
            pc.save("a.txt", text)
            await pc.call("sync", timeout_s=20)
        reading = pc.running.folders.reading(parse_mandate(made["id"]))
        assert reading is not None
        path, first, second = RelPath("a.txt"), content_of(b"first"), content_of(b"second")
        assert [entry.content for entry in reading.past(path, first)] == [first]
        assert reading.past(path, second) == [], "it stands"
        assert reading.past(RelPath("b.txt"), first) == []
        assert reading.is_known([path, RelPath("b.txt")]) == {path}
        pc.save("a.txt", "first")
        await pc.call("sync", timeout_s=20)
        assert reading.past(path, first) == [], "it stands again"
        assert [entry.size for entry in reading.past(path, second)] == [6]

"""A large file is told of while it is read, so that it can go ahead."""

from __future__ import annotations

import pytest

from p2psync.core.relpath import RelPath
from p2psync.engine.events import ReadingBegun
from p2psync.engine.settle import How
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.fs import inspector, scanner
from p2psync.fs.scanner import Scanner
from tests.daemon.patience import until
from tests.fs.observing import observing
from tests.fs.watched import MANDATE, Place


@pytest.mark.asyncio
async def test_it_is_told_that_a_large_file_is_being_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector, "LARGE_BYTES", 10)
    monkeypatch.setattr(scanner, "LARGE_BYTES", 10)
    async with observing(place) as told:
        await told.scanned()
        place.save("large", bytes(100), age_s=9)
        place.save("large.ecf", b"x\r\n" * 40, age_s=9)
        told.played.notice(("large", How.RENAMED), ("large.ecf", How.RENAMED))
        told.may_go_on.clear()
        await until(lambda: told.observer.reading is not None, "it is being read")
        reading = told.observer.reading
        assert reading is not None
        assert (reading.path, reading.is_over) == ("large", False)
        told.may_go_on.set()
        await told.path("+large")
        await told.path("+large.ecf")
        assert [e for e in told.events if isinstance(e, ReadingBegun)] == [ReadingBegun(MANDATE, RelPath("large"), 100)]
        await until(lambda: told.observer.reading is None, "it was read")
        assert reading.is_over


@pytest.mark.asyncio
async def test_the_reading_of_large_files_lets_a_save_by_and_no_storm(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Scanner] = []
    monkeypatch.setattr(Scanner, "give_way", lambda scanner: given.append(scanner))
    async with observing(place) as told:
        await told.scanned()
        many = [f"{number}" for number in range(SAVE_PATHS_MAX + 1)]
        for name in ("one", *many):
            place.save(name, b"x", age_s=9)
        told.played.notice(*((name, How.RENAMED) for name in many))
        await told.path(f"+{many[-1]}")
        assert given == []
        told.played.notice(("one", How.RENAMED))
        await told.path("+one")
        assert len(given) == 1

"""A large file is told of while it is read, so that it can go ahead."""

from __future__ import annotations

import pytest

from p2psync.core.relpath import RelPath
from p2psync.engine.events import ReadingBegun
from p2psync.engine.settle import How
from p2psync.fs import inspector, scanner
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
        await until(lambda: told.observer.reading == "large", "it is being read")
        told.may_go_on.set()
        await told.path("+large")
        await told.path("+large.ecf")
        assert [e for e in told.events if isinstance(e, ReadingBegun)] == [ReadingBegun(MANDATE, RelPath("large"), 100)]
        await until(lambda: told.observer.reading is None, "it was read")

"""Very many files at once: they wait where they have to, and nobody's save waits for them."""

from __future__ import annotations

import pytest

from p2psync.engine.settle import How
from p2psync.fs import sight
from tests.fs.observing import Told, observing
from tests.fs.watched import Place

FILES = 9
AT_ONCE = 3


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "SIGHT_PATHS_MAX", AT_ONCE)


def many(place: Place) -> None:
    for number in range(FILES):
        place.save(f"many/{number}", age_s=1.0)


def came(told: Told) -> int:
    return sum(path.startswith("+many/") for path in told.paths)


@pytest.mark.asyncio
async def test_a_directory_waits_while_it_has_to_and_a_save_goes_meanwhile(place: Place) -> None:
    async with observing(place) as told:
        await told.scanned()
        many(place)
        told.observer.hold_back(True)
        told.played.notice(("many", How.RENAMED))
        await told.until(lambda told: came(told) > 0)
        before = came(told)
        for name in ("letter", "answer"):
            place.save(name, age_s=1.0)
            told.played.notice((name, How.RENAMED))
            await told.path(f"+{name}")
        assert came(told) == before < FILES
        told.observer.hold_back(False)
        await told.until(lambda told: came(told) == FILES)
        place.save("last", age_s=1.0)
        told.played.notice(("last", How.RENAMED))
        await told.path("+last")


@pytest.mark.asyncio
async def test_a_scan_waits_while_it_has_to(place: Place) -> None:
    async with observing(place) as told:
        await told.scanned()
        many(place)
        told.observer.hold_back(True)
        told.observer.rescan()
        await told.until(lambda told: came(told) > 0)
        place.save("letter", age_s=1.0)
        told.played.notice(("letter", How.RENAMED))
        await told.path("+letter")
        assert came(told) < FILES
        assert len(told.finished) == 1
        told.observer.hold_back(False)
        await told.scanned(2)
        assert came(told) == FILES

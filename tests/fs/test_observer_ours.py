"""What this device itself puts into a folder or takes away is no news."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.settle import How
from p2psync.fs import observer
from p2psync.fs.scanner import Scanner
from p2psync.fs.signs import MANY
from p2psync.fs.traits import SYSTEMS_OWN
from tests.fs.observing import observing
from tests.fs.watched import Place

R = RelPath


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[RelPath]:
    """The paths that the scanner looks at, as it does."""
    found: list[RelPath] = []
    real_look = Scanner.look

    def look(self: Scanner, paths: Any, **options: Any) -> Any:
        found.extend(paths)
        return real_look(self, paths, **options)

    monkeypatch.setattr(Scanner, "look", look)
    return found


@pytest.mark.asyncio
async def test_what_was_placed_by_ourselves_is_not_told(place: Place) -> None:
    async with observing(place) as told:
        await told.scanned()
        place.save("ours")
        told.observer.expect([(R("ours"), SYSTEMS_OWN.stat((place.root / "ours").stat()), 0)])
        place.save("theirs")
        told.played.notice(("ours", How.RENAMED), ("theirs", How.RENAMED))
        await told.path("+theirs")
        told.observer.rescan()
        await told.scanned(2)
        assert told.paths == ["+theirs"]


@pytest.mark.asyncio
async def test_of_many_files_only_what_is_not_ours_is_looked_at(place: Place, looked: list[RelPath]) -> None:
    names = [f"ours {number}" for number in range(MANY)]
    async with observing(place) as told:
        await told.scanned()
        told.observer._troubled["was locked"] = Problem("was locked", Code.LOCKED)
        for name in (*names, "theirs", "was locked"):
            place.save(name)
        for name in (*names, "was locked"):
            told.observer.expect([(R(name), SYSTEMS_OWN.stat((place.root / name).stat()), 0)])
        told.played.notice(*((name, How.RENAMED) for name in ("was locked", *names, "theirs")))
        await told.path("+theirs")
        await told.until(lambda told: "was locked" in told.cleared)  # who was told of a trouble hears that it is over
        assert set(looked) == {"theirs", "was locked"}


@pytest.mark.asyncio
async def test_what_we_took_away_is_looked_at_once_the_base_knows_it(
    place: Place, looked: list[RelPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "HOLD_S", 0.05)
    place.save("ours")
    place.save("stolen")
    async with observing(place) as told:
        await told.scanned()
        for name in ("ours", "stolen"):
            told.observer.expect([(R(name), None, 0)])
            (place.root / name).unlink()
        place.base.rows.pop(R("ours"))
        place.save("witness")
        told.played.notice(("ours", How.DELETED), ("stolen", How.DELETED), ("witness", How.RENAMED))
        await told.path("+witness")
        assert looked[0] == "witness"
        await told.path("-stolen")
        assert "ours" in looked
        assert "-ours" not in told.paths

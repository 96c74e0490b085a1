"""What stands at a path, and what cannot be said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.core.relpath import Folding, RelPath
from p2psync.fs.presence import Blocked, Presence
from p2psync.fs.traits import SYSTEMS_OWN, Traits
from tests.fs.watched import Place

R = RelPath


FOLDS = Traits(folding=Folding(case_insensitive=True))


@pytest.mark.parametrize("traits", [SYSTEMS_OWN, FOLDS])
def test_only_what_lies_in_real_directories_stands(tmp_path: Path, traits: Traits) -> None:
    place = Place(tmp_path / "Cargo", traits)
    place.save("d/a")
    (place.root / "link").symlink_to("d")
    presence = Presence(place.folder)
    standing = {p: presence.standing(R(p)) is not None for p in ("d", "d/a", "d/b", "d/a/x", "e", "e/f/g", "link")}
    assert standing == {"d": True, "d/a": True, "d/b": False, "d/a/x": False, "e": False, "e/f/g": False, "link": True}
    with pytest.raises(Blocked):
        presence.standing(R("link/a"))


def test_a_directory_that_vanishes_while_it_is_asked_for_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "Cargo", FOLDS)
    place.save("d/a")
    presence = Presence(place.folder)

    def gone(path: str) -> list[str]:
        raise FileNotFoundError(2, "gone", path)

    assert presence.standing(R("d")) is not None
    monkeypatch.setattr(os, "listdir", gone)
    assert presence.standing(R("d/a")) is None


def test_what_may_not_be_asked_raises(tmp_path: Path) -> None:
    place = Place(tmp_path / "Cargo")
    with pytest.raises(OSError, match="too long"):
        Presence(place.folder).standing(R("x" * 300))

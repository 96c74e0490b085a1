"""Which watcher each system gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from p2psync.fs.inotify import InotifyWatcher
from p2psync.fs.portable import PortableWatcher
from p2psync.fs.watcher import watcher_for
from tests.fs.watched import Place


def test_each_system_gets_what_suits_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path / "Cargo")
    monkeypatch.setattr(sys, "platform", "linux")
    assert isinstance(watcher_for(place.folder), InotifyWatcher)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isinstance(watcher_for(place.folder), PortableWatcher)

"""Names that a directory lists, sorted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.core.ignore import DEFAULT_RULES, IgnoreRules
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.fs.listing import Child, Sort, children, shown, unreadable
from tests.fs.watched import Place


def listed(place: Place, directory: str | None = None, rules: IgnoreRules = DEFAULT_RULES) -> dict[str, object]:
    found = list(children(place.folder, None if directory is None else RelPath(directory), rules))
    return {(c.rel if isinstance(c, Child) else c.path): (c.sort if isinstance(c, Child) else c.code) for c in found}


def test_each_name_has_its_sort(tmp_path: Path) -> None:
    place = Place(tmp_path / "Cargo")
    place.save("file")
    place.save("directory/inside")
    place.save("a.tmp")
    place.save("b.salx")
    (place.root / "link").symlink_to("file")
    Path(os.fsdecode(os.fsencode(place.root) + b"/\xff")).touch()
    assert listed(place, None, IgnoreRules.parse("*.tmp")) == {
        "file": Sort.FILE,
        "directory": Sort.DIRECTORY,
        "a.tmp": Sort.LEFT_OUT,
        "b.salx": Sort.LEFT_OUT,
        "link": Sort.LEFT_OUT,
        "\\udcff": Code.NAME_NOT_TEXT,
    }
    assert listed(place, "directory") == {"directory/inside": Sort.FILE}
    assert listed(place, "directory", IgnoreRules.parse("directory/")) == {"directory/inside": Sort.LEFT_OUT}


@pytest.mark.parametrize(
    ("error", "expected"),
    [(FileNotFoundError(2, "gone"), {}), (PermissionError(13, "no"), {"file": Sort.LEFT_OUT})],
)
def test_a_name_whose_file_cannot_be_asked_is_gone_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, expected: object
) -> None:
    class Entry:
        name = "file"

        def is_file(self, *, follow_symlinks: bool) -> bool:
            raise error

    class Listed(list[Entry]):
        def __enter__(self) -> Listed:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    place = Place(tmp_path / "Cargo")
    monkeypatch.setattr(os, "scandir", lambda _: Listed([Entry()]))
    assert listed(place) == expected


def test_a_name_that_is_neither_file_nor_directory_any_more_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "Cargo")
    (place.root / "link").symlink_to("file")

    def gone(path: str) -> os.stat_result:
        raise FileNotFoundError(2, "gone", path)

    monkeypatch.setattr(os, "lstat", gone)
    assert listed(place) == {}


def test_any_disk_name_can_be_shown() -> None:
    assert shown("Müller") == "Müller"
    assert shown("M\udcfcller") == "M\\udcfcller"


def test_a_refusal_is_shown_in_the_systems_words() -> None:
    assert unreadable(RelPath("a"), PermissionError(13, "No way")) == Problem("a", Code.UNREADABLE, "No way")
    assert unreadable(RelPath("a"), OSError("odd")) == Problem("a", Code.UNREADABLE, "odd")

"""What scans and looks tell of a folder: users' deeds on the left, sights on the right."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.completeness import Completeness
from p2psync.core.entry import EXECUTABLE, HIDDEN, Entry, FileStat, Kind
from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath
from p2psync.fs import inspector, sight, stable
from p2psync.fs.folder import Folder, FolderVanished, Marker
from p2psync.fs.scanner import Scanner
from p2psync.fs.sight import Row
from p2psync.fs.stable import Stopped
from p2psync.fs.traits import SYSTEMS_OWN, Traits
from tests.fs.scanning import denied, look, scan, taken, told
from tests.fs.watched import MANDATE, Place

R = RelPath


# -- a whole scan -------------------------------------------------------------------------------------------------


def test_a_scan_tells_of_every_file_and_of_empty_directories(place: Place, scanner: Scanner) -> None:
    place.save("a.crp", b"KEY=1")
    place.save("2025/deep/b.txt")
    place.save(".hidden")
    place.directory("empty")
    place.directory("outer/inner")
    assert scan(scanner) == ["+.hidden", "+2025/deep/b.txt", "+a.crp", "/empty", "/outer/inner"]


def test_what_is_found_carries_content_stat_and_verdict(place: Place, scanner: Scanner) -> None:
    place.save("a.crp", b"MAJREV=9\r\nENDOFFILE", age_s=100)
    place.save("b.ecf", b"#FSC\tto")
    (place.root / "b.ecf").chmod(0o755)
    [s] = scanner.scan()
    a, b = s.found
    st_a = (place.root / "a.crp").stat()
    assert a.seen.entry == Entry(Kind.FILE, 19, st_a.st_mtime_ns, 0, content_of(b"MAJREV=9\r\nENDOFFILE"))
    assert a.seen.stat == FileStat(19, st_a.st_mtime_ns, st_a.st_ino)
    assert 99 < a.age_s < 200
    assert (a.whole, b.whole) == (Completeness.WHOLE, Completeness.TORN)
    assert b.seen.entry.mode == EXECUTABLE


def test_an_unchanged_file_is_not_read(place: Place, scanner: Scanner, read: list[str]) -> None:
    place.save("a")
    place.save("b")
    taken(place, scanner)
    read.clear()
    place.save("b", b"other")
    assert scan(scanner) == ["+b"]
    assert read == ["b"]


def test_a_full_scan_reads_every_byte(place: Place, scanner: Scanner, read: list[str]) -> None:
    place.save("a", b"text")
    taken(place, scanner)
    before = (place.root / "a").stat()
    (place.root / "a").write_bytes(b"TEXT")
    os.utime(place.root / "a", ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert scan(scanner) == []
    read.clear()
    assert scan(scanner, full=True) == ["+a"]
    assert look(scanner, "a") == scan(scanner) == ["+a"], "until it is taken in, its stat says nothing"
    assert read == ["a"] * 3
    place.base.take_all(list(scanner.scan()))
    assert scan(scanner) == []
    read.clear()
    assert scan(scanner) == []
    assert read == []


def test_what_a_full_scan_could_not_read_is_read_by_the_next_look(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("busy", "large"):
        place.save(name, b"text", age_s=0.2)
    taken(place, scanner)
    for name in ("busy", "large"):
        before = (place.root / name).stat()
        (place.root / name).write_bytes(b"TEXT")
        os.utime(place.root / name, ns=(before.st_mtime_ns, before.st_mtime_ns))
        scanner.expect([(R(name), SYSTEMS_OWN.stat((place.root / name).stat()), 0)])
    with monkeypatch.context() as patch:
        patch.setattr(inspector, "read_stable", lambda *_, **__: None)
        assert look(scanner, "busy", "large") == []
        assert scan(scanner, full=True) == ["~busy", "~large"]
    with monkeypatch.context() as patch:
        patch.setattr(inspector, "LARGE_BYTES", 0)
        assert look(scanner, "large") == ["Llarge"]
    assert look(scanner, "busy", "large") == ["+busy", "+large"]


def test_a_file_whose_time_alone_changed_is_told_with_its_new_stat(place: Place, scanner: Scanner) -> None:
    place.save("a")
    taken(place, scanner)
    place.age("a", 10)
    [s] = scanner.scan()
    [found] = s.found
    assert found.seen.entry.same_as(place.base.rows[R("a")][0])
    assert found.seen.stat == SYSTEMS_OWN.stat((place.root / "a").stat())
    assert found.whole is Completeness.WHOLE


def test_a_change_of_mode_is_told_without_reading(place: Place, scanner: Scanner, read: list[str]) -> None:
    place.save("a")
    taken(place, scanner)
    read.clear()
    (place.root / "a").chmod(0o755)
    [s] = scanner.scan()
    assert s.found[0].seen.entry.mode == EXECUTABLE
    assert read == []


def test_a_mode_that_this_system_does_not_keep_is_carried_along(place: Place, scanner: Scanner) -> None:
    place.save("a")
    taken(place, scanner)
    entry, known = place.base.rows[R("a")]
    place.base.rows[R("a")] = (Entry(entry.kind, entry.size, entry.mtime_ns, HIDDEN, entry.content), known)
    assert scan(scanner) == []
    place.save("a", b"new")
    [s] = scanner.scan()
    assert s.found[0].seen.entry.mode == HIDDEN


def test_what_vanished_is_missing_with_what_the_base_knows(place: Place, scanner: Scanner) -> None:
    for path in ("a", "a-b", "d/x", "d/y/z", "d-e", "e"):
        place.save(path)
    place.directory("empty")
    taken(place, scanner)
    for path in ("a", "d/x", "d/y/z", "e"):
        (place.root / path).unlink()
    (place.root / "empty").rmdir()
    (place.root / "d/y").rmdir()
    place.age("d", 3600)
    assert scan(scanner) == ["/d", "?a", "?d/x", "?d/y/z", "?e", "?empty"]
    [s] = scanner.scan()
    assert s.missing[0].entry == place.base.rows[R("a")][0]


def test_a_directory_is_a_path_only_while_it_is_empty(place: Place, scanner: Scanner) -> None:
    place.directory("d")
    taken(place, scanner)
    place.save("d/f")
    assert scan(scanner) == ["+d/f", "-d"]
    taken(place, scanner)
    (place.root / "d/f").unlink()
    assert scan(scanner) == ["/d", "?d/f"]


def test_a_file_may_give_way_to_a_directory_and_back(place: Place, scanner: Scanner) -> None:
    place.save("a")
    place.save("b/c")
    taken(place, scanner)
    (place.root / "a").unlink()
    place.save("a/inside")
    (place.root / "b/c").unlink()
    (place.root / "b").rmdir()
    place.save("b")
    assert scan(scanner) == ["+a/inside", "+b", "-a", "?b/c"]
    taken(place, scanner)
    (place.root / "b").unlink()
    place.directory("b")
    assert scan(scanner) == ["/b"]


def test_what_came_after_its_directory_was_listed_is_not_missing(place: Place, scanner: Scanner) -> None:
    """The placer is at work while the base is walked through: it knows more than the listing does."""
    place.save("a")
    taken(place, scanner)
    row = place.base.rows[R("a")]

    def placing() -> Iterator[Row]:
        yield R("a"), *row
        place.save("b")
        yield R("b"), *row

    place.base.all = placing  # type: ignore[method-assign]
    assert scan(scanner) == []


def test_sights_are_bounded(place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "SIGHT_PATHS_MAX", 3)
    for n in range(8):
        place.save(f"{n}")
    sizes = [len(s.found) for s in scanner.scan()]
    assert sizes == [3, 3, 2]
    place.base.take_all(list(scanner.scan()))
    for n in range(8):
        (place.root / f"{n}").unlink()
    assert [len(s.missing) for s in scanner.scan()] == [3, 3, 2]
    assert [len(s.missing) for s in scanner.look([R(f"{n}") for n in range(8)])] == [3, 3, 2]


# -- what is left out ---------------------------------------------------------------------------------------------


def test_links_pipes_and_live_databases_are_problems(place: Place, scanner: Scanner) -> None:
    place.save("real/a")
    place.save("books.cre")
    place.save("pay.sav/auto")
    place.save("~$draft.docx")
    (place.root / "link").symlink_to("real")
    (place.root / "dangling").symlink_to("nowhere")
    os.mkfifo(place.root / "pipe")
    assert scan(scanner) == [
        "!books.cre live-database",
        "!dangling symbolic-link",
        "!link symbolic-link",
        "!pay.sav live-database",
        "!pipe special-file",
        "+real/a",
    ]
    names = ["books.cre", "dangling", "link", "link/a", "pay.sav/auto", "pipe", "real", "~$draft.docx"]
    assert look(scanner, *names) == [
        "!books.cre live-database",
        "!dangling symbolic-link",
        "!link symbolic-link",
        "!pay.sav/auto live-database",
        "!pipe special-file",
        "+real/a",
    ]


def test_a_link_in_place_of_what_was_there_deletes_nothing(place: Place, scanner: Scanner) -> None:
    place.save("a")
    place.save("d/f")
    taken(place, scanner)
    (place.root / "a").rename(place.root.parent / "a")
    (place.root / "a").symlink_to("../a")
    (place.root / "d").rename(place.root.parent / "d")
    (place.root / "d").symlink_to("../d")
    assert scan(scanner) == ["!a symbolic-link", "!d symbolic-link"]
    assert look(scanner, "a", "d", "d/f", "d/g") == ["!a symbolic-link", "!d symbolic-link"]


def test_a_name_that_is_no_text_is_a_problem(place: Place, scanner: Scanner) -> None:
    (place.root / "d").mkdir()
    Path(os.fsdecode(os.fsencode(place.root / "d") + b"/M\xfcller.ecf")).write_bytes(b"")
    [s] = scanner.scan()
    assert s.problems == (Problem("d/M\\udcfcller.ecf", Code.NAME_NOT_TEXT),)


def test_a_name_that_no_mandate_takes_is_a_problem(place: Place, scanner: Scanner) -> None:
    place.save(".P2PSYNC")
    assert scan(scanner) == ["!.P2PSYNC name-escapes"]


def test_its_own_directory_is_never_told_of(place: Place, scanner: Scanner) -> None:
    (place.folder.staging / "x").write_bytes(b"")
    assert scan(scanner) == []


def test_what_may_not_be_read_is_a_problem_and_not_gone(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.save("closed/a")
    place.save("closed/deep/b")
    place.save("closed-too")
    place.save("secret")
    place.directory("shut")
    taken(place, scanner)
    denied(monkeypatch, "closed", "secret", "shut")
    place.save("secret", b"changed")
    place.save("closed-too", b"changed")
    assert scan(scanner) == ["!closed unreadable", "!secret unreadable", "!shut unreadable", "+closed-too"]
    assert look(scanner, "closed", "secret", "shut") == ["!closed unreadable", "!secret unreadable", "!shut unreadable"]


def test_a_path_that_cannot_be_asked_for_is_a_problem(place: Place, scanner: Scanner) -> None:
    long = "x" * 300
    assert look(scanner, long) == [f"!{long} unreadable"]


@pytest.mark.parametrize("error", [OSError(16, "busy"), OSError(22, "no file"), FileNotFoundError(2, "gone")])
def test_what_cannot_be_read_just_now_is_looked_at_again(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise error

    place.save("a")
    monkeypatch.setattr(inspector, "read_stable", fail)
    [s] = scanner.scan()
    assert s.locked == ((R("a"),) if error.errno == 16 else ())
    assert s.problems == ()
    assert s.found == ()


def test_a_file_that_changes_while_it_is_read_is_unstable(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.save("a")
    monkeypatch.setattr(inspector, "read_stable", lambda *_, **__: None)
    assert scan(scanner) == ["~a"]


# -- ignore rules -------------------------------------------------------------------------------------------------


def test_what_the_folder_ignores_is_neither_found_nor_gone(place: Place, scanner: Scanner) -> None:
    place.save("a.tmp")
    place.save("build/x")
    place.save("kept")
    place.save("gone.tmp")
    taken(place, scanner)
    place.save(".p2psyncignore", b"*.tmp\nbuild/\n")
    (place.root / "gone.tmp").unlink()
    place.save("a.tmp", b"changed")
    place.save("build/x", b"changed")
    assert scan(scanner) == ["+.p2psyncignore"]
    assert look(scanner, "a.tmp", "build/x", "build", "gone.tmp") == []
    assert not scanner.rules_changed


def test_new_rules_ask_for_a_scan(place: Place, scanner: Scanner) -> None:
    taken(place, scanner)
    place.save(".p2psyncignore", b"*.tmp\n")
    assert look(scanner, ".p2psyncignore") == ["+.p2psyncignore"]
    assert scanner.rules_changed
    taken(place, scanner)
    assert not scanner.rules_changed
    (place.root / ".p2psyncignore").unlink()
    assert look(scanner, ".p2psyncignore") == ["?.p2psyncignore"]
    assert scanner.rules_changed


@pytest.mark.parametrize("raw", [b"[", b"\xff\xfe", b"x" * (1 << 19)])
def test_rules_that_cannot_be_read_leave_the_old_ones_in_force(place: Place, scanner: Scanner, raw: bytes) -> None:
    place.save(".p2psyncignore", b"*.tmp\n")
    place.save("a.tmp")
    taken(place, scanner)
    place.save(".p2psyncignore", raw)
    assert scan(scanner) == ["!.p2psyncignore unreadable", "+.p2psyncignore"]
    place.base.take_all(list(scanner.scan()))
    assert scan(scanner) == ["!.p2psyncignore unreadable"], "told as long as it lasts"


def test_a_directory_that_holds_only_ignored_files_is_empty(place: Place, scanner: Scanner) -> None:
    place.save("d/Thumbs.db")
    place.age("d", 3600)
    assert scan(scanner) == ["/d"]


# -- a disk that folds names --------------------------------------------------------------------------------------


def test_presence_is_judged_by_listed_names(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that folds answers lstat for any spelling."""
    place.save("D/File.txt")
    place.folder.traits = Traits(folding=Folding(case_insensitive=True))
    scanner = Scanner(place.folder, place.base)
    taken(place, scanner)
    (place.root / "D/File.txt").rename(place.root / "D/file.txt")
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda p: real(str(p).replace("File", "file")))
    assert look(scanner, "D/File.txt", "D/file.txt") == ["+D/file.txt", "?D/File.txt"]
    assert scan(scanner) == ["+D/file.txt", "?D/File.txt"]
    monkeypatch.undo()
    (place.root / "D").rename(place.root / "d")
    assert look(scanner, "D/File.txt", "d") == ["+d/file.txt", "?D/File.txt"]


def test_names_that_the_disk_took_apart_are_found_composed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that lists "ü" as two characters, and opens the file by either spelling."""
    place.save("Mu\u0308ller")
    place.folder.traits = Traits(folding=Folding(normalising=True), composes=True)
    scanner = Scanner(place.folder, place.base)
    lstat, read = os.lstat, stable.read_stable
    monkeypatch.setattr(os, "lstat", lambda p: lstat(taken_apart(p)))
    monkeypatch.setattr(inspector, "read_stable", lambda p, *more, **named: read(Path(taken_apart(p)), *more, **named))
    assert scan(scanner) == ["+M\u00fcller"]
    assert look(scanner, "M\u00fcller") == ["+M\u00fcller"]
    taken(place, scanner)


def taken_apart(path: object) -> str:
    return str(path).replace("\u00fc", "u\u0308")


# -- a folder that vanishes ---------------------------------------------------------------------------------------


def test_an_unplugged_drive_deletes_nothing(place: Place, scanner: Scanner) -> None:
    place.save("a")
    place.save("d/b")
    taken(place, scanner)
    place.root.rename(place.root.parent / "unplugged")
    with pytest.raises(FolderVanished):
        scan(scanner)
    with pytest.raises(FolderVanished):
        look(scanner, "a", "d")
    place.root.mkdir()
    with pytest.raises(FolderVanished):
        scan(scanner)
    with pytest.raises(FolderVanished):
        look(scanner, "a", "d")


def test_what_lies_in_a_folder_of_another_past_is_not_told(place: Place, scanner: Scanner) -> None:
    """A backup brings its own marker with it."""
    Folder(place.root).write_marker(Marker(MANDATE, b"o" * 16))
    place.save("a", b"last week's")
    with pytest.raises(FolderVanished):
        look(scanner, "a")
    with pytest.raises(FolderVanished):
        scan(scanner)


def test_a_drive_unplugged_during_the_scan_deletes_nothing(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight, "SIGHT_PATHS_MAX", 1)
    for path in ("a", "b", "c"):
        place.save(path)
    taken(place, scanner)
    for path in ("a", "b", "c"):
        place.save(path, b"new")
    sights = scanner.scan()
    assert told([next(sights)]) == ["+a"]
    place.root.rename(place.root.parent / "unplugged")
    with pytest.raises(FolderVanished):
        list(sights)


def test_a_scan_can_be_stopped(place: Place, scanner: Scanner) -> None:
    place.save("a")
    scanner.stop()
    with pytest.raises(Stopped):
        scan(scanner)
    with pytest.raises(Stopped):
        look(scanner, "a")
    scanner.resume()
    assert scan(scanner) == ["+a"]


# -- any folder ---------------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "a-b", "a.b", "b", "é", "~"])
tree = st.sets(st.lists(names, min_size=1, max_size=3).map("/".join), max_size=8)


def put(place: Place, paths: Iterable[str]) -> set[str]:
    """The files that could be made: a path below another file cannot."""
    made = set()
    for path in sorted(paths):
        try:
            place.save(path)
            made.add(path)
        except (NotADirectoryError, FileExistsError, IsADirectoryError):
            continue
    return made


@given(tree, tree)
def test_a_scan_tells_the_difference_between_any_two_trees(
    tmp_path_factory: pytest.TempPathFactory, before: set[str], after: set[str]
) -> None:
    place = Place(tmp_path_factory.mktemp("folder") / "Cargo")
    scanner = Scanner(place.folder, place.base)
    old = put(place, before)
    taken(place, scanner)
    assert set(place.base.rows) == old
    for path in old:
        (place.root / path).unlink()
    for directory in sorted((d for d in place.root.rglob("*") if ".p2psync" not in d.parts), reverse=True):
        directory.rmdir()
    new = put(place, after)
    place.base.take_all(list(scanner.scan()))
    assert set(place.base.rows) == new
    assert scan(scanner) == []
    assert look(scanner, *old, *new) == []

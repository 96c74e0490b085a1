"""What looks at single paths tell."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import pytest

from p2psync.core.entry import EMPTY_DIRECTORY, EXECUTABLE, Entry, FileStat
from p2psync.core.ids import content_of
from p2psync.core.ignore import IgnoreRules
from p2psync.core.relpath import RelPath
from p2psync.fs import inspector
from p2psync.fs.being_read import BeingRead
from p2psync.fs.scanner import Scanner
from p2psync.fs.sight import SIGHT_PATHS_FIRST
from p2psync.fs.traits import SYSTEMS_OWN
from tests.fs.scanning import denied, look, scan, taken, told
from tests.fs.watched import Place

R = RelPath


def test_a_look_tells_of_its_paths_alone(place: Place, scanner: Scanner) -> None:
    place.save("a")
    place.save("b")
    place.save("d/c")
    taken(place, scanner)
    for path in ("a", "b", "d/c"):
        place.save(path, b"new")
    assert look(scanner, "a", "d/c") == ["+a", "+d/c"]
    assert look(scanner, "nothing/there", "nor-here") == []
    assert look(scanner) == []


def test_a_look_at_a_directory_takes_in_all_that_lies_there(place: Place, scanner: Scanner) -> None:
    place.save("d/a")
    place.save("d/e/b")
    place.save("d/gone")
    taken(place, scanner)
    place.save("d/a", b"new")
    place.save("d/e/c")
    place.directory("d/f")
    (place.root / "d/gone").unlink()
    assert look(scanner, "d") == ["+d/a", "+d/e/c", "/d/f", "?d/gone"]
    [s] = scanner.look([R("d")])
    assert {f.asked for f in s.found} == {R("d")}


def test_a_vanished_directory_takes_with_it_all_that_lay_there(place: Place, scanner: Scanner) -> None:
    place.save("d/a")
    place.save("d/e/b")
    place.save("d-not")
    taken(place, scanner)
    (place.root / "d").rename(place.root.parent / "away")
    assert look(scanner, "d") == ["?d/a", "?d/e/b"]


def test_a_look_notices_that_a_directory_came_to_be_or_ceased(place: Place, scanner: Scanner) -> None:
    place.directory("d")
    place.save("e/f/g")
    taken(place, scanner)
    place.save("d/new")
    (place.root / "e/f/g").unlink()
    (place.root / "e/f").rmdir()
    assert look(scanner, "d/new", "e/f/g") == ["+d/new", "-d", "/e", "?e/f/g"]


def test_a_directory_in_which_something_is_left_stays_none(place: Place, scanner: Scanner) -> None:
    place.save("e/f")
    place.save("e/g")
    taken(place, scanner)
    (place.root / "e/g").unlink()
    assert look(scanner, "e/g") == ["?e/g"]


def test_an_emptied_directory_that_cannot_be_looked_into_is_left_alone(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.save("e/g")
    taken(place, scanner)
    (place.root / "e/g").unlink()
    denied(monkeypatch, "e")
    assert look(scanner, "e/g") == ["?e/g"]


def test_files_of_a_renamed_directory_are_not_read_again(place: Place, scanner: Scanner, read: list[str]) -> None:
    place.save("d/a", b"one")
    place.save("d/b", b"two")
    taken(place, scanner)
    read.clear()
    (place.root / "d").rename(place.root / "e")
    place.save("e/b", b"three", age_s=50)
    sights = list(scanner.look([R("d"), R("e")]))
    assert told(sights) == ["+e/a", "+e/b", "?d/a", "?d/b"]
    assert read == ["b"]
    found = {f.seen.path: f.seen.entry.content for s in sights for f in s.found}
    assert found == {"e/a": content_of(b"one"), "e/b": content_of(b"three")}


def test_a_moved_file_is_told_of_together_with_the_name_that_it_left(place: Place, scanner: Scanner) -> None:
    names = [f"{number:03}" for number in range(2 * SIGHT_PATHS_FIRST)]
    for name in names:
        place.save(f"d/{name}", name.encode())
    taken(place, scanner)
    (place.root / "d").rename(place.root / "e")
    sights = list(scanner.look([R("d"), R("e")]))
    assert len(sights) > 1
    for s in sights:
        assert [f.seen.path[2:] for f in s.found] == [m.path[2:] for m in s.missing]
    assert [m.path for s in sights for m in s.missing] == [f"d/{name}" for name in names], "each is told of once"


def test_a_file_that_nobody_looks_at_any_more_does_not_move(place: Place, scanner: Scanner, read: list[str]) -> None:
    place.save("a.bak", b"one")
    taken(place, scanner)
    scanner.ignore = IgnoreRules.parse("*.bak")
    read.clear()
    (place.root / "a.bak").rename(place.root / "b")
    assert look(scanner, "a.bak", "b") == ["+b"]
    assert read == ["b"]


def test_what_was_placed_by_ourselves_is_not_read(place: Place, scanner: Scanner, read: list[str]) -> None:
    place.save("a")
    scanner.expect([(R("a"), SYSTEMS_OWN.stat((place.root / "a").stat()), 0)])
    assert scan(scanner) == []
    assert look(scanner, "a") == []
    assert read == []
    place.save("a", b"edited", age_s=50)
    assert look(scanner, "a") == ["+a"]
    scanner.expect([(R("a"), SYSTEMS_OWN.stat((place.root / "a").stat()), 0)])
    scanner.expect([(R("a"), None, 0)])
    assert look(scanner, "a") == ["+a"]


def test_ours_is_only_what_stands_as_it_was_placed_and_where_a_look_had_nothing_else_to_tell(
    place: Place, scanner: Scanner
) -> None:
    names = ("ours", "edited", "gone", ".p2psyncignore", "was empty/ours")
    for name in names:
        place.save(name)
        scanner.expect([(R(name), SYSTEMS_OWN.stat((place.root / name).stat()), 0)])
    place.save("theirs")
    place.save("edited", b"anew", age_s=50)
    (place.root / "gone").unlink()
    place.base.rows[R("was empty")] = (EMPTY_DIRECTORY, None)
    assert scanner.ours(map(R, (*names, "theirs"))) == {"ours"}
    assert look(scanner, "was empty/ours") == ["-was empty"]


@pytest.mark.skipif(os.name == "nt", reason="no file says there whether it may be run")
def test_a_mode_that_changed_of_what_was_placed_by_ourselves_is_told(place: Place, scanner: Scanner) -> None:
    place.save("a")
    (place.root / "a").chmod(0o755)
    taken(place, scanner)
    scanner.expect([(R("a"), SYSTEMS_OWN.stat((place.root / "a").stat()), EXECUTABLE)])
    assert look(scanner, "a") == scan(scanner) == []
    (place.root / "a").chmod(0o644)
    assert look(scanner, "a") == scan(scanner) == ["+a"]


def test_what_was_placed_by_ourselves_is_not_looked_up(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []
    get_many = place.base.get_many

    def noting(paths: Iterable[RelPath]) -> Mapping[RelPath, tuple[Entry, FileStat | None]]:
        several = list(paths)
        asked.append(set(several))
        return get_many(several)

    monkeypatch.setattr(place.base, "get_many", noting)
    for name in ("d/ours", "d/theirs"):
        place.save(name)
    scanner.expect([(R("d/ours"), SYSTEMS_OWN.stat((place.root / "d/ours").stat()), 0)])
    assert look(scanner, "d/ours", "d/theirs", "d/gone") == ["+d/theirs"]
    assert asked[0] == {"d", "d/theirs", "d/gone"}


def test_ignore_rules_that_were_placed_by_ourselves_hold(place: Place, scanner: Scanner) -> None:
    place.save(".p2psyncignore", b"*.tmp\n")
    scanner.expect([(R(".p2psyncignore"), SYSTEMS_OWN.stat((place.root / ".p2psyncignore").stat()), 0)])
    assert look(scanner, ".p2psyncignore") == []
    assert scanner.rules_changed
    assert scanner.ignore.ignores(R("a.tmp"), False)


def test_a_file_looked_at_twice_is_read_once(place: Place, scanner: Scanner, read: list[str]) -> None:
    place.save("a", age_s=0.5)
    place.save("torn.crp", b"KEY=")
    for _ in range(3):
        assert look(scanner, "a", "torn.crp") == ["+a", "+torn.crp"]
    assert read == ["a", "torn.crp"]


def test_a_file_saved_within_the_tick_of_the_clock_is_read_again(
    place: Place, scanner: Scanner, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.save("a", b"one", age_s=0)
    now_ns = (place.root / "a").stat().st_mtime_ns + 5_000_000
    monkeypatch.setattr("p2psync.fs.inspector.time.time_ns", lambda: now_ns)
    sights = list(scanner.look([R("a")]))
    assert 0 < sights[0].found[0].racy_s < 0.1
    place.base.take_all(sights)
    stamp = (place.root / "a").stat().st_mtime_ns
    (place.root / "a").write_bytes(b"two")
    os.utime(place.root / "a", ns=(stamp, stamp))
    now_ns += 50_000_000
    assert look(scanner, "a") == ["+a"]
    assert read == ["a", "a"]
    place.base.take_all(list(scanner.look([R("a")])))
    assert look(scanner, "a") == []
    assert read == ["a", "a"], "now its stat can be trusted"


def test_large_files_are_left_to_a_patient_reader(
    place: Place, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "LARGE_BYTES", 10)
    monkeypatch.setattr("p2psync.fs.scanner.LARGE_BYTES", 10)
    place.save("big", bytes(11))
    place.save("fresh", bytes(11), age_s=0.05)
    place.save("small")
    assert look(scanner, "big", "fresh", "small") == ["+small", "Lbig", "Lfresh"]
    assert told(scanner.look([R("big"), R("fresh")], large=BeingRead(R("big")))) == ["+big", "+fresh"]
    place.save("fresh", bytes(12), age_s=0.05)
    assert scan(scanner) == ["+big", "+small", "Lfresh"]
    sights = list(scanner.scan())
    assert [told([s]) for s in sights][:1] == [["+big"]], "what was found does not wait for the next big file"

"""What differs from base is an edit, unless the past of the folder is unknown: then nothing old is published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2psync.core.change import Change
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, EXECUTABLE, FileStat
from p2psync.core.ids import ChangeId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, parse_setting
from p2psync.engine.effects import Fetch, Notice, Place, PushContents
from p2psync.engine.events import FolderOpened, Observed, Outcome, Seen
from p2psync.engine.ledger import Taken
from p2psync.engine.state import BaseRow, TodoKind, VersionRow
from tests.engine.ledgers import RESTRICTED_RULES
from tests.engine.rig import Rig, content, file, seen

PATH = parse("a.txt")


def ids(taken: list[Taken]) -> list[ChangeId]:
    return [ChangeId(one.row.hash, index) for one in taken for index in range(len(one.paths))]


# -- edits -------------------------------------------------------------------------------------------


def test_a_new_file_is_announced_and_becomes_base() -> None:
    rig = Rig()
    [taken] = rig.sees("a.txt", "one")
    [change] = ids([taken])
    assert rig.base("a.txt") == BaseRow(PATH, file("one"), FileStat(3, 1_000, 1), (change,))
    [head] = rig.desk.heads("a.txt")
    assert (head.id, head.entry, head.parents) == (change, file("one"), ())
    assert rig.effects() == [PushContents(rig.desk.mandate, (content("one"),))], "it stands where it should"


def test_an_edit_names_what_stood_there() -> None:
    rig = Rig()
    [first] = ids(rig.sees("a.txt", "one"))
    [second] = ids(rig.sees("a.txt", "two"))
    [third] = ids(rig.sees("a.txt", None))
    assert rig.base("a.txt") is None
    [fourth] = ids(rig.sees("a.txt", "four"))
    changes = rig.desk.state.changes([first, second, third, fourth])
    assert [changes[i].parents for i in (first, second, third, fourth)] == [(), (first,), (second,), (third,)]
    assert [changes[i].stamp for i in (first, second, third, fourth)] == [1, 2, 3, 4]


def test_what_is_as_it_was_is_no_edit() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    assert rig.sees("a.txt", "one") == []
    assert rig.sees("other.txt", None) == []
    later = Seen(PATH, replace(file("one"), mtime_ns=9_999), FileStat(3, 9_999, 1))
    assert rig.look(later) == [], "a time alone is no change"
    base = rig.base("a.txt")
    assert base is not None
    assert (base.stat, base.entry.mtime_ns) == (FileStat(3, 9_999, 1), 1_000), "but its stat is noted"
    for known_ns, noted_ns in ((7, 7), (5, 7), (9, 9)):
        rig.look(replace(later, stat=FileStat(3, 9_999, 1, known_ns)))
        assert getattr(rig.desk.state.bases([PATH])[PATH].stat, "known_ns", None) == noted_ns, "and when it was so last"


@pytest.mark.parametrize("entry", [file("one", EXECUTABLE), EMPTY_DIRECTORY])
def test_a_mode_or_a_directory_is_an_edit(entry: object) -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    assert len(rig.look(Seen(PATH, entry))) == 1  # type: ignore[arg-type]
    assert rig.desk.heads("a.txt")[0].entry == entry


def test_a_batch_is_one_block_with_what_vanished_last() -> None:
    rig = Rig()
    rig.sees("old.txt", "one")
    [taken] = rig.look(seen("old.txt", None), seen("new.txt", "one"), seen("b.txt", "two"))
    assert taken.paths == ("new.txt", "b.txt", "old.txt")


def test_a_path_that_is_seen_twice_is_what_was_seen_last() -> None:
    """Two changes of one path in a block would be refused by everybody."""
    rig = Rig()
    [taken] = rig.look(seen("a.txt", "one"), seen("a.txt", "two"))
    assert taken.paths == ("a.txt",)
    rig.author.read(rig.desk)
    assert [h.entry.content for h in rig.author.heads("a.txt")] == [content("two")]


def test_each_class_goes_to_its_own_log() -> None:
    rig = Rig(rules=RESTRICTED_RULES, role=Role.PAYROLL)
    taken = rig.look(seen("a.ecs", "one"), seen("a.txt", "one"), seen("b.ecs", "one"))
    assert sorted((t.file_class, t.paths) for t in taken) == [
        ("", ("a.txt",)),
        ("restricted *.ecs", ("a.ecs", "b.ecs")),
    ]
    assert [row.heads for row in rig.desk.state.all_bases()] == [
        (h.id,) for p in ("a.ecs", "a.txt", "b.ecs") for h in rig.desk.heads(p)
    ]


def test_programs_overwrite_bookkeeping_files_so_each_version_is_copied() -> None:
    rig = Rig()
    changes = ids(rig.look(seen("x.crp", "one"), seen("x.ecf", "two"), seen("x.ecc", "three"), seen("x.txt", "four")))
    assert [(k.path, k.entry, k.reason, k.change) for k in rig.keeps()] == [
        ("x.crp", file("one"), "edited", changes[0]),
        ("x.ecf", file("two"), "edited", changes[1]),
        ("x.ecc", file("three"), "edited", changes[2]),
    ]
    rig.sees("x.crp", None)
    assert rig.keeps() == []


def test_problems_are_shown_until_they_are_over() -> None:
    rig = Rig()
    problems = (Problem("a.txt", Code.LOCKED), Problem("b.txt", Code.UNREADABLE))
    rig.replica.observation.observe(Observed(rig.desk.mandate, (), problems))
    rig.desk.state.put_problems([Problem("a.txt", Code.EDIT_REFUSED)])
    rig.replica.observation.observe(Observed(rig.desk.mandate, (), (), (PATH,)))
    assert rig.problems == [("a.txt", Code.EDIT_REFUSED), ("b.txt", Code.UNREADABLE)]


# -- what the others wrote ---------------------------------------------------------------------------


def test_the_content_of_a_head_is_adopted_and_not_announced_again() -> None:
    rig = Rig()
    change = rig.author.save("a.txt", "one")
    rig.takes_in()
    assert rig.todo() == ["a.txt"]
    assert rig.look(Seen(PATH, file("one"), FileStat(3, 1_000, 1))) == []
    base = rig.base("a.txt")
    assert base is not None
    assert base.heads == (change,)
    assert rig.todo() == []


def test_an_edit_of_an_older_version_is_a_conflict() -> None:
    rig = Rig()
    [first] = ids(rig.sees("a.txt", "old"))
    rig.author.read(rig.desk)
    rig.author.save("a.txt", "one")
    rig.takes_in()
    [mine] = ids(rig.sees("a.txt", "mine"))
    assert rig.desk.state.changes([mine])[mine].parents == (first,)
    assert rig.desk.texts("a.txt") == {"one", "mine"}


def test_an_edit_of_a_merged_view_names_all_its_heads() -> None:
    rig = Rig()
    rig.sees("x.ecc", "mine")
    theirs = rig.author.save("x.ecc", "yours")
    rig.takes_in()
    mine = next(h.id for h in rig.desk.heads("x.ecc") if h.id != theirs)
    rig.desk.state.put_bases([BaseRow(parse("x.ecc"), file("both"), None, (mine, theirs))])
    [edit] = ids(rig.sees("x.ecc", "three"))
    assert set(rig.desk.state.changes([edit])[edit].parents) == {mine, theirs}


def test_a_file_made_where_several_removed_one_follows_their_removals() -> None:
    rig = Rig()
    rig.sees("a.txt", "old")
    rig.author.read(rig.desk)
    removals = [rig.author.save("a.txt", None), *ids(rig.sees("a.txt", None))]
    rig.takes_in()
    [made] = ids(rig.sees("a.txt", "new"))
    assert set(rig.desk.state.changes([made])[made].parents) == set(removals)


def test_a_file_made_where_another_is_on_its_way_knew_nothing_of_it() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.takes_in()
    [mine] = ids(rig.sees("a.txt", "mine"))
    assert rig.desk.state.changes([mine])[mine].parents == ()


# -- forbidden edits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rig", "path"),
    [
        (Rig(role=Role.READER), "a.txt"),
        (Rig(role=Role.KEEPER), "a.txt"),
        (Rig(role=Role.PAYROLL, rules=DEFAULT_RULES.with_setting(parse_setting("*.crp=enforce"))), "a.crp"),
    ],
    ids=["reader", "keeper", "enforced"],
)
def test_a_forbidden_edit_is_not_announced_and_the_winner_comes_back(rig: Rig, path: str) -> None:
    rig.author.save(path, "one")
    rig.takes_in().shows(path, "one")
    before = rig.desk.outcome()
    assert rig.sees(path, "mine") == []
    assert rig.desk.outcome() == before
    assert rig.problems == [(path, Code.EDIT_REFUSED)]
    base = rig.base(path)
    assert base is not None
    assert base.heads == (), "bytes that are no accepted change"
    effects = rig.effects()
    assert [(n.name, n.fields) for n in effects if isinstance(n, Notice)] == [("edit.refused", (("path", path),))]
    [fetch] = [e for e in effects if isinstance(e, Fetch)]
    assert [w.content for w in fetch.wanted] == [content("one")]
    rig.fetched("one")
    [item] = rig.places()
    assert (item.expect, item.put, item.keep_reason) == (file("mine"), rig.desk.heads(path)[0].entry, "refused")
    rig.placed(Outcome(parse(path), True, stat=FileStat(3, 1, 2)))
    [version] = rig.desk.state.versions(parse(path))
    assert (version.content, version.reason) == (content("mine"), "refused")


@pytest.mark.parametrize(("role", "path"), [(Role.READER, "a.txt"), (Role.PAYROLL, "a.crp")])
def test_a_forbidden_removal_is_undone(role: Role, path: str) -> None:
    rig = Rig(role=role)
    rig.author.save(path, "one")
    rig.takes_in().shows(path, "one")
    assert rig.sees(path, None) == []
    assert rig.base(path) is None
    assert rig.todo() == [path]
    rig.shows(path, "one")


def test_a_forbidden_new_file_goes_into_the_versions() -> None:
    rig = Rig(role=Role.READER)
    rig.look(seen("a.txt", "mine"), seen("b.txt", None))
    [item] = rig.places()
    assert (item.path, item.expect, item.put, item.keep_reason) == ("a.txt", file("mine"), ABSENT, "refused")


# -- a folder whose past is not known ----------------------------------------------------------------


def test_known_content_is_behind_and_gets_the_winner() -> None:
    rig = Rig()
    first = rig.author.save("a.txt", "one")
    second = rig.author.save("a.txt", "two")
    rig.author.save("a.txt", "three")
    rig.takes_in()
    rig.open({"a.txt": "two"}, continuous=False)
    base = rig.base("a.txt")
    assert base is not None
    assert base.heads == (second,) != (first,)
    assert rig.todo() == ["a.txt"]
    rig.shows("a.txt", "three")
    assert rig.problems == []


def test_nothing_missing_counts_as_deleted() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    rig.open({}, continuous=False)
    assert rig.desk.texts("a.txt") == {"one"}
    assert rig.todo() == ["a.txt"]
    rig.shows("a.txt", "one")


def test_from_then_on_an_edit_is_an_edit() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.author.save("a.txt", "two")
    rig.takes_in().open({"a.txt": "two"}, continuous=False)
    assert len(rig.sees("a.txt", "one")) == 1, "an undo, though it equals an older version"


def test_what_is_unknown_is_judged_when_it_is_known_what_the_mandate_holds() -> None:
    rig = Rig(opened=False)
    rig.author.save("theirs.txt", "one")
    rig.open({"theirs.txt": "mine", "new.txt": "mine"}, continuous=False)
    assert rig.desk.state.all_changes() == []
    assert rig.todo(TodoKind.JUDGE) == ["new.txt", "theirs.txt"]
    assert rig.replica.waiting() == 2
    assert rig.effects() == [], "nothing was heard of the others yet"
    rig.takes_in()
    assert rig.todo() == [], "nothing is placed over what was not judged"
    rig.replica.observation.ready_to_judge = True
    [taken] = rig.replica.pump()
    assert taken.paths == ("new.txt",), "the mandate never had it"
    assert rig.problems == [("theirs.txt", Code.SET_ASIDE)]
    effects = rig.scope.take_effects()
    assert [n.name for n in effects if isinstance(n, Notice)] == ["file.set_aside"]
    assert [w.content for e in effects if isinstance(e, Fetch) for w in e.wanted] == [content("one")]
    rig.fetched("one")
    [item] = rig.places()
    assert (item.expect, item.keep_reason) == (file("mine"), "refused")


def test_an_edit_of_what_is_not_judged_yet_is_not_judged_either() -> None:
    rig = Rig(opened=False).open({"a.txt": "mine"}, continuous=False)
    assert rig.sees("a.txt", "two") == []
    assert rig.todo(TodoKind.JUDGE) == ["a.txt"]
    rig.replica.observation.ready_to_judge = True
    [taken] = rig.replica.pump()
    assert rig.desk.texts("a.txt") == {"two"}
    assert taken.paths == ("a.txt",)


def test_what_a_newcomer_saves_before_its_admission_is_known_to_it_counts_afterwards() -> None:
    rig = Rig(opened=False)
    rig.newcomer().open()
    assert rig.sees("new.txt", "mine") == []
    assert rig.sees("short-lived.txt", "mine") == []
    assert rig.sees("short-lived.txt", None) == []
    assert rig.problems == []
    assert rig.todo(TodoKind.JUDGE) == ["new.txt"]
    rig.author.admit(rig.desk)
    rig.takes_in()
    rig.replica.observation.ready_to_judge = True
    [taken] = rig.replica.pump()
    assert taken.paths == ("new.txt",)
    assert rig.problems == []


def test_what_vanished_before_it_was_judged_was_nothing() -> None:
    rig = Rig(opened=False).open({"a.txt": "mine"}, continuous=False)
    rig.sees("a.txt", None)
    assert rig.todo(TodoKind.JUDGE) == []
    rig.replica.observation.ready_to_judge = True
    assert rig.replica.pump() == []


def test_what_arrived_meanwhile_is_recognised() -> None:
    """Found before the log was there: an older version, and the winner itself."""
    rig = Rig(opened=False).open({"old.txt": "one", "now.txt": "two", "other.txt": "mine"}, continuous=False)
    for path in ("old.txt", "now.txt", "other.txt"):
        rig.author.save(path, "one")
        rig.author.save(path, "two")
    rig.takes_in()
    rig.replica.observation.ready_to_judge = True
    assert rig.replica.pump() == []
    assert rig.problems == [("other.txt", Code.SET_ASIDE)]
    rig.fetched("two")
    assert {i.path: i.keep_reason for i in rig.places()} == {"old.txt": "replaced", "other.txt": "refused"}


def test_a_directory_that_was_found_is_no_news_where_one_is() -> None:
    rig = Rig(opened=False)
    rig.replica.observation.opened(FolderOpened(rig.desk.mandate, False, b"epoch"))
    rig.look(Seen(parse("dir"), EMPTY_DIRECTORY))
    rig.look(Seen(parse("other"), EMPTY_DIRECTORY))
    rig.replica.observation.scan_finished(True)
    rig.author.save("other", "one")
    rig.author.ledger.append([Change(parse("dir"), EMPTY_DIRECTORY, ())], "", 1)
    rig.takes_in()
    rig.replica.observation.ready_to_judge = True
    assert rig.replica.pump() == []
    base = rig.base("dir")
    assert base is not None
    assert base.heads == (rig.author.heads("dir")[0].id,)
    assert rig.problems == [], "a directory has no bytes that could be lost"


def test_a_reader_publishes_nothing_that_it_found() -> None:
    rig = Rig(role=Role.READER, opened=False).open({"mine.txt": "mine"}, continuous=False)
    rig.replica.observation.ready_to_judge = True
    assert rig.replica.pump() == []
    assert rig.problems == [("mine.txt", Code.EDIT_REFUSED)]


@pytest.mark.parametrize("complete", [True, False])
def test_a_scan_that_broke_off_ends_nothing(complete: bool) -> None:
    rig = Rig(opened=False)
    observation = rig.replica.observation
    observation.opened(FolderOpened(rig.desk.mandate, False, b"epoch"))
    observation.ready_to_judge = True
    rig.sees("a.txt", "one")
    observation.scan_finished(complete)
    assert observation.scanned is complete
    assert (rig.replica.pump() != []) is complete
    assert (rig.sees("b.txt", "two") != []) is complete


def test_it_is_remembered_that_the_past_is_not_known() -> None:
    rig = Rig()
    rig.replica.observation.opened(FolderOpened(rig.desk.mandate, False, b"epoch"))
    rig.restart()
    rig.replica.observation.opened(FolderOpened(rig.desk.mandate, True, b"later"))
    assert rig.sees("a.txt", "one") == []
    assert rig.desk.state.get("epoch") == b"later"
    rig.replica.observation.scan_finished(True)
    rig.restart().open({"a.txt": "one"})
    assert rig.todo(TodoKind.JUDGE) == ["a.txt"]
    assert len(rig.sees("b.txt", "two")) == 1, "known again, now also after a restart"


def test_after_a_restore_the_losers_are_kept_again() -> None:
    rig = Rig()
    rig.sees("a.txt", "mine")
    rig.author.save("a.txt", "yours")
    rig.takes_in()
    loser = next(h for h in rig.desk.heads("a.txt") if h.entry.content == content("yours"))
    for text in ("yours", "mine"):
        rig.desk.state.add_versions([VersionRow(PATH, content(text), 5, 0, 0, "conflict", None, loser.id)])
    rig.desk.state.drop_todo(TodoKind.KEEP, [PATH])
    kept = frozenset({content("mine")})
    rig.replica.observation.opened(FolderOpened(rig.desk.mandate, False, b"epoch", kept))
    assert rig.todo(TodoKind.KEEP) == ["a.txt"]
    assert {version.content for version in rig.desk.state.versions(PATH)} == kept


# -- placements under way ----------------------------------------------------------------------------


def test_what_is_seen_while_a_placement_is_in_flight_is_looked_at_again() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.takes_in().effects()
    rig.fetched("one")
    assert [i.path for i in rig.places()] == ["a.txt"]
    assert rig.sees("a.txt", "mine") == []
    assert rig.replica.observation.missed == {"a.txt"}
    assert rig.sees("a.txt", None) == [], "as it was: nothing to see"


def test_a_placement_that_a_crash_cut_off_is_recognised() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.takes_in().effects()
    rig.fetched("one")
    assert len(rig.places()) == 1
    rig.author.save("a.txt", "two")
    rig.restart().takes_in().open({"a.txt": "one"})
    base = rig.base("a.txt")
    assert base is not None
    assert base.entry.content == content("one")
    assert rig.desk.texts("a.txt") == {"two"}, "nobody edited anything"
    rig.shows("a.txt", "two")
    assert len(rig.sees("a.txt", "one")) == 1, "but this is an edit: the scan is over"


# -- damage ------------------------------------------------------------------------------------------


def test_what_a_disk_damaged_is_no_edit_and_what_was_accepted_comes_back() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    rig.effects()
    rig.replica.observation.mend([Seen(PATH, file("two"), FileStat(3, 1_000, 1))])
    assert rig.base("a.txt") == BaseRow(PATH, file("two"), FileStat(3, 1_000, 1), ())
    assert [head.entry for head in rig.desk.heads("a.txt")] == [file("one")], "nothing was announced"
    notice, fetch = rig.effects()
    assert isinstance(notice, Notice)
    assert (notice.name, dict(notice.fields)["path"]) == ("file.damaged", PATH)
    assert isinstance(fetch, Fetch)
    [place] = rig.fetched("one").of(Place)
    assert [(item.expect, item.put, item.keep_reason) for item in place.items] == [
        (file("two"), file("one"), "damaged")
    ]


def test_what_was_saved_since_it_was_read_is_not_mended() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    rig.replica.observation.mend([Seen(PATH, file("two"), FileStat(3, 2_000, 1)), *seen_nothing()])
    base = rig.base("a.txt")
    assert base is not None
    assert base.entry == file("one")


def seen_nothing() -> list[Seen]:
    """A path of which nothing is known."""
    return [Seen(parse("b.txt"), file("b"), FileStat(1, 1_000, 1))]

"""What a program saved outside of the folder is an edit of what it was made from; and what the folder shows it."""

from __future__ import annotations

from p2psync.core.changelog import Stated
from p2psync.core.entry import ABSENT
from p2psync.core.ids import ChangeId
from p2psync.core.problem import Code
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.engine.events import FolderOpened
from tests.engine.rig import Rig, content, file

PATH = parse("a.crp")


def submit(rig: Rig, text: str, *parents: ChangeId) -> tuple[ChangeId, ...]:
    return rig.replica.observation.submit(PATH, file(text), parents)[1]


def head(rig: Rig, text: str) -> Stated:
    return next(h for h in rig.desk.heads("a.crp") if h.entry.content == content(text))


def test_a_new_file_is_announced_and_placed() -> None:
    rig = Rig()
    (made,) = submit(rig, "one")
    assert (head(rig, "one").id, head(rig, "one").parents) == (made, ())
    assert rig.base("a.crp") is None, "base is what stands in the folder"
    assert rig.desk.state.has_version([content("one")]) == {content("one")}
    shown = rig.replica.shown(PATH)
    assert (shown.entry, shown.arriving) == (ABSENT, True)
    rig.shows("a.crp", "one")
    shown = rig.replica.shown(PATH)
    assert (shown.entry, shown.heads, shown.arriving, shown.losers) == (file("one"), (made,), False, ())


def test_an_edit_names_what_it_was_made_from_and_not_what_arrived_meanwhile() -> None:
    rig = Rig(role=Role.PAYROLL)
    (first,) = submit(rig, "one")
    rig.shows("a.crp", "one")
    rig.author.read(rig.desk)
    rig.author.save("a.crp", "theirs")
    rig.takes_in().shows("a.crp", "theirs")
    (mine,) = submit(rig, "mine", first)
    assert head(rig, "mine").parents == (first,)
    assert {h.entry.content for h in rig.desk.heads("a.crp")} == {content("theirs"), content("mine")}
    shown = rig.replica.shown(PATH)
    assert (shown.entry.content, shown.losers) == (content("theirs"), (mine,)), "accounting wins"


def test_what_is_a_head_already_is_not_announced_again() -> None:
    rig = Rig()
    made = submit(rig, "one")
    assert rig.replica.observation.submit(PATH, file("one"), ()) == ([], made)


def test_a_file_that_was_removed_comes_back_with_the_removal_as_its_parent() -> None:
    rig = Rig()
    submit(rig, "one")
    rig.shows("a.crp", "one")
    rig.sees("a.crp", None)
    (gone,) = rig.desk.heads("a.crp")
    shown = rig.replica.shown(PATH)
    assert (shown.entry, shown.heads, shown.arriving) == (ABSENT, (gone.id,), False)
    submit(rig, "two")
    assert [h.parents for h in rig.desk.heads("a.crp")] == [(gone.id,)]


def test_parents_that_are_not_known_any_more_are_left_out() -> None:
    rig = Rig()
    (first,) = submit(rig, "one")
    unknown = first._replace(position=7)
    submit(rig, "two", first, unknown)
    assert head(rig, "two").parents == (first,)


def test_what_this_device_may_not_change_is_kept_and_told() -> None:
    rig = Rig(role=Role.READER)
    rig.author.save("a.crp", "theirs")
    rig.takes_in().shows("a.crp", "theirs")
    base = rig.base("a.crp")
    assert base is not None
    assert submit(rig, "mine", *base.heads) == ()
    assert rig.problems == [("a.crp", Code.EDIT_REFUSED)]
    (kept, *_) = rig.desk.state.versions(PATH)
    assert (kept.content, kept.reason) == (content("mine"), "refused")
    assert not rig.replica.shown(PATH).may_publish


def test_nothing_is_shown_before_the_folder_was_looked_at() -> None:
    rig = Rig()
    submit(rig, "one")
    rig.shows("a.crp", "one")
    rig.replica.opened(FolderOpened(rig.desk.mandate, True, b"epoch"))
    assert rig.replica.shown(PATH).arriving
    rig.open({"a.crp": "one"})
    assert not rig.replica.shown(PATH).arriving


def test_a_file_that_is_not_judged_yet_is_not_shown() -> None:
    """It was found in the folder while it was not known what the mandate holds."""
    rig = Rig(opened=False)
    rig.open({"a.crp": "found"}, continuous=False)
    assert rig.replica.shown(PATH).arriving

"""What a program writes into a file that it held open while this was replaced is an edit of what it had before it."""

from __future__ import annotations

import pytest

from p2psync.core.changelog import Stated
from p2psync.core.ids import ChangeId
from p2psync.core.problem import Code
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, parse_setting
from p2psync.engine.events import LateWrite, WrittenLate
from p2psync.engine.ledger import Taken
from p2psync.engine.state import TodoKind, VersionRow
from tests.engine.rig import Rig, content, file
from tests.engine.village import Village

NEWEST = DEFAULT_RULES.with_setting(parse_setting("*.txt=newest"))


def replaced(role: Role = Role.ACCOUNTING, put: str | None = "theirs") -> tuple[Rig, tuple[ChangeId, ...]]:
    """A file of the mandate stood here, and another version has just taken its place; and the heads that stood."""
    rig = Rig(rules=NEWEST, role=role)
    rig.author.save("a.txt", "old")
    rig.takes_in().shows("a.txt", "old")
    base = rig.base("a.txt")
    assert base is not None
    rig.author.save("a.txt", put)
    rig.takes_in()
    return rig.shows("a.txt", put), base.heads


def late(rig: Rig, text: str, stood: tuple[ChangeId, ...], path: str = "a.txt", **others: object) -> list[Taken]:
    fields: dict[str, object] = {"before": None, "whole": True, **others}
    return rig.replica.observation.written_late([LateWrite(parse(path), file(text), stood, **fields)])  # type: ignore[arg-type]


def heads(rig: Rig) -> dict[str, Stated]:
    names = {content(text): text for text in ("old", "theirs", "late", "later", "again")}
    return {"gone" if h.entry.content is None else names[h.entry.content]: h for h in rig.desk.heads("a.txt")}


def version(rig: Rig, path: str = "a.txt") -> VersionRow:
    return rig.desk.state.versions(parse(path))[0]


def test_a_placement_tells_what_stood_there() -> None:
    rig = Rig()
    rig.author.save("a.txt", "old")
    rig.takes_in().shows("a.txt", "old")
    base = rig.base("a.txt")
    assert base is not None
    rig.author.save("a.txt", "theirs")
    rig.takes_in().fetches()
    [item] = rig.fetched("theirs").places()
    assert item.stood == base.heads != ()


def test_it_is_announced_as_an_edit_of_what_stood_there_before() -> None:
    rig, stood = replaced()
    [taken] = late(rig, "late", stood)
    assert heads(rig).keys() == {"theirs", "late"}, "a conflict by the ordinary rules"
    assert heads(rig)["late"].parents == stood
    assert heads(rig)["late"].author == rig.desk.id
    assert taken.paths == ("a.txt",)
    assert (version(rig).content, version(rig).reason, version(rig).change) == (
        *(content("late"), "edited"),
        heads(rig)["late"].id,
    )


def test_base_stays_what_the_disk_shows_until_the_winner_is_placed() -> None:
    rig, stood = replaced()
    late(rig, "late", stood)
    base = rig.base("a.txt")
    assert base is not None
    assert base.entry.content == content("theirs")
    winner = rig.desk.ledger.verdict(parse("a.txt"), rig.desk.heads("a.txt")).winner
    assert winner is not None
    name = next(text for text, head in heads(rig).items() if head.id == winner.id)
    rig.shows("a.txt", name)


def test_a_program_that_goes_on_edits_what_it_wrote_the_last_time() -> None:
    rig, stood = replaced()
    late(rig, "late", stood)
    first = heads(rig)["late"].id
    late(rig, "later", stood, before=content("late"), overwritten=content("late"))
    assert heads(rig).keys() == {"theirs", "later"}
    assert heads(rig)["later"].parents == (first,)
    assert rig.desk.state.has_version([content("late"), content("later")]) == {content("later")}


def test_two_programs_that_had_different_versions_open_differ() -> None:
    rig, stood = replaced()
    path = parse("a.txt")
    writes = [LateWrite(path, file(text), stood, None, True) for text in ("late", "again")]
    assert len(rig.replica.observation.written_late(writes)) == 2
    assert heads(rig).keys() == {"theirs", "late", "again"}


def test_a_removed_file_comes_back_with_what_was_written() -> None:
    rig, stood = replaced(put=None)
    late(rig, "late", stood)
    assert heads(rig).keys() == {"gone", "late"}
    rig.shows("a.txt", "late")


def test_what_is_a_head_already_is_not_announced_again() -> None:
    rig, stood = replaced()
    assert late(rig, "theirs", stood) == []
    assert heads(rig).keys() == {"theirs"}
    assert version(rig).change == heads(rig)["theirs"].id


def test_half_of_a_file_is_kept_and_not_announced() -> None:
    rig, stood = replaced()
    assert late(rig, "late", stood, whole=False) == []
    assert (version(rig).content, version(rig).reason) == (content("late"), "edited")
    [_] = late(rig, "later", stood, before=content("late"))
    assert heads(rig)["later"].parents == stood


def test_who_may_not_write_may_not_write_late() -> None:
    rig, stood = replaced(role=Role.READER)
    assert late(rig, "late", stood) == []
    assert heads(rig).keys() == {"theirs"}
    assert rig.problems == [("a.txt", Code.EDIT_REFUSED)]
    assert version(rig).reason == "refused"


@pytest.mark.parametrize("stood", [(), (ChangeId(b"n" * 32, 0),)])  # type: ignore[arg-type]
def test_what_was_set_aside_stays_aside(stood: tuple[ChangeId, ...]) -> None:
    """What stood there was no change of the mandate: published without parents it might win."""
    rig, _ = replaced()
    assert late(rig, "late", stood) == []
    assert rig.problems == [("a.txt", Code.SET_ASIDE)]
    assert version(rig).reason == "set-aside"


def test_a_loser_whose_kept_bytes_were_written_over_is_fetched_again() -> None:
    rig, stood = replaced(role=Role.READER)
    rig.author.save("a.txt", "again", naming=stood)
    rig.takes_in()
    loser = next(loser for loser in rig.replica.plan.aims([parse("a.txt")])[parse("a.txt")].losers)
    text = next(t for t in ("theirs", "again") if content(t) == loser.entry.content)
    rig.desk.state.add_versions([VersionRow(parse("a.txt"), content(text), 1, 0, 0, "conflict", None, loser.id)])
    assert content(text) not in rig.fetches()
    late(rig, "late", stood, overwritten=content(text))
    assert content(text) in rig.fetches()


def test_so_is_one_of_another_path() -> None:
    rig, stood = replaced(role=Role.READER)
    rig.author.save("b.txt", "theirs")
    rig.author.save("b.txt", "again", naming=[])
    rig.takes_in()
    [loser] = rig.replica.plan.aims([parse("b.txt")])[parse("b.txt")].losers
    lost = loser.entry.content
    assert lost is not None
    rig.desk.state.add_versions([VersionRow(parse("b.txt"), lost, 1, 0, 0, "conflict", None, loser.id)])
    rig.effects()
    assert rig.todo(TodoKind.KEEP) == []
    late(rig, "late", stood, overwritten=lost)
    assert lost in rig.fetches()


def test_every_pc_comes_to_the_same_outcome_and_the_loser_is_kept_by_all() -> None:
    village = Village("a", "b")
    village.admit("a", "b")
    village.connect("a", "b")
    village.save("a", "x.txt", b"old")
    village.settle()
    base = village["b"].m.state.bases([parse("x.txt")])[parse("x.txt")]
    village.save("a", "x.txt", b"theirs")
    village.settle()
    house = village["b"]
    assert house.disk["x.txt"] == b"theirs"
    house.versions[content("late")] = b"late"
    write = LateWrite(parse("x.txt"), file("late"), base.heads, None, True, content("old"))
    village.tell(house, WrittenLate(house.m.id, (write,)))
    village.settle()
    village.assert_equal("a", "b")
    for name in ("a", "b"):
        [conflict] = village[name].admin.conflicts()
        shown = {content("late"): b"late", content("theirs"): b"theirs"}
        [loser] = conflict.losers
        assert conflict.winner.entry.content is not None
        assert loser.entry.content is not None
        assert village[name].disk["x.txt"] == shown[conflict.winner.entry.content]
        assert village[name].versions[loser.entry.content] == shown[loser.entry.content]


def test_what_is_told_again_after_a_crash_is_announced_once() -> None:
    rig, stood = replaced()
    assert len(late(rig, "late", stood)) == 1
    rig.author.save("a.txt", "later")
    rig.takes_in().shows("a.txt", "later")
    before = heads(rig).keys()
    assert late(rig, "late", stood) == []
    assert heads(rig).keys() == before
    assert not rig.desk.state.problems()


def test_what_a_program_wrote_before_and_writes_again_is_another_edit() -> None:
    rig, stood = replaced()
    late(rig, "late", stood)
    late(rig, "later", stood, before=content("late"))
    assert len(late(rig, "late", stood, before=content("later"))) == 1

"""What is decided about a program's file: never a delivery over an edit, never an edit that is not published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.entry import ABSENT, Entry
from p2psync.core.ids import BlockHash, ChangeId, ContentId, MandateId, content_of
from p2psync.core.relpath import parse
from p2psync.engine.bridge import Act, Attachment, Delivery, Held, Mode, Shown, Stage, after_removal, decide
from tests.engine.rig import file

AUTO = Attachment(MandateId(b"m" * 16), parse("Cargo.crp"), "/books/Cargo.crp", Mode.AUTO, "accounting")
UNDER_WAY = Delivery(Stage.READY, ".part", content_of(b"B"), (), None, ())


def heads(text: str) -> tuple[ChangeId, ...]:
    return (ChangeId(BlockHash(content_of(text.encode())), 0),) if text else ()


def entry(text: str) -> Entry:
    """ "" for nothing there."""
    return file(text) if text else ABSENT


def agreed(text: str, mode: Mode = Mode.AUTO) -> Attachment:
    return replace(AUTO, mode=mode, agreed=entry(text).content, heads=heads(text))


def shown(text: str, **others: Any) -> Shown:
    return replace(Shown(entry(text), heads(text)), **others)


def act(before: str, here: str, there: str, mode: Mode = Mode.AUTO, asked: bool = False, **others: Any) -> Act:
    held_fields = {name: others.pop(name) for name in ("settled", "is_open", "is_returned") if name in others}
    held = replace(Held(entry(here)), **held_fields)
    return decide(agreed(before, mode), held, shown(there, **others), asked=asked)


@pytest.mark.parametrize(
    ("before", "here", "there", "expected"),
    [
        ("", "A", "", Act.PUBLISH),
        ("", "A", "A", Act.AGREE),
        ("", "A", "B", Act.COLLIDES),
        ("A", "A", "A", Act.NOTHING),
        ("A", "B", "A", Act.PUBLISH),
        ("A", "A", "B", Act.DELIVER),
        ("A", "B", "C", Act.PUBLISH),
        ("A", "B", "B", Act.AGREE),
        ("A", "A", "", Act.REMOVED),
        ("A", "B", "", Act.PUBLISH),
        ("A", "", "A", Act.GONE),
        ("A", "", "B", Act.DELIVER),
        ("A", "", "", Act.NOTHING),
        ("", "", "", Act.NOTHING),
    ],
)
def test_the_three_sides(before: str, here: str, there: str, expected: Act) -> None:
    assert act(before, here, there) is expected


@pytest.mark.parametrize("here", ["A", ""])
def test_whoever_wants_to_be_asked_is_asked(here: str) -> None:
    assert act("A", here, "B", Mode.ASK) is Act.OFFER
    assert act("A", here, "B", Mode.ASK, asked=True) is Act.DELIVER
    assert act("A", "B", "A", Mode.ASK) is Act.PUBLISH, "what the program saves is published all the same"


def test_a_file_that_a_program_has_open_is_left_alone() -> None:
    assert act("A", "A", "B", is_open=True) is Act.BUSY
    assert act("A", "A", "B", is_open=True, asked=True) is Act.BUSY


def test_nothing_is_done_in_the_midst_of_something() -> None:
    assert act("A", "B", "A", settled=False) is Act.WAIT
    assert act("A", "A", "B", arriving=True) is Act.WAIT
    assert act("A", "", "B", arriving=True) is Act.WAIT
    assert decide(replace(agreed("A"), delivery=UNDER_WAY), Held(entry("B")), shown("A")) is Act.WAIT
    assert act("A", "B", "C", arriving=True) is Act.PUBLISH, "an edit waits for nothing: it names what it was made from"


def test_what_came_out_is_watched_before_the_next_delivery() -> None:
    watched = replace(agreed("A"), delivery=replace(UNDER_WAY, stage=Stage.DONE))
    assert decide(watched, Held(entry("A")), shown("B")) is Act.WAIT
    assert decide(watched, Held(entry("B")), shown("A")) is Act.PUBLISH


def test_who_lost_a_conflict_is_asked_and_nobody_else() -> None:
    assert act("A", "A", "B", losers=heads("A")) is Act.OFFER
    assert act("A", "A", "B", losers=heads("A"), asked=True) is Act.DELIVER
    assert act("A", "A", "B", losers=heads("C")) is Act.DELIVER


def test_who_may_not_publish_gets_the_mandates_version_back() -> None:
    assert act("A", "B", "A", may_publish=False) is Act.REFUSE
    refused = replace(AUTO, agreed=entry("B").content)
    assert decide(refused, Held(entry("B")), shown("A", may_publish=False)) is Act.DELIVER
    assert act("A", "", "A", may_publish=False) is Act.DELIVER, "a copy that was removed comes back"
    assert decide(refused, Held(entry("B")), shown("", may_publish=False)) is Act.NOTHING


def test_a_version_out_of_a_backup_is_not_published_before_a_question() -> None:
    assert act("B", "A", "B", is_returned=True) is Act.RETURNED
    assert act("B", "A", "C", is_returned=True) is Act.RETURNED
    assert act("B", "A", "B", is_returned=True, asked=True) is Act.DELIVER


def test_an_edit_after_a_removal_brings_the_file_back() -> None:
    mine, removal = heads("A"), heads("removal")
    assert after_removal(agreed("A"), Shown(ABSENT, removal)) == removal
    lost = Shown(ABSENT, removal, losers=mine)
    assert after_removal(agreed("A"), lost) == (*removal, *mine), "and settles what was in conflict with it"
    assert after_removal(replace(agreed("A"), heads=(*removal, *mine)), lost) == (*removal, *mine)


def test_a_file_that_vanished_is_put_back_by_a_person_only() -> None:
    assert act("A", "", "A", asked=True) is Act.DELIVER


@given(
    st.sampled_from("ABC "), st.sampled_from("ABC "), st.sampled_from("ABC "), st.sampled_from(list(Mode)),
    st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
def test_nothing_is_ever_delivered_over_an_edit(
    before: str, here: str, there: str, mode: Mode,
    settled: bool, is_open: bool, returned: bool, arriving: bool, may: bool, asked: bool,
) -> None:  # fmt: skip
    before, here, there = before.strip(), here.strip(), there.strip()
    seen = {"settled": settled, "is_open": is_open, "is_returned": returned, "arriving": arriving, "may_publish": may}
    done = act(before, here, there, mode, asked, **seen)
    if done is Act.DELIVER:
        assert here in ("", before) or (returned and asked)
        assert here != there != ""
        assert settled
        assert not is_open
        assert not arriving
        assert mode is not Mode.ASK or asked
    if done in (Act.PUBLISH, Act.REFUSE):
        assert here not in ("", before)
        assert settled
        assert (done is Act.PUBLISH) == may
    if done is Act.AGREE:
        assert here == there != ""


class World:
    """A program, its file, and a mandate in which others write too; conflicts are won by either side."""

    def __init__(self) -> None:
        self.attached = AUTO
        self.file = "A"
        self.saved = ["A"]
        self.mandate = ""
        self.published: dict[str, tuple[ChangeId, ...]] = {}
        """By content, the parents that it was published with."""
        self.losers: tuple[ChangeId, ...] = ()

    def step(self, wins: bool, asked: bool) -> Act:
        done = decide(self.attached, Held(entry(self.file)), shown(self.mandate, losers=self.losers), asked=asked)
        if done is Act.AGREE:
            self._agree(self.file)
        elif done is Act.PUBLISH:
            self.published[self.file] = self.attached.heads
            in_conflict = self.mandate != "" and self.attached.heads != heads(self.mandate)
            if in_conflict and not wins:
                self.losers = (*self.losers, *heads(self.file))
            else:
                self.losers = heads(self.mandate) if in_conflict else ()
                self.mandate = self.file
            self._agree(self.file)
        elif done is Act.DELIVER:
            assert self.file in self.published or self.file not in self.saved, "an edit was replaced before it was kept"
            self.file = self.mandate
            self._agree(self.file)
        return done

    def _agree(self, text: str) -> None:
        content: ContentId | None = entry(text).content
        self.attached = replace(self.attached, agreed=content, heads=heads(text))


@given(st.lists(st.tuples(st.sampled_from(["save", "arrive", "look"]), st.booleans(), st.booleans()), max_size=30))
def test_in_any_order_each_edit_is_published_with_what_it_was_made_from(steps: list[tuple[str, bool, bool]]) -> None:
    world = World()
    world.step(True, False)
    for number, (what, wins, asked) in enumerate(steps):
        if what == "save":
            world.file = f"mine {number}"
            world.saved.append(world.file)
            before = world.attached.heads
            world.step(wins, asked)
            assert world.published[world.file] == before
        elif what == "arrive":
            world.mandate, world.losers = f"theirs {number}", ()
        else:
            world.step(wins, asked)
    for _ in range(4):
        world.step(True, True)
    assert world.file == world.mandate
    assert world.step(True, True) is Act.NOTHING

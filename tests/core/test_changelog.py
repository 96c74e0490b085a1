"""Heads depend on the set of changes alone; tips cover what lies before them, on their own branch."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.changelog import Stated, covers_block, differing, heads, stamp, with_block
from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, LogId
from tests.core.making import LOG, change_id, digest, stated

OTHER = LogId(b"o" * 16)


def among(*changes: Stated, refused: str = "") -> set[str]:
    """The names of the heads, if the changes named in `refused` are not accepted."""
    names = {change_id(name): name for name in "abcdef"}
    no = {change_id(name) for name in refused}
    return {names[i] for i in heads(changes, lambda i: i not in no)}


A = stated("a")
B = stated("b", parents=("a",))
C = stated("c", parents=("a",))
D = stated("d", parents=("b", "c"))


def test_what_is_named_is_no_head() -> None:
    assert among() == set()
    assert among(A) == {"a"}
    assert among(A, B) == {"b"}
    assert among(A, B, C) == {"b", "c"}
    assert among(A, B, C, D) == {"d"}


def test_a_change_that_is_refused_supersedes_nothing() -> None:
    assert among(A, B, C, D, refused="d") == {"b", "c"}
    assert among(A, B, refused="b") == {"a"}
    assert among(A, B, C, refused="a") == {"b", "c"}
    assert among(A, B, refused="ab") == set()


def test_what_is_settled_is_no_head_either() -> None:
    e = Stated(change_id("e"), A.author, A.path, A.entry, (change_id("b"),), (change_id("c"),), 3, 0)
    assert e.named == (change_id("b"), change_id("c"))
    assert among(A, B, C, e) == {"e"}


@st.composite
def histories(draw: st.DrawFn) -> list[Stated]:
    """Changes of one path, each naming some before it."""
    made: list[Stated] = []
    for number in range(draw(st.integers(0, 8))):
        names = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        made.append(stated(f"{number}", parents=tuple(f"{name}" for name in names)))
    return made


@given(histories(), st.data())
def test_heads_are_a_function_of_the_set(history: list[Stated], data: st.DataObject) -> None:
    refused = {c.id for c in history if data.draw(st.booleans())}
    found = heads(history, lambda i: i not in refused)
    assert heads(data.draw(st.permutations(history)), lambda i: i not in refused) == found
    accepted = [c for c in history if c.id not in refused]
    assert found <= {c.id for c in accepted}
    assert bool(found) == bool(accepted), "whatever was accepted, something stands"
    for change in accepted:
        superseded = any(change.id in other.named for other in accepted)
        assert superseded == (change.id not in found)


def test_a_stamp_counts_how_many_saves_led_here() -> None:
    assert stamp([]) == 1
    assert stamp([1]) == 2
    assert stamp([3, 7, 5]) == 8


# -- tips --------------------------------------------------------------------------------------------


class Tree:
    """The blocks of one log, which may have forked, and which of them a device knows."""

    def __init__(self, parents: list[int | None]):
        self.parents = parents
        self.seqs: list[int] = []
        for before in parents:
            self.seqs.append(1 if before is None else self.seqs[before] + 1)

    def tip(self, number: int) -> Tip:
        return Tip(self.seqs[number], digest(f"{number}"))

    def line(self, number: int | None) -> set[int]:
        """The block and all before it."""
        found: set[int] = set()
        while number is not None:
            found.add(number)
            number = self.parents[number]
        return found

    def parent(self, block: BlockHash) -> tuple[int, BlockHash | None]:
        for number, before in enumerate(self.parents):
            if digest(f"{number}") == block:
                return self.seqs[number], None if before is None else digest(f"{before}")
        raise KeyError(block)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    parents: list[int | None] = []
    for number in range(draw(st.integers(1, 9))):
        parents.append(draw(st.sampled_from([None, *range(number)])) if number else None)
    return Tree(parents)


@given(trees(), st.data())
def test_tips_cover_their_own_branches(tree: Tree, data: st.DataObject) -> None:
    numbers = st.integers(0, len(tree.parents) - 1)
    tops, block = data.draw(st.lists(numbers, max_size=3)), data.draw(numbers)
    covered = covers_block({LOG: tuple(tree.tip(t) for t in tops)}, LOG, tree.tip(block), tree.parent)
    assert covered == any(block in tree.line(top) for top in tops)
    assert not covers_block({OTHER: tuple(tree.tip(t) for t in tops)}, LOG, tree.tip(block), tree.parent)


def test_a_tip_that_is_not_known_covers_what_it_could_have_followed_from() -> None:
    tree = Tree([None, 0, 1, 1])
    unknown = {LOG: (Tip(9, digest("unknown")),)}
    assert covers_block(unknown, LOG, tree.tip(2), tree.parent)
    assert covers_block(unknown, LOG, tree.tip(3), tree.parent)
    assert not covers_block({LOG: (Tip(3, digest("unknown")),)}, LOG, tree.tip(2), tree.parent)
    assert not covers_block({LOG: (Tip(1, digest("unknown")),)}, LOG, tree.tip(2), tree.parent)


def test_a_tip_of_a_wrong_number_does_no_harm() -> None:
    """Somebody may claim a block of another number; the walk follows what is known and ends."""
    tree = Tree([None, 0, 1, 2])
    for seq in range(1, 20):
        for number in range(4):
            covers_block({LOG: (Tip(seq, digest(f"{number}")),)}, LOG, tree.tip(1), tree.parent)
    assert not covers_block({LOG: (Tip(9, digest("0")),)}, LOG, tree.tip(1), tree.parent)


@given(trees())
def test_taking_blocks_in_leaves_the_ends_of_all_branches(tree: Tree) -> None:
    tips: Mapping[LogId, tuple[Tip, ...]] = {OTHER: (Tip(1, digest("other")),)}
    for number, before in enumerate(tree.parents):
        tips = with_block(tips, LOG, tree.tip(number), None if before is None else digest(f"{before}"))
    ends = set(range(len(tree.parents))) - set(tree.parents)
    assert tips == {OTHER: (Tip(1, digest("other")),), LOG: tuple(sorted(tree.tip(end) for end in ends))}


def test_taking_a_block_in_changes_no_tips_given() -> None:
    tips = {LOG: (Tip(1, digest("a")),)}
    assert with_block(tips, LOG, Tip(2, digest("b")), digest("a")) == {LOG: (Tip(2, digest("b")),)}
    assert tips == {LOG: (Tip(1, digest("a")),)}


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ({}, [(LOG, "a"), (LOG, "b"), (OTHER, "c")]),
        ({LOG: ("a",)}, [(LOG, "b"), (OTHER, "c")]),
        ({LOG: ("a", "b"), OTHER: ("before",)}, [(OTHER, "c")]),
        ({LOG: ("a", "b"), OTHER: ("c",)}, []),
    ],
)
def test_a_clock_names_what_was_not_named_before(
    since: dict[LogId, tuple[str, ...]], expected: list[tuple[LogId, str]]
) -> None:
    def tip(name: str) -> Tip:
        return Tip(1, digest(name))

    tips = {OTHER: (tip("c"),), LOG: (tip("a"), tip("b"))}
    named = {log: tuple(map(tip, names)) for log, names in since.items()}
    assert differing(tips, named) == [(log, tip(name)) for log, name in expected]

"""One winner, the same on every device: by the rule's master first, then by what the heads themselves are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.authority import Authority, Member
from p2psync.core.changelog import Stated
from p2psync.core.conflict import Verdict, judge
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, EXECUTABLE, Entry
from p2psync.core.ids import DeviceId
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import DEFAULT_RULES, Mode, Role, parse_setting
from tests.core.making import ANNA, BERT, CARL, DORA, file, stated

ROLES = {ANNA: Role.ACCOUNTING, BERT: Role.ACCOUNTING, CARL: Role.INVOICING, DORA: Role.PAYROLL}
EMIL = DeviceId(b"e" * 32)
"""A device that is no member any more."""


def members(**roles: Role) -> dict[DeviceId, Member]:
    given = {**ROLES, **{DeviceId(name.encode() * 32): role for name, role in roles.items()}}
    return {device: Member(device, b"", "PC", role, False, 1) for device, role in given.items()}


def authority(rule: str = "", owners: dict[str, DeviceId] | None = None, primary: DeviceId | None = None) -> Authority:
    rules = DEFAULT_RULES.with_setting(parse_setting(rule)) if rule else DEFAULT_RULES
    return Authority(members=members(), rules=rules, owners=owners or {}, primary=primary)


@dataclass(frozen=True)
class Case:
    """Heads, best first: the first is to win, the others are to lose in this order."""

    name: str
    heads: tuple[Stated, ...]
    path: str = "a.txt"
    rule: str = ""
    owners: dict[str, DeviceId] = field(default_factory=dict)
    primary: DeviceId | None = None
    founders: frozenset[DeviceId] = frozenset()


def head(author: DeviceId, stamp: int = 5, entry: Entry | None = None, *, new: bool = False) -> Stated:
    """A head with content of its own, which replaces another version unless it is new."""
    name = f"{author[:1].decode()}{stamp}{new}"
    return stated(name, author, entry, () if new else ("before",), stamp)


NEWEST = [
    Case("the higher stamp wins", (head(ANNA, 6), head(DORA, 5))),
    Case("then the higher device id", (head(DORA), head(ANNA))),
    Case("then the id", (stated("x", ANNA, stamp=5), stated("y", ANNA, stamp=5))),
    Case("a master has no say", (head(CARL, 6), head(ANNA, 5)), primary=ANNA),
    Case("an edit beats a removal", (head(ANNA, 2), head(DORA, 9, ABSENT))),
    Case("a directory beats a removal", (head(ANNA, 2, EMPTY_DIRECTORY), head(DORA, 9, ABSENT))),
    Case("what knew nothing of the file loses", (head(ANNA, 2), head(DORA, 9, new=True))),
    Case("but beats a removal", (head(ANNA, 1, new=True), head(DORA, 9, ABSENT))),
    Case("three heads in order", (head(CARL, 7), head(ANNA, 6), head(DORA, 9, new=True))),
]
PREFER = [
    Case("accounting beats all", (head(ANNA, 1, new=True), head(DORA, 9), head(CARL, 8)), "x.crp"),
    Case("a master's removal beats all", (head(ANNA, 1, ABSENT), head(DORA, 9)), "x.crp"),
    Case("the primary breaks ties", (head(ANNA, 1), head(BERT, 9), head(DORA, 10)), "x.crp", primary=ANNA),
    Case("without a primary the stamp does", (head(BERT, 9), head(ANNA, 1)), "x.crp"),
    Case("a primary that is no master counts for nothing", (head(ANNA, 1), head(DORA, 9)), "x.crp", primary=DORA),
    Case("nobody's master: as newest", (head(DORA, 9), head(CARL, 8), head(DORA, 1, new=True)), "x.crp"),
    Case("one that left is no master", (head(DORA, 5), head(EMIL, 4)), "x.crp"),
    Case("the owner's role beats accounting", (head(CARL, 1, new=True), head(ANNA, 9)), "x.ecf"),
    Case("accounting beats the rest", (head(ANNA, 1), head(DORA, 9)), "x.ecf"),
    Case(
        "a named owner beats its role", (head(DORA, 1), head(ANNA, 8), head(CARL, 9)), "x.ecf", owners={"x.ecf": DORA}
    ),
    Case("a named owner of another file does not", (head(CARL, 1), head(DORA, 9)), "x.ecf", owners={"y.ecf": DORA}),
    Case("a revoked owner's file falls to accounting", (head(ANNA, 2), head(DORA, 9)), "x.ecf", owners={"x.ecf": EMIL}),
    Case("whoever made the file first owns it", (head(ANNA, 1), head(BERT, 9)), "x.crbank", founders=frozenset({ANNA})),
    Case("of two who made it the lower", (head(ANNA, 1), head(BERT, 9)), "x.crbank", founders=frozenset({ANNA, BERT})),
    Case("a founder who left owns nothing", (head(BERT, 9), head(ANNA, 1)), "x.crbank", founders=frozenset({EMIL})),
    Case("nor one of another role", (head(CARL, 1), head(DORA, 9)), "x.ecf", founders=frozenset({DORA})),
    Case(
        "a named owner comes before founders",
        (head(ANNA, 1), head(BERT, 9)),
        "x.crbank",
        owners={"x.crbank": ANNA},
        founders=frozenset({BERT}),
    ),
]
ENFORCE = [
    Case("the master beats all", (head(ANNA, 1, new=True), head(DORA, 9)), "x.crp", "*.crp=enforce"),
    Case("also by a removal", (head(ANNA, 1, ABSENT), head(DORA, 9)), "x.crp", "*.crp=enforce"),
    Case("the primary breaks ties", (head(ANNA, 1), head(BERT, 9)), "x.crp", "*.crp=enforce", primary=ANNA),
    Case("the owner's role", (head(DORA, 1), head(CARL, 9)), "x.ecs", "*.ecs=enforce"),
    Case("accounting is no master beside an owner", (head(CARL, 9), head(ANNA, 1)), "x.ecs", "*.ecs=enforce"),
]
ALL = [*NEWEST, *PREFER, *ENFORCE]


def verdict(case: Case, heads: Sequence[Stated]) -> Verdict:
    who = authority(case.rule, case.owners, case.primary)
    return judge(parse(case.path), heads, who, lambda _: case.founders)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_best_head_wins_in_whatever_order_they_come(case: Case) -> None:
    for heads in permutations(case.heads):
        assert verdict(case, heads) == Verdict(case.heads[0], case.heads[1:])


def nobody(path: RelPath) -> frozenset[DeviceId]:
    raise AssertionError(f"founders of {path} were asked for without need")


def test_one_head_or_none_needs_no_rule() -> None:
    one = head(ANNA)
    assert judge(parse("x.ecf"), [one], authority(), nobody) == Verdict(one, ())
    assert judge(parse("x.ecf"), [], authority(), nobody) == Verdict(None, ())


def test_founders_are_asked_for_only_where_a_file_has_an_owner() -> None:
    heads = [head(ANNA), head(DORA)]
    for path in ("x.txt", "x.crp"):
        judge(parse(path), heads, authority(), nobody)
    with pytest.raises(AssertionError):
        judge(parse("x.ecs"), heads, authority(), nobody)


def test_heads_of_the_same_content_do_not_lose() -> None:
    same, other = file("same"), file("other")
    winner, twin = head(DORA, 9, same), head(ANNA, 8, replace(same, mtime_ns=5))
    loser = head(CARL, 7, other)
    executable = head(BERT, 6, replace(same, mode=EXECUTABLE))
    found = judge(parse("a.txt"), [loser, twin, executable, winner], authority(), nobody)
    assert found == Verdict(winner, (loser, executable))


# -- manual ------------------------------------------------------------------------------------------


def manual(heads: Sequence[Stated], *standing: Stated) -> Verdict:
    return judge(parse("x.crp"), heads, authority("*.crp=manual"), nobody, [h.id for h in standing])


def test_manual_leaves_what_stands() -> None:
    standing, better, best = head(DORA, 1, new=True), head(CARL, 8), head(ANNA, 9)
    for heads in permutations((standing, better, best)):
        assert manual(heads, standing) == Verdict(standing, (best, better))


def test_manual_without_anything_standing_takes_the_newest_and_asks_no_master() -> None:
    newest, master = head(DORA, 9), head(ANNA, 8)
    elsewhere = stated("elsewhere")
    for heads in permutations((newest, master)):
        assert manual(heads) == Verdict(newest, (master,))
        assert manual(heads, elsewhere) == Verdict(newest, (master,))


def test_manual_with_several_standing_keeps_the_best_of_them() -> None:
    """All that stand have one content, so it makes no difference on the disk; but it is one and the same."""
    low, high, other = head(ANNA, 1, file("same")), head(CARL, 2, file("same")), head(DORA, 9)
    for heads in permutations((low, high, other)):
        assert manual(heads, low, high) == Verdict(high, (other,))


# -- merge -------------------------------------------------------------------------------------------

INDEX = parse("x.ecc")


def test_merge_shows_all_files_in_the_order_of_their_ids() -> None:
    heads = [head(ANNA, 1, new=True), head(DORA, 9), head(CARL, 5)]
    for some in permutations(heads):
        found = judge(INDEX, some, authority(), nobody)
        assert found == Verdict(heads[1], (), tuple(sorted(heads, key=lambda h: h.id)))


def test_merge_of_one_content_is_that_content() -> None:
    heads = (head(ANNA, 3, file("same")), head(DORA, 9, file("same")))
    assert judge(INDEX, heads, authority(), nobody) == Verdict(heads[1], ())


def test_merge_of_a_file_and_its_removal_is_the_file() -> None:
    edit, removal = head(ANNA, 3), head(DORA, 9, ABSENT)
    assert judge(INDEX, (removal, edit), authority(), nobody) == Verdict(edit, (removal,))


def test_merge_leaves_removals_out_of_the_view() -> None:
    one, two, removal = head(ANNA, 3), head(CARL, 4), head(DORA, 9, ABSENT)
    found = judge(INDEX, (removal, one, two), authority(), nobody)
    assert set(found.merged) == {one, two}
    assert found.winner == two


# -- always ------------------------------------------------------------------------------------------

heads_of_a_path = st.lists(
    st.tuples(
        st.sampled_from([ANNA, BERT, CARL, DORA, EMIL]),
        st.integers(1, 4),
        st.sampled_from([ABSENT, EMPTY_DIRECTORY, file("one"), file("two"), file("one", EXECUTABLE)]),
        st.booleans(),
    ),
    min_size=2,
    max_size=5,
).map(
    lambda rows: [
        stated(f"head {i}", author, entry, ("before",) if knew else (), stamp)
        for i, (author, stamp, entry, knew) in enumerate(rows)
    ]
)


@given(heads_of_a_path, st.sampled_from(["a.txt", "x.crp", "x.ecf", "x.ecc"]), st.sampled_from(Mode), st.data())
def test_the_outcome_is_a_function_of_the_set_of_heads(
    heads: list[Stated], path: str, mode: Mode, data: st.DataObject
) -> None:
    needs_master = mode in (Mode.PREFER, Mode.ENFORCE)
    pattern = "*.ecc" if mode is Mode.MERGE else path
    who = authority(f"{pattern}={mode}" + (":accounting" if needs_master else ""), primary=BERT)
    standing = [h.id for h in heads if data.draw(st.booleans())]
    found = judge(parse(path), heads, who, lambda _: frozenset({CARL}), standing)
    assert judge(parse(path), data.draw(st.permutations(heads)), who, lambda _: frozenset({CARL}), standing) == found
    assert found.winner in heads
    assert all(not loser.entry.same_as(found.winner.entry) for loser in found.losers)
    known = {h.id for h in (found.winner, *found.losers, *found.merged)}
    assert all(h.id in known or h.entry.same_as(found.winner.entry) or found.merged for h in heads)
    if needs_master and any(h.author in (ANNA, BERT) for h in heads) and pattern == path:
        assert found.winner.author in (ANNA, BERT)

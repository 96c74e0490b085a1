"""What every state promises of mandates, blocks, changes and heads, shown on the one in SQLite and on that in dicts."""

from __future__ import annotations

import pytest

from p2psync.core.block import AUTHORITY, Block, sign_block
from p2psync.core.change import Change
from p2psync.core.clock import Tip
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry
from p2psync.core.ids import BlockHash, ChangeId, LogId, MandateId
from p2psync.core.mark import POSTED, RECEIVED, UNDONE, Mark
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.state import BaseRow, LiveRow, LogRow, MandateState, TodoKind, TodoRow
from tests.contracts.rows import (
    ANNA,
    BERT,
    BERTS,
    LOG,
    MANDATE,
    NOWHERE,
    OTHER,
    A,
    Author,
    B,
    C,
    Store,
    content,
    everything,
    file,
    fill,
    path,
    undone,
    version,
)

# -- the device -----------------------------------------------------------------------------------------------------


def test_mandates_are_listed_in_order_and_found_again(store: Store) -> None:
    store.state.add_mandate(OTHER)
    store.state.add_mandate(MANDATE).put("folder", "/home/anna")
    assert store.state.mandates() == [MANDATE, OTHER]
    assert store.state.mandate(MANDATE).get("folder") == "/home/anna"
    with pytest.raises(KeyError):
        store.state.mandate(MandateId(b"x" * 16))


def test_removing_a_mandate_leaves_the_others_as_they_were(store: Store) -> None:
    states = {mandate: store.state.add_mandate(mandate) for mandate in (MANDATE, OTHER)}
    for mandate, state in states.items():
        fill(state, mandate)
    before = everything(states[OTHER])
    store.state.remove_mandate(MANDATE)
    assert store.state.mandates() == [OTHER]
    assert everything(store.state.mandate(OTHER)) == before
    again = store.state.add_mandate(MANDATE)
    assert not any(everything(again))


def test_the_same_block_may_lie_in_two_mandates(store: Store) -> None:
    for mandate in (MANDATE, OTHER):
        Author(store.state.add_mandate(mandate)).save(Change(A, file("1"), ()))
    store.state.remove_mandate(OTHER)
    assert [c.entry for c in store.state.mandate(MANDATE).heads([A])[A]] == [file("1")]


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    state = store.state.add_mandate(MANDATE)
    fill(state, MANDATE)
    before = everything(state)
    with undone(store):
        store.state.add_mandate(OTHER)
        author = Author(state, LogId(b"3" * 16))
        (head,) = (h.id for h in state.heads([A])[A])
        author.save(Change(A, file("new"), (head,)), Change(path("new"), file("new"), ()))
        state.judge_again([(head.block, [False, False])])
        state.judge_again([(one.id.block, [False]) for one, _ in state.marks()])
        author.mark(Mark(UNDONE, A, None))
        state.put("folder", "elsewhere")
        state.put_tips({LOG: ()}, LOG)
        state.put_bases([BaseRow(A, file("new"), None, ()), BaseRow(path("new"), ABSENT, None, ())])
        state.drop_bases([B])
        state.put_live([LiveRow(path("x/y"), file("new"), "x/y", 1)])
        state.drop_live([A])
        state.add_todo([TodoRow(C, TodoKind.KEEP)])
        state.drop_todo(TodoKind.PLACE, [A])
        state.add_versions([version("a", "lost", 9)])
        state.put_problems([Problem("new", Code.LOCKED)])
        state.clear_problems(["a"])
    assert everything(state) == before
    assert store.state.mandates() == [MANDATE]


def test_a_mandate_removed_in_a_transaction_that_fails_is_whole(store: Store) -> None:
    state = store.state.add_mandate(MANDATE)
    fill(state, MANDATE)
    before = everything(state)
    with undone(store):
        store.state.remove_mandate(MANDATE)
    assert everything(store.state.mandate(MANDATE)) == before


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, True, 7, -(2**40), 1.5, "Müller", b"\x00\xff", [1, [2, b"3"]], {"a": {1: 2}}])
def test_a_setting_is_read_as_it_was_put(state: MandateState, value: object) -> None:
    state.put("name", "before")
    state.put("name", value)
    assert state.get("name") == value


def test_a_setting_that_was_never_put_is_none(state: MandateState) -> None:
    assert state.get("name") is None


# -- logs and blocks ------------------------------------------------------------------------------------------------


def test_logs_are_sorted(state: MandateState) -> None:
    rows = [LogRow(LOG, ANNA, ""), LogRow(BERTS, BERT, AUTHORITY)]
    for row in rows:
        state.add_log(row)
    assert state.logs() == rows[::-1]


def test_the_tips_of_a_log_are_replaced_and_the_others_kept(state: MandateState) -> None:
    many = tuple(Tip(seq, BlockHash(bytes([seq]) * 32)) for seq in range(1, 17))
    one = (Tip(3, NOWHERE),)
    assert state.tips() == {}
    state.put_tips({LOG: many, BERTS: one}, LOG)
    assert state.tips() == {LOG: many}
    state.put_tips({LOG: one, BERTS: one}, BERTS)
    state.put_tips({LOG: many[1:2]}, LOG)
    assert state.tips() == {LOG: many[1:2], BERTS: one}
    state.put_tips({}, LOG)
    assert state.tips() == {BERTS: one}


def test_two_tips_of_one_number_are_both_kept(state: MandateState) -> None:
    forked = (Tip(2, BlockHash(b"1" * 32)), Tip(2, BlockHash(b"2" * 32)))
    state.put_tips({LOG: forked}, LOG)
    assert state.tips() == {LOG: forked}


def test_a_block_is_found_by_its_hash(state: MandateState) -> None:
    author = Author(state)
    first = author.block()
    signed = author.block(tips=(first.hash, NOWHERE))
    row = state.block(signed.hash)
    assert row is not None
    assert (row.hash, row.log, row.seq, row.prev) == (signed.hash, LOG, 2, first.hash)
    assert row.size == len(signed.raw)
    assert row.authority_tips == (first.hash, NOWHERE)
    assert state.block(NOWHERE) is None


def test_add_block_returns_the_row_that_is_found_later(state: MandateState) -> None:
    author = Author(state)
    signed = author.block()
    second = sign_block(MANDATE, Block(LOG, 2, signed.hash, 5, (), None, signed.block.changes), lambda _: bytes(64))
    assert state.add_block(second, ()) == state.block(second.hash)


def test_blocks_of_a_log_come_in_intake_order_after_a_number(state: MandateState) -> None:
    anna, bert = Author(state), Author(state, BERTS, BERT)
    blocks = [author.block() for author in (anna, bert, anna, bert, anna)]
    assert [r.hash for r in state.blocks_of(LOG, 0)] == [blocks[i].hash for i in (0, 2, 4)]
    assert [r.seq for r in state.blocks_of(LOG, 1)] == [2, 3]
    assert state.blocks_of(LOG, 3) == []
    assert state.blocks_of(LogId(b"?" * 16), 0) == []
    intakes = [row.intake for block in blocks if (row := state.block(block.hash))]
    assert intakes == sorted(set(intakes))


def test_the_bytes_of_blocks_come_in_the_order_asked_for(state: MandateState) -> None:
    author = Author(state)
    blocks = [author.block() for _ in range(3)]
    intakes = [row.intake for row in state.blocks_of(LOG, 0)]
    assert state.raw_blocks([intakes[2], intakes[0]]) == [blocks[2].raw, blocks[0].raw]
    assert state.raw_blocks([]) == []
    with pytest.raises(KeyError):
        state.raw_blocks([intakes[2] + 1000])


def test_blocks_are_parsed_again_class_by_class(state: MandateState) -> None:
    one, two = Author(state), Author(state, BERTS, BERT)
    secret = Author(state, LogId(b"s" * 16), ANNA, "payroll")
    blocks = [author.block() for author in (one, secret, two, one)]
    parsed = list(state.parsed_blocks(""))
    assert [block for _, block in parsed] == [blocks[i].block for i in (0, 2, 3)]
    assert [row for row, _ in parsed] == [state.block(blocks[i].hash) for i in (0, 2, 3)]
    assert [block for _, block in state.parsed_blocks("payroll")] == [blocks[1].block]
    assert list(state.parsed_blocks(AUTHORITY)) == []


def test_more_blocks_than_are_read_at_once_are_parsed_in_order(state: MandateState) -> None:
    author = Author(state)
    blocks = [author.block() for _ in range(150)]
    seen = []
    for row, block in state.parsed_blocks(""):
        state.put("progress", row.seq)
        seen.append(block)
    assert seen == [block.block for block in blocks]


# -- changes and heads ----------------------------------------------------------------------------------------------


def test_a_change_is_read_as_it_was_stated(state: MandateState) -> None:
    author, other = Author(state), Author(state, BERTS, BERT)
    (first,) = author.save(Change(A, Entry(file("1").kind, 2**40, -(2**62), 3, content("1")), ()))
    (second,) = other.save(Change(A, EMPTY_DIRECTORY, ()))
    block = author.block([Change(B, file("x"), ()), Change(A, ABSENT, (first,), (second,))])
    stated = author.stated(block, stamp=5)
    state.add_changes([(change, True) for change in stated])
    assert state.changes([c.id for c in stated]) == {c.id: c for c in stated}
    assert list(state.heads([A])[A]) == stated[1:]
    assert state.changes([second])[second].author == BERT


def test_unknown_changes_are_left_out(state: MandateState) -> None:
    (known,) = Author(state).save(Change(A, file("1"), ()))
    assert set(state.changes([known, ChangeId(known.block, 1), ChangeId(NOWHERE, 0)])) == {known}


def test_an_accepted_change_supersedes_what_it_names(state: MandateState) -> None:
    anna, bert = Author(state), Author(state, BERTS, BERT)
    (one,) = anna.save(Change(A, file("1"), ()))
    (two,) = bert.save(Change(A, file("2"), ()))
    assert ids(state, A) == sorted([one, two])
    (refused,) = bert.save(Change(A, file("3"), (one,)), accepted=False)
    assert ids(state, A) == sorted([one, two])
    (three,) = anna.save(Change(A, file("3"), (one,), (two,)))
    assert ids(state, A) == [three]
    assert refused not in ids(state, A)


def test_paths_without_heads_are_left_out(state: MandateState) -> None:
    Author(state).save(Change(B, file("1"), ()), accepted=False)
    assert state.heads([A, B]) == {}
    assert state.heads([]) == {}


def test_changes_of_one_batch_name_each_other(state: MandateState) -> None:
    author = Author(state)
    first = author.stated(author.block([Change(A, file("1"), ())]))
    second = author.stated(author.block([Change(A, file("2"), (first[0].id,))]))
    state.add_changes([(change, True) for change in first + second])
    assert ids(state, A) == [second[0].id]


def test_a_change_of_another_path_supersedes_nothing(state: MandateState) -> None:
    author = Author(state)
    (one,) = author.save(Change(A, file("1"), ()))
    (liar,) = author.save(Change(B, file("2"), (one,)))
    assert (ids(state, A), ids(state, B)) == ([one], [liar])
    state.judge_again([(liar.block, [False])])
    state.judge_again([(liar.block, [True])])
    assert (ids(state, A), ids(state, B)) == ([one], [liar])


def test_a_verdict_that_flips_changes_the_heads_exactly(state: MandateState) -> None:
    anna, bert = Author(state), Author(state, BERTS, BERT)
    one, other = anna.save(Change(A, file("1"), ()), Change(B, file("1"), ()))
    (two,) = anna.save(Change(A, file("2"), (one,)))
    (three,) = bert.save(Change(A, file("3"), (one,)))
    assert state.judge_again([(two.block, [True]), (one.block, [True, True])]) == set()
    assert state.judge_again([(two.block, [False])]) == {A}
    assert ids(state, A) == [three]  # it names the first one still
    assert state.judge_again([(three.block, [False])]) == {A}
    assert ids(state, A) == [one]
    assert state.judge_again([(one.block, [False, True]), (two.block, [True])]) == {A}
    assert ids(state, A) == [two]
    assert state.judge_again([(one.block, [False, False])]) == {B}
    assert state.heads([B]) == {}
    assert other not in ids(state, A)


def test_both_of_a_chain_may_flip_at_once(state: MandateState) -> None:
    author = Author(state)
    (one,) = author.save(Change(A, file("1"), ()))
    (two,) = author.save(Change(A, file("2"), (one,)))
    (three,) = author.save(Change(A, file("3"), (two,)))
    assert state.judge_again([(three.block, [False]), (two.block, [False])]) == {A}
    assert ids(state, A) == [one]
    assert state.judge_again([(three.block, [True]), (one.block, [False])]) == {A}
    assert ids(state, A) == [three]


def test_what_was_settled_returns_when_the_verdict_flips(state: MandateState) -> None:
    anna, bert = Author(state), Author(state, BERTS, BERT)
    (one,) = anna.save(Change(A, file("1"), ()))
    (two,) = bert.save(Change(A, file("2"), ()))
    (three,) = anna.save(Change(A, file("3"), (one,), (two,)))
    assert state.judge_again([(three.block, [False])]) == {A}
    assert ids(state, A) == sorted([one, two])
    assert state.judge_again([(three.block, [True])]) == {A}
    assert ids(state, A) == [three]


def test_accepted_changes_with_a_content_are_listed_newest_last(state: MandateState) -> None:
    author = Author(state)
    (one,) = author.save(Change(A, file("x"), ()))
    (_,) = author.save(Change(A, file("x"), (one,)), accepted=False)
    (two,) = author.save(Change(A, file("y"), (one,)))
    (three,) = author.save(Change(A, file("x"), (two,)))
    author.save(Change(B, file("x"), ()))
    assert state.with_content(A, content("x")) == [one, three]
    assert state.with_content(A, content("z")) == []
    assert state.with_content(C, content("x")) == []


def test_the_founders_of_a_path_named_nothing_before(state: MandateState) -> None:
    author = Author(state)
    (one,) = author.save(Change(A, file("x"), ()))
    author.save(Change(B, file("x"), ()), accepted=False)
    author.save(Change(A, file("y"), (one,)))
    assert state.founders(A) == {author.device}
    assert state.founders(B) == state.founders(C) == set()


def test_a_path_is_known_by_its_accepted_changes(state: MandateState) -> None:
    author = Author(state)
    author.save(Change(A, ABSENT, ()))
    author.save(Change(B, file("1"), ()), accepted=False)
    assert state.is_known([A, B, C, A]) == {A}


def test_refused_changes_are_counted(state: MandateState) -> None:
    author = Author(state)
    (one,) = author.save(Change(A, file("1"), ()), accepted=False)
    author.save(Change(A, file("1"), ()))
    assert state.refused_count() == 1
    state.judge_again([(one.block, [True])])
    assert state.refused_count() == 0


def test_the_heads_that_blocks_state_are_counted(state: MandateState) -> None:
    author = Author(state)
    (one,) = author.save(Change(A, file("1"), ()))
    both = author.save(Change(A, file("three"), (one,)), Change(B, file("four"), ()))
    (refused,) = author.save(Change(C, file("3"), ()), accepted=False)
    (gone,) = author.save(Change(C, ABSENT, ()))
    intakes = [row.intake for i in (one, both[0], refused, gone) if (row := state.block(i.block)) is not None]
    assert state.head_totals([]) == (0, 0)
    assert [state.head_totals([intake]) for intake in intakes] == [(0, 0), (2, 9), (0, 0), (1, 0)]
    assert state.head_totals(intakes) == (3, 9)


def test_of_many_refused_changes_the_last_are_told(state: MandateState) -> None:
    author = Author(state)
    assert state.refused(5) == []
    found = [author.save(Change(A, file(f"{n}"), ()), accepted=n == 1)[0] for n in range(4)]
    assert {one.id for one in state.refused(5)} == {found[0], found[2], found[3]}
    assert {one.id for one in state.refused(2)} == {found[2], found[3]}
    assert next(one for one in state.refused(1)).entry == file("3")


def test_conflicted_paths_are_sorted_and_may_be_absent(state: MandateState) -> None:
    anna, bert = Author(state), Author(state, BERTS, BERT)
    anna.save(*(Change(p, ABSENT, ()) for p in (C, A, B)))
    assert state.conflicted() == []
    bert.save(*(Change(p, ABSENT, ()) for p in (C, A)))
    assert state.conflicted() == [A, C]


def test_a_content_has_the_classes_of_the_logs_that_name_it(state: MandateState) -> None:
    Author(state).save(Change(A, file("both"), ()), Change(B, file("open"), ()))
    secret = Author(state, LogId(b"s" * 16), ANNA, "payroll")
    secret.save(Change(A, file("both"), ()), Change(B, file("secret"), ()))
    assert state.content_classes(content("both")) == {"", "payroll"}
    assert state.content_classes(content("open")) == {""}
    assert state.content_classes(content("secret")) == {"payroll"}
    assert state.content_classes(content("nothing")) == set()


def test_a_refused_change_gives_no_claim_to_the_content_it_names(state: MandateState) -> None:
    """Else whoever guesses a content's id could learn, by naming it, whether a restricted class holds it."""
    secret = Author(state, LogId(b"s" * 16), ANNA, "payroll")
    secret.save(Change(A, file("guessed"), ()))
    (guess,) = Author(state, BERTS, BERT).save(Change(B, file("guessed"), ()), accepted=False)
    assert state.content_classes(content("guessed")) == {"payroll"}
    state.judge_again([(guess.block, [True])])
    assert state.content_classes(content("guessed")) == {"", "payroll"}


# -- helpers --------------------------------------------------------------------------------------------------------


def ids(state: MandateState, where: RelPath) -> list[ChangeId]:
    return [head.id for head in state.heads([where]).get(where, ())]


# -- marks ----------------------------------------------------------------------------------------------------------


def test_marks_are_found_by_their_paths_sorted_by_their_ids(state: MandateState) -> None:
    author, other = Author(state), Author(state, BERTS, BERT)
    for writer in (author, other):
        writer.save(Change(A, file("1"), ()))
    first, second = author.mark(Mark(POSTED, A, content("1")), Mark(POSTED, B, None))
    (third,) = other.mark(Mark(UNDONE, A, None, (first, second)), accepted=False)
    found = state.marks([A])
    assert [one.id for one, _ in found] == sorted([first, third])
    by_id = {one.id: (one, accepted) for one, accepted in found}
    one, accepted = by_id[third]
    assert (one.author, one.mark.kind, one.mark.named, one.time_ms, accepted) == (
        BERT,
        UNDONE,
        (first, second),
        7,
        False,
    )
    assert by_id[first][0].mark == Mark(POSTED, A, content("1"))
    assert [one.id for one, _ in state.marks()] == sorted([first, second, third])
    assert state.marks_by_id([third, first]) == {one.id: one for one, _ in found}
    assert state.marks_by_id([ChangeId(BlockHash(bytes(32)), 0), ChangeId(first.block, 7)]) == {}
    assert state.marks_by_id([]) == {}
    assert [one.stamp for one, _ in state.marks([B])] == [2]
    assert state.marks([C]) == state.marks([]) == []


def test_marks_are_judged_again_and_touch_no_head(state: MandateState) -> None:
    author = Author(state)
    (change,) = author.save(Change(A, file("1"), ()))
    first, second = author.mark(Mark(POSTED, A, content("1")), Mark(POSTED, B, None))
    assert state.judge_again([(change.block, [True]), (first.block, [True, False])]) == set()
    assert {one.id: accepted for one, accepted in state.marks()} == {first: True, second: False}
    receipt = author.block(marks=(Mark(RECEIVED, A, content("1")),))  # lies in its block alone
    assert state.judge_again([(first.block, [False, True]), (receipt.hash, [True])]) == set()
    assert {one.id: accepted for one, accepted in state.marks()} == {first: False, second: True}
    assert state.refused_count() == 0
    assert [head.id for head in state.heads([A])[A]] == [change]

"""What accounting posted: who may say so, what stands after marks and undone marks, and that others learn nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.block import AUTHORITY
from p2psync.core.entry import FileStat
from p2psync.core.ids import ChangeId, ContentId, content_of
from p2psync.core.mark import POSTED, UNDONE, Mark
from p2psync.core.relpath import Folding, RelPath, parse
from p2psync.core.rules import Role
from p2psync.core.statement import Revoke, SetRole
from p2psync.engine.effects import KeepVersion
from p2psync.engine.postings import Postings, standing
from p2psync.engine.scope import Now, Scope
from p2psync.engine.site import Site
from p2psync.engine.state import BaseRow, VersionRow
from p2psync.errors import CodecError, NotAllowed, RemoteProtocolError, UsageError
from tests.engine.ledgers import RESTRICTED_RULES, Desk, entry, forged, next_block, office

INVOICES, SALARIES = parse("Cargo.ecf"), parse("Cargo.ecs")


class Clerk:
    """A device's postings, with a folder that holds what it is said to."""

    def __init__(self, desk: Desk):
        self.desk = desk
        self.scope = Scope()
        self.scope.now = Now(1.0, 60_000)
        site = Site(desk.mandate, desk.state, desk.ledger, desk.keys, self.scope, Folding(), {})
        self.postings = Postings(site, desk.id)

    def holds(self, path: RelPath, text: str | None) -> ContentId | None:
        if text is None:
            self.desk.state.drop_bases([path])
            return None
        row = entry(text)
        heads = tuple(head.id for head in self.desk.heads(path))
        self.desk.state.put_bases([BaseRow(path, row, FileStat(row.size, 1, 1), heads)])
        return row.content

    def posts(self, path: RelPath, text: str | None) -> None:
        self.postings.post({path: self.holds(path, text)})

    def standing(self, path: RelPath = INVOICES) -> str | None:
        """What was posted, by the texts saved in these tests; None for nothing."""
        mark = self.postings.standing().get(path)
        return None if mark is None else known(mark.content)

    def kept(self) -> list[RelPath]:
        return [e.path for e in self.scope.take_effects() if isinstance(e, KeepVersion)]


def known(content: ContentId | None) -> str:
    texts: Mapping[ContentId | None, str] = {content_of(t.encode()): t for t in ("one", "two", "three")}
    return texts.get(content, "gone")


def clerks(*names: str, role: Role = Role.ACCOUNTING) -> list[Clerk]:
    return [Clerk(desk) for desk in office(*names, role=role)]


def test_the_latest_mark_stands_until_it_is_undone() -> None:
    [anna] = clerks("anna")
    assert anna.standing() is None
    anna.posts(INVOICES, "one")
    anna.posts(INVOICES, "two")
    assert anna.standing() == "two"
    mark = anna.postings.standing()[INVOICES]
    assert (mark.device, mark.time_ns, mark.stamp) == (anna.desk.id, 60_000 * 1_000_000, 2)
    anna.postings.undo([INVOICES])
    assert anna.standing() == "one"
    anna.postings.undo([INVOICES])
    assert anna.standing() is None
    assert anna.postings.undo([INVOICES]) == []
    anna.posts(INVOICES, None)
    assert anna.standing() == "gone"


def test_what_is_marked_already_is_not_marked_again() -> None:
    [anna] = clerks("anna")
    anna.posts(INVOICES, "one")
    assert anna.postings.post({INVOICES: anna.holds(INVOICES, "one")}) == []


def test_only_what_the_file_holds_can_be_posted() -> None:
    [anna] = clerks("anna")
    seen = anna.holds(INVOICES, "one")
    anna.holds(INVOICES, "two")
    with pytest.raises(UsageError, match="changed meanwhile"):
        anna.postings.post({INVOICES: seen})
    with pytest.raises(UsageError, match="changed meanwhile"):
        anna.postings.post({INVOICES: None})
    assert anna.desk.marks(INVOICES) == []


def test_only_accounting_posts_and_a_liar_is_not_counted() -> None:
    anna, bert = clerks("anna", "bert", role=Role.INVOICING)
    with pytest.raises(NotAllowed, match="role accounting"):
        bert.posts(INVOICES, "one")
    with pytest.raises(NotAllowed):
        bert.postings.undo([INVOICES])
    anna.posts(INVOICES, "one")
    bert.desk.read(anna.desk)
    (true,) = bert.desk.marks(INVOICES)
    bert.desk.mark(INVOICES, "two", naming=[true])
    bert.desk.mark(INVOICES, None, kind=UNDONE, naming=[true])
    anna.desk.read(bert.desk)
    assert len(anna.desk.marks(INVOICES)) == 3, "kept, but not counted"
    assert (anna.standing(), bert.standing()) == ("one", "one")


def test_a_right_that_was_taken_takes_the_marks_after_it() -> None:
    anna, bert = clerks("anna", "bert")
    bert.posts(INVOICES, "one")
    anna.desk.read(bert.desk)
    cut = anna.desk.ledger.cut()
    bert.posts(INVOICES, "two")
    anna.desk.say(Revoke(bert.desk.id, cut))
    anna.desk.read(bert.desk)
    assert anna.standing() == "one"
    bert.desk.read(anna.desk)
    assert bert.standing() == "one"


def test_a_role_that_was_given_counts_from_then_on() -> None:
    anna, bert = clerks("anna", "bert", role=Role.INVOICING)
    bert.desk.mark(INVOICES, "one")
    anna.desk.read(bert.desk)
    anna.desk.say(SetRole(bert.desk.id, Role.ACCOUNTING, False, anna.desk.ledger.cut()))
    bert.desk.read(anna.desk)
    bert.posts(INVOICES, "two")
    anna.desk.read(bert.desk)
    assert anna.standing() == bert.standing() == "two"


@given(st.permutations(range(6)))
def test_concurrent_marks_fold_alike_in_any_order(order: list[int]) -> None:
    anna, bert = clerks("anna", "bert")
    anna.posts(INVOICES, "one")
    bert.desk.read(anna.desk)
    anna.posts(INVOICES, "two")
    bert.posts(INVOICES, "three")
    bert.postings.undo([INVOICES])
    anna.posts(SALARIES, "one")
    bert.posts(SALARIES, "two")
    anna.desk.read(bert.desk)
    bert.desk.read(anna.desk)
    assert anna.postings.standing() == bert.postings.standing()
    assert anna.standing() == "two"
    marks = anna.desk.state.marks()
    assert standing([marks[at] for at in order]) == anna.postings.standing()


def test_a_mark_goes_to_the_log_of_its_files_class() -> None:
    admin, payroll = (Clerk(d) for d in office("admin", "payroll", rules=RESTRICTED_RULES, role=Role.PAYROLL))
    other = Clerk(Desk("invoicing", admin.desk.mandate))
    admin.desk.admit(other.desk, role=Role.INVOICING)
    admin.postings.post({path: admin.holds(path, "one") for path in (INVOICES, SALARIES)})
    sent = set(admin.desk.ledger.readable_tips(other.desk.id))
    assert len(admin.desk.ledger.tips) - len(sent) == 1
    payroll.desk.read(admin.desk)
    assert payroll.standing(SALARIES) == "one"
    restricted: bytes = admin.desk.own(admin.desk.ledger.class_of(SALARIES))
    assert all(restricted in raw for raw in admin.desk.blocks() if SALARIES.encode() in raw)


def test_marks_that_name_what_they_may_not_are_refused() -> None:
    anna, bert = clerks("anna", "bert")
    anna.posts(INVOICES, "one")
    (mark,) = anna.desk.marks(INVOICES)
    saved = anna.desk.save(INVOICES, "one")
    for named in (mark, saved):
        bad = next_block(anna.desk, changes=(), marks=(Mark(POSTED, SALARIES, None, (named,)),), clock=())
        bert.desk.read(anna.desk)
        with pytest.raises(RemoteProtocolError, match="a mark of another path"):
            bert.desk.ledger.join(forged(anna.desk, bad))
    top = anna.desk.tip(AUTHORITY)
    there = {"log": anna.desk.own(AUTHORITY), "seq": top.seq + 1, "prev": top.hash}
    bad = next_block(anna.desk, changes=(), marks=(Mark(POSTED, SALARIES, None),), clock=(), **there)
    with pytest.raises(CodecError, match="authority log"):
        bert.desk.ledger.join(forged(anna.desk, bad))


def test_posted_bytes_are_kept_where_they_stand_once() -> None:
    anna, bert = clerks("anna", "bert")
    anna.posts(INVOICES, "one")
    assert anna.kept() == [INVOICES]
    [mark] = [mark for taken in bert.desk.read(anna.desk) for mark in taken.marks]
    bert.holds(INVOICES, "two")
    bert.postings.keep_marked([mark])
    assert bert.kept() == [], "it holds something else"
    content = bert.holds(INVOICES, "one")
    assert content is not None
    bert.postings.keep_marked([mark, Mark(POSTED, SALARIES, content)])
    assert bert.kept() == [INVOICES]
    bert.desk.state.add_versions([VersionRow(INVOICES, content, 3, 1, 1, "posted", None, None)])
    bert.postings.keep_marked([mark])
    assert bert.kept() == []


def test_where_a_mark_is_undone_what_stands_there_is_kept_for_what_counts_again() -> None:
    [bert] = clerks("bert")
    bert.holds(INVOICES, "one")
    bert.postings.keep_marked([Mark("later", INVOICES, None)])
    assert bert.kept() == [], "a kind that is not known"
    bert.postings.keep_marked([Mark(UNDONE, INVOICES, None)])
    assert bert.kept() == [INVOICES]


def test_only_marks_that_count_are_told() -> None:
    anna, bert = clerks("anna", "bert")
    anna.posts(INVOICES, "one")
    anna.desk.mark("2025.crp", None, kind="later")
    told = [mark for taken in bert.desk.read(anna.desk) for mark in taken.marks]
    assert [mark.path for mark in told if mark.kind == POSTED] == [INVOICES]


@pytest.mark.parametrize("many", [1, 40])
def test_many_marks_of_one_file_cost_no_more_to_take_in(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is one that follows others compared with all of them."""
    anna, bert = clerks("anna", "bert")
    last: tuple[ChangeId, ...] = ()
    for _ in range(many):
        last = (anna.desk.mark(INVOICES, "one", naming=last),)
    monkeypatch.setattr(type(bert.desk.state), "marks", lambda *_: pytest.fail("all marks were read"))
    marks = [mark for taken in bert.desk.read(anna.desk) for mark in taken.marks]
    bert.postings.keep_marked(marks)
    monkeypatch.undo()
    assert max(one.stamp for one, _ in bert.desk.state.marks()) == many


def test_many_marks_are_split_into_blocks_that_fit() -> None:
    [anna] = clerks("anna")
    wanted = {parse(f"{number}.ecf"): anna.holds(parse(f"{number}.ecf"), "one") for number in range(501)}
    taken = anna.postings.post(wanted)
    assert [len(one.marks) for one in taken] == [500, 1]
    assert set(anna.postings.standing()) == set(wanted)

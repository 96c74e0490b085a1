"""Every PC fetches the losers of a conflict into its versions, whatever becomes of the winner."""

from __future__ import annotations

from p2psync.core.block import ORDINARY
from p2psync.core.entry import ABSENT
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.engine.effects import Effect, Fetch, KeepVersion
from p2psync.engine.site import BATCH_MAX, RETRY_AFTER_S
from p2psync.engine.state import TodoKind, VersionRow
from tests.core.court import SECRET_FILES
from tests.engine.rig import Rig, content, seen

PATH = parse("a.txt")


def conflict(*paths: str) -> Rig:
    """Here and elsewhere something else was saved; what stands here lost."""
    rig = Rig()
    for path in paths or ("a.txt",):
        rig.sees(path, "mine")
        first = rig.author.save(path, f"old {path}", naming=[])
        rig.author.save(path, f"yours {path}", naming=[first])
    return rig.takes_in()


def asked(effects: list[Effect]) -> list[tuple[str, bytes]]:
    return [(w.path, w.content) for effect in effects if isinstance(effect, Fetch) for w in effect.wanted]


def rows(rig: Rig) -> list[str]:
    return [str(path) for path in rig.todo(TodoKind.KEEP)]


def keep(rig: Rig, text: str) -> None:
    """What the shell reports when the bytes are among the versions."""
    head = next(h for h in rig.desk.heads("a.txt") if h.entry.content == content(text))
    row = VersionRow(PATH, content(text), head.entry.size, 0, 0, "conflict", head.author, head.id)
    rig.desk.state.add_versions([row])
    rig.replica.keeping.kept(PATH, content(text))


def test_a_loser_is_fetched_copied_and_then_done() -> None:
    rig = conflict()
    loser = next(h for h in rig.desk.heads("a.txt") if h.entry.content == content("mine"))
    assert ("a.txt", content("mine")) in asked(rig.effects()), "it stands here now, but its winner will replace it"
    assert rows(rig) == ["a.txt"]
    rig.replica.keeping.fetched(ORDINARY, [content("mine")])
    effects = rig.effects()
    expected = KeepVersion(rig.desk.mandate, PATH, loser.entry, "conflict", loser.id)
    assert [e for e in effects if isinstance(e, KeepVersion)] == [expected]
    assert asked(effects) == [], "asked for once"
    keep(rig, "mine")
    assert asked(rig.effects()) == []
    assert rows(rig) == []


def test_what_is_kept_already_is_not_fetched() -> None:
    rig = conflict()
    keep(rig, "mine")
    assert asked(rig.effects()) == [("a.txt", content("yours a.txt"))], "only the winner"
    assert rows(rig) == []


def test_removals_that_lost_have_no_bytes() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    rig.author.read(rig.desk)
    rig.author.save("a.txt", None)
    rig.sees("a.txt", "two")
    rig.takes_in()
    assert [loser.entry for loser in rig.replica.plan.aims([PATH])[PATH].losers] == [ABSENT]
    assert rows(rig) == ["a.txt"]
    assert not any(isinstance(effect, Fetch | KeepVersion) for effect in rig.effects())
    assert rows(rig) == []


def test_a_loser_of_two_paths_is_fetched_once_and_kept_for_both() -> None:
    rig = conflict("a.txt", "b.txt")
    assert [c for _, c in asked(rig.effects())].count(content("mine")) == 1
    rig.replica.keeping.fetched(ORDINARY, [content("mine")])
    assert [k.path for k in rig.keeps()] == ["a.txt", "b.txt"]


def test_what_is_no_head_any_more_is_not_kept() -> None:
    rig = conflict()
    rig.effects()
    rig.author.read(rig.desk)
    rig.author.save("a.txt", "settled")
    rig.takes_in()
    rig.replica.keeping.fetched(ORDINARY, [content("mine")])
    assert rig.keeps() == []
    assert rows(rig) == []


def test_what_nobody_could_give_is_asked_for_again_later_or_when_somebody_comes() -> None:
    rig = conflict()
    assert ("a.txt", content("mine")) in asked(rig.effects())
    rig.replica.keeping.failed(ORDINARY, [content("mine"), content("other")])
    assert rig.scope.wake_at_s == rig.scope.now.monotonic_s + RETRY_AFTER_S
    assert asked(rig.effects()) == []
    rig.after(RETRY_AFTER_S)
    assert ("a.txt", content("mine")) in asked(rig.effects())
    rig.replica.keeping.failed(ORDINARY, [content("mine")])
    rig.replica.keeping.peer_has_news()
    assert ("a.txt", content("mine")) in asked(rig.effects())


def test_a_tick_that_comes_for_something_else_does_not_end_the_waiting() -> None:
    rig = conflict()
    rig.effects()
    rig.replica.keeping.failed(ORDINARY, [content("mine")])
    due_s = rig.scope.now.monotonic_s + RETRY_AFTER_S
    rig.after(RETRY_AFTER_S / 2)
    rig.scope.wake_at_s = None
    rig.effects()
    assert rig.scope.wake_at_s == due_s


def test_a_folder_that_was_opened_anew_answers_nothing_asked_before() -> None:
    rig = conflict()
    rig.effects()
    rig.replica.keeping.forget()
    assert ("a.txt", content("mine")) in asked(rig.effects())


def test_problems_of_placing_do_not_hold_it_up() -> None:
    rig = conflict()
    rig.replica.plan.get_stuck(Problem("a.txt", Code.LOCKED))
    assert asked(rig.effects()) == [("a.txt", content("mine"))]


def test_many_are_asked_for_in_batches() -> None:
    paths = [f"{number:04}" for number in range(BATCH_MAX + 1)]
    rig = Rig()
    rig.look(*(seen(path, f"mine {path}") for path in paths))
    for path in paths:
        first = rig.author.save(path, f"old {path}", naming=[])
        rig.author.save(path, f"yours {path}", naming=[first])
    rig.takes_in()
    for path in paths:
        rig.replica.plan.block(parse(path))
    assert [len(asked(rig.effects())) for _ in range(3)] == [BATCH_MAX, 1, 0]


def test_a_loser_with_the_bytes_of_a_restricted_file_is_not_kept_by_that() -> None:
    rig = Rig(rules=SECRET_FILES, role=Role.PAYROLL)
    first = rig.author.save("a.txt", "old", naming=[])
    rig.author.save("a.txt", "yours", naming=[first])
    rig.takes_in().shows("a.txt", "yours")
    salaries = VersionRow(parse("salaries.ecs"), content("mine"), 4, 0, 0, "replaced", None, None)
    rig.desk.state.add_versions([salaries])
    rig.author.save("a.txt", "mine", naming=[])
    rig.takes_in()
    assert ("a.txt", content("mine")) in asked(rig.effects())
    keep(rig, "mine")
    rig.effects()
    assert rows(rig) == []

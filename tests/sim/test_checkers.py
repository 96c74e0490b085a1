"""Each checker sees what it is for: a world at rest passes, and with one thing wrong in it the right one complains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import content_of
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import parse_setting
from p2psync.core.statement import Closed
from p2psync.engine.effects import Fetch, Place, PlaceItem, Wanted
from p2psync.engine.events import LateWrite
from p2psync.engine.periods import Freezing
from p2psync.engine.placement import IN_FLIGHT_MAX
from p2psync.sim import checkers, world
from p2psync.sim.bugs import planted
from p2psync.sim.checkers import Failure, check_always, check_at_rest, check_late_writes
from p2psync.sim.users import FROZEN
from p2psync.sim.world import World, run
from tests.sim.lives import again, apart, mandate_of, rest, save, shown, together


@pytest.fixture(name="life")
def a_life() -> World:
    """Two PCs that saved, corrected and disagreed."""
    life = together()
    one, two = life.hosts
    save(life, one, "chart.crp", "chart")
    save(life, one, "letter.txt", "first")
    rest(life)
    save(life, two, "letter.txt", "corrected")
    rest(life)
    apart(life)
    for host in life.hosts:
        save(life, host, "both.crp", f"by {host.name}")
    rest(life)
    again(life)
    return life


def complaint(life: World) -> str:
    with pytest.raises(Failure) as raised:
        check_at_rest(life)
    return str(raised.value)


# -- at rest -------------------------------------------------------------------------------------------


def test_a_world_at_rest_passes(life: World) -> None:
    check_at_rest(life)
    one, two = life.hosts
    assert shown(one) == shown(two)
    assert len(checkers._conflicts(one)) == 1


def a_pc_is_off(life: World) -> None:
    life.hosts[1].crash()


def a_block_is_missing(life: World) -> None:
    tips = mandate_of(life.hosts[1]).ledger.tips
    tips.popitem()


def a_file_differs(life: World) -> None:
    life.hosts[1].disk.write(parse("chart.crp"), b"something else", 0)


def a_file_is_missing(life: World) -> None:
    del life.hosts[0].disk.files[parse("chart.crp")]


def a_file_is_too_much(life: World) -> None:
    life.hosts[0].disk.write(parse("from-nowhere.txt"), b"?", 0)


def it_never_ends(life: World) -> None:
    mandate_of(life.hosts[1]).replica.observation.scanned = False


def a_loser_is_thrown_away(life: World) -> None:
    one = life.hosts[0]
    [conflict] = checkers._conflicts(one)
    content = conflict.losers[0].entry.content
    assert content is not None
    del one.disk.versions[content]


def a_save_is_lost(life: World) -> None:
    life.users.saved[content_of(b"lost")] = (life.hosts[0], parse("lost.txt"))


def the_user_never_saw_what_was_replaced(life: World) -> None:
    two = life.hosts[1]
    life.users.wrote_over[(two.name, parse("letter.txt"), content_of(b"corrected"))] = set()


def a_right_differs(life: World) -> None:
    constitution = mandate_of(life.hosts[1]).ledger.constitution
    constitution.current = replace(constitution.current, owners={"chart.crp": life.hosts[0].keys.device})


WRONGS: list[tuple[Callable[[World], None], str]] = [
    (a_pc_is_off, "Converged: pc1 is not there"),
    (a_block_is_missing, "Converged: pc0 and pc1: logs differ"),
    (a_right_differs, "Converged: pc0 and pc1: not the same rights and owners"),
    (a_file_differs, "Converged: pc1 shows something else at 'chart.crp'"),
    (a_file_is_missing, "Converged: pc0 shows something else at 'chart.crp'"),
    (a_file_is_too_much, "Converged: pc0 shows something else at 'from-nowhere.txt'"),
    (it_never_ends, "Terminates: pc1 does not say that it is in sync"),
    (a_loser_is_thrown_away, "NoLostWrite: pc0 does not keep a loser of 'both.crp'"),
    (a_save_is_lost, "NoLostWrite: what pc0 saved at 'lost.txt' is nowhere any more"),
    (the_user_never_saw_what_was_replaced, "NoLostWrite: pc1 replaced something at 'letter.txt'"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONGS, ids=[wrong.__name__ for wrong, _ in WRONGS])
def test_one_wrong_thing_is_named(life: World, wrong: Callable[[World], None], said: str) -> None:
    wrong(life)
    assert complaint(life).startswith(said)


def test_what_a_backup_or_its_own_user_took_away_is_no_loss(life: World) -> None:
    lost = content_of(b"lost")
    life.users.saved[lost] = (life.hosts[0], parse("lost.txt"))
    for known in (life.users.excused, life.users.replaced):
        known.add(lost)
        check_at_rest(life)
        known.discard(lost)
    complaint(life)


def test_other_heads_on_another_pc_are_seen(life: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkers._state(life.hosts[1]), "heads", lambda _: {})
    assert complaint(life).startswith("Converged: pc0 and pc1: heads differ")


def test_a_merged_index_that_differs_is_seen(life: World) -> None:
    one, two = life.hosts
    apart(life)
    for number, host in enumerate(life.hosts):
        save(life, host, "Cargo.ecc", f"#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; f{number}.ecf; 1\r\n#END\r\n")
    rest(life)
    again(life)
    check_at_rest(life)
    assert shown(one)[parse("Cargo.ecc")].count("#ECF") == 2
    two.disk.write(parse("Cargo.ecc"), b"#FSC\t9.3\tECC\r\n#END\r\n", 0)
    assert complaint(life).startswith("Converged: the merged index differs")


def test_other_marks_on_another_pc_are_seen(life: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = life.hosts[1]
    monkeypatch.setattr(checkers._mandate(other).postings, "standing", lambda: {"a": "mark"})
    assert complaint(life).startswith("Converged: pc0 and pc1: other marks stand")
    monkeypatch.setattr(checkers._state(other), "marks", lambda: ["a mark"])
    assert complaint(life).startswith("Converged: pc0 and pc1: marks differ")


def test_a_frozen_file_that_was_changed_is_seen(life: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The letter was corrected: its first version is no head any more."""
    here = mandate_of(life.hosts[0]).periods
    path = parse("letter.txt")
    first = next(c.id for c in checkers._state(life.hosts[0]).all_changes() if c.path == path and not c.named)
    told = [Freezing(FROZEN, life.hosts[0].keys.device, 0, (Closed(path, first),))]
    monkeypatch.setattr(here, "frozen", lambda: told)
    assert "other periods are frozen" in complaint(life)
    monkeypatch.setattr(mandate_of(life.hosts[1]).periods, "frozen", lambda: told)
    assert "was changed after its freeze" in complaint(life)


def test_other_conflicts_on_another_pc_are_seen(life: World, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = checkers._conflicts
    monkeypatch.setattr(checkers, "_conflicts", lambda host: honest(host) if host is life.hosts[0] else [])
    assert complaint(life).startswith("Converged: pc1 lists other conflicts than pc0")


def test_a_master_that_did_not_win_is_seen(life: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one = life.hosts[0]
    [conflict] = checkers._conflicts(one)
    payroll = next(head for head in (conflict.winner, *conflict.losers) if head.author != one.keys.device)
    accounting = next(head for head in (conflict.winner, *conflict.losers) if head.author == one.keys.device)
    right = replace(conflict, winner=accounting, losers=(payroll,))
    wrong = replace(conflict, winner=payroll, losers=(accounting,))
    for several, is_right in (([right], True), ([wrong], False)):
        monkeypatch.setattr(checkers, "_conflicts", lambda _, several=several: several)
        if is_right:
            check_at_rest(life)
        else:
            assert complaint(life).startswith("MasterRules: 'both.crp': the master's version did not win")


def test_heads_that_are_not_what_the_definition_gives_are_seen(life: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for host in life.hosts:
        state = checkers._state(host)
        monkeypatch.setattr(state, "is_accepted", lambda _: False)
    assert "the heads of" in complaint(life)


def test_what_people_decide_may_differ(life: World) -> None:
    """Under `manual` every PC shows its own until somebody chose."""
    one, two = life.hosts
    one.act(lambda admin: admin.set_rule(parse_setting("*.txt=manual")))
    rest(life)
    apart(life)
    for host in life.hosts:
        save(life, host, "letter.txt", f"{host.name}'s own")
    rest(life)
    again(life)
    assert shown(one)[parse("letter.txt")] != shown(two)[parse("letter.txt")]
    check_at_rest(life)
    two.disk.write(parse("letter.txt"), b"neither", 0)
    assert complaint(life).startswith("Converged: pc1 shows something else at 'letter.txt'")


def test_a_secret_that_others_know_is_seen(life: World) -> None:
    one, two = life.hosts
    two.leave()
    with planted("who left still knows the secret"):
        rest(life)
        assert (
            complaint(life) == "Secret: pc0 goes on with a secret that others know (python -m p2psync.sim --seed None)"
        )
    rest(life)
    save(life, one, "letter.txt", "to bring it up to date")
    rest(life)
    check_at_rest(life)
    mandate_of(one).secrets._known.clear()
    assert complaint(life).startswith("Secret: pc0 does not know the newest secret")


# -- after every step ----------------------------------------------------------------------------------


def test_a_path_that_is_none_is_seen_when_it_is_to_be_placed(life: World) -> None:
    one = life.hosts[0]
    mandate = one.mandate
    assert mandate is not None
    check_always(life, one, [Place(mandate, (PlaceItem(parse("a"), ABSENT, None, ABSENT, "removed"),))])
    for path in ("../a", "/a", ".p2psync/marker", ""):
        with pytest.raises(Failure, match="Contained: pc0 places"):
            check_always(life, one, [Place(mandate, (PlaceItem(RelPath(path), ABSENT, None, ABSENT, "removed"),))])


def test_too_much_at_once_is_seen(life: World) -> None:
    one = life.hosts[0]
    assert one.mandate is not None
    wanted = Wanted(content_of(b"a"), 1, parse("a"))
    check_always(life, one, [Fetch(one.mandate, (wanted,) * 2 * IN_FLIGHT_MAX)])
    with pytest.raises(Failure, match="Bounded: pc0 fetches too much"):
        check_always(life, one, [Fetch(one.mandate, (wanted,) * (2 * IN_FLIGHT_MAX + 1))])


def test_a_late_write_that_nobody_hears_of_is_noticed() -> None:
    life = together()
    one, two = life.hosts
    save(life, one, "a.txt", "one")
    rest(life)
    path = parse("a.txt")
    stood = mandate_of(two).state.bases([path])[path].heads
    entry = Entry(Kind.FILE, 4, 0, 0, content_of(b"late"))
    check_late_writes(two, [LateWrite(path, entry, (), None, True)])
    with pytest.raises(Failure, match=r"written late at 'a\.txt'"):
        check_late_writes(two, [LateWrite(path, entry, stood, None, True)])


# -- how it is told ------------------------------------------------------------------------------------


def test_a_failure_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def complain(_: World) -> None:
        raise Failure("Converged", "nothing is right")

    monkeypatch.setattr(world, "check_at_rest", complain)
    with pytest.raises(Failure) as raised:
        run(4711)
    assert str(raised.value) == "Converged: nothing is right (python -m p2psync.sim --seed 4711)"


def test_a_fault_of_the_engine_is_a_failure_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: World) -> None:
        raise KeyError("gone")

    monkeypatch.setattr(world, "check_at_rest", fail)
    with pytest.raises(Failure, match=r"Total: KeyError: 'gone' \(python -m p2psync.sim --seed 7\)"):
        run(7)

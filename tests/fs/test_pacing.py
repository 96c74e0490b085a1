"""What reads everything rests in between, by a clock of the test's own, and nothing else does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from p2psync.core.rate import BURST_S
from p2psync.core.relpath import RelPath
from p2psync.fs import inspector, stable
from p2psync.fs.being_read import BeingRead
from p2psync.fs.clone import PIECE_BYTES, content_of_file
from p2psync.fs.inspector import LARGE_BYTES
from p2psync.fs.pacing import GIVE_WAY_EVERY_S, GIVE_WAY_S, REST_MIN_S, SLICE_S, UNPACED, Pacer, ThreadClock, Turn
from p2psync.fs.scanner import Scanner
from p2psync.fs.stable import Stopped
from tests.fs.scanning import look, scan, told
from tests.fs.watched import Place

PIECE_S = 0.02


class Toil:
    """A clock by which asking what was worked is work; whoever rests has rested at once."""

    def __init__(self, piece_s: float = PIECE_S) -> None:
        self.s = 0.0
        self.worked = 0.0
        self.rested = 0.0
        self.rests = 0
        self.piece_s = piece_s
        self.at_rest: Callable[[], None] = lambda: None

    def now_s(self) -> float:
        return self.s

    def worked_s(self) -> float:
        return self.worked

    def work(self) -> None:
        self.s += self.piece_s
        self.worked += self.piece_s

    def rest(self, seconds: float) -> None:
        assert 0 < seconds <= SLICE_S
        self.s += seconds
        self.rested += seconds
        self.rests += 1
        self.at_rest()


def paced(share: int | None, piece_s: float = PIECE_S) -> tuple[Pacer, Toil]:
    clock = Toil(piece_s)
    pacer = Pacer(clock)
    pacer.put(share)
    return pacer, clock


def toil(turn: Turn, clock: Toil, pieces: int) -> None:
    for _ in range(pieces):
        turn.rest()
        clock.work()


def test_heavy_reading_lets_a_save_by_and_goes_on() -> None:
    pacer, clock = paced(None)
    turn = Turn(pacer, lambda: False)
    clock.work()
    saved_s = clock.s
    pacer.give_way()
    clock.work()
    turn.rest()
    assert clock.s == pytest.approx(saved_s + GIVE_WAY_S), "counted from the save"
    toil(turn, clock, 10)
    assert clock.rests == 1
    for _ in range(1000):
        pacer.give_way()
        turn.rest()
        clock.work()
    assert clock.rested <= clock.s * GIVE_WAY_S / GIVE_WAY_EVERY_S, "however often somebody saves"


def test_what_is_read_because_somebody_saved_it_lets_nobody_by() -> None:
    pacer, clock = paced(None)
    clock.work()
    pacer.give_way()
    toil(Turn(pacer, lambda: False), clock, 10)
    assert clock.rests == 0


@pytest.mark.parametrize("share", [1, 10, 25, 50, 90])
def test_work_keeps_to_its_share(share: int) -> None:
    pacer, clock = paced(share)
    toil(Turn(pacer, lambda: False), clock, 5_000)
    assert clock.rested > 0
    slack = BURST_S + REST_MIN_S * share / 100 + 2 * PIECE_S
    assert clock.worked <= clock.s * share / 100 + slack, "no more than its share"
    assert clock.worked >= clock.s * share / 100 - slack, "and no less"


def test_after_a_piece_of_work_the_rest_is_as_long_as_the_share_says() -> None:
    pacer, clock = paced(25, piece_s=0.5)
    turn = Turn(pacer, lambda: False)
    toil(turn, clock, 3)
    before = clock.rested
    turn.rest()
    assert clock.rested - before == pytest.approx(0.5 * (100 / 25 - 1))


def test_several_readers_keep_to_one_share_together() -> None:
    pacer, clock = paced(10)
    turns = [Turn(pacer, lambda: False) for _ in range(3)]
    for _ in range(2_000):
        for turn in turns:
            turn.begin()
            turn.rest()
            clock.work()
            turn.rest()
    assert clock.worked == pytest.approx(clock.s * 0.1, abs=BURST_S)


def test_without_a_limit_nothing_rests_and_no_clock_is_asked() -> None:
    class Unasked(Toil):
        def worked_s(self) -> float:
            raise AssertionError

    pacer = Pacer(Unasked())
    turn = Turn(pacer, lambda: False)
    turn.rest()
    assert not turn.is_due()
    UNPACED.rest()
    assert not UNPACED.is_due()


def test_a_rest_ends_at_once_when_the_limit_is_lifted_or_nobody_wants_to_know() -> None:
    for lift in (True, False):
        pacer, clock = paced(1, piece_s=100.0)
        over = threading.Event()
        turn = Turn(pacer, over.is_set)
        toil(turn, clock, 1)
        assert turn.is_due()
        clock.at_rest = (lambda pacer=pacer: pacer.put(None)) if lift else over.set  # type: ignore[misc]
        turn.rest()
        assert (clock.rests, clock.rested) == (1, SLICE_S)


def test_what_was_done_before_there_was_a_limit_or_in_another_thread_does_not_count() -> None:
    pacer, clock = paced(None)
    turn = Turn(pacer, lambda: False)
    toil(turn, clock, 1_000)
    pacer.put(1)
    turn.rest()
    clock.worked += 1_000
    turn.begin()
    turn.rest()
    assert clock.rests == 0


def test_nobody_waits_for_who_rests() -> None:
    pacer, clock = paced(1, piece_s=100.0)
    turn = Turn(pacer, lambda: False)
    toil(turn, clock, 1)
    asked: list[bool] = []

    def ask() -> None:
        thread = threading.Thread(target=lambda: asked.append(Turn(pacer, lambda: False).is_due()))
        thread.start()
        thread.join(10)
        pacer.put(None)

    clock.at_rest = ask
    turn.rest()
    assert asked == [True]


def test_this_pcs_clock_counts_what_this_thread_works() -> None:
    clock = ThreadClock()
    begun_s, worked_s = clock.now_s(), clock.worked_s()
    clock.rest(0.001)
    assert clock.now_s() > begun_s
    sum(range(100_000))
    assert clock.worked_s() > worked_s


# -- who rests ---------------------------------------------------------------------------------------------------


class Reads(Toil):
    """Each look at the clock costs a second of work."""

    def worked_s(self) -> float:
        self.work()
        return self.worked


def scanner_of(place: Place) -> tuple[Scanner, Reads, Pacer]:
    clock = Reads(1.0)
    pacer = Pacer(clock)
    pacer.put(50)
    return Scanner(place.folder, place.base, pacer=pacer), clock, pacer


def reading_is_work(monkeypatch: pytest.MonkeyPatch, clock: Toil) -> None:
    real = stable.read_stable

    def read(path: str, *args: object, **named: object) -> object:
        clock.work()
        return real(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(inspector, "read_stable", read)


def test_a_scan_rests_and_what_it_has_found_is_told_before(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        place.save(name)
    scanner, clock, _ = scanner_of(place)
    reading_is_work(monkeypatch, clock)
    found: list[str] = []
    known_at_rests: list[int] = []
    clock.at_rest = lambda: known_at_rests.append(len(found))
    for sight in scanner.scan():
        found += [one.seen.path for one in sight.found]
    assert found == list("abcd")
    assert set(known_at_rests) >= {2, 3}, "each was told before the rest that it made due"


def test_a_look_at_what_was_saved_never_rests_unless_it_is_large(place: Place) -> None:
    for name in "abcd":
        place.save(name)
    place.save("large", bytes(LARGE_BYTES + 1))
    scanner, clock, _ = scanner_of(place)
    assert look(scanner, *"abcd", "large") == ["+a", "+b", "+c", "+d", "Llarge"]
    assert clock.worked == 0
    assert told(scanner.look([RelPath("large")], large=BeingRead(RelPath("large")))) == ["+large"]
    assert clock.rests > 0


def test_a_full_pass_that_is_cancelled_rests_no_more(place: Place) -> None:
    for name in "abcdef":
        place.save(name)
    scanner, clock, _ = scanner_of(place)

    def cancel() -> None:
        scanner.full.wanted = False

    clock.at_rest = cancel
    assert len(scan(scanner, full=True)) == 6
    assert clock.rests == 1


def test_a_scan_that_is_stopped_rests_no_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdef":
        place.save(name)
    scanner, clock, _ = scanner_of(place)
    reading_is_work(monkeypatch, clock)
    clock.at_rest = scanner.stop
    with pytest.raises(Stopped):
        scan(scanner)
    assert clock.rests == 1


def test_the_pieces_of_a_big_file_are_read_with_rests(tmp_path: Path) -> None:
    pacer, clock = paced(50)
    turn = Turn(pacer, lambda: False)
    (tmp_path / "big").write_bytes(bytes(60 * PIECE_BYTES))

    def between() -> None:
        clock.work()
        turn.rest()

    content_of_file(tmp_path / "big", between)
    assert clock.worked == pytest.approx(60 * PIECE_S)
    assert clock.rests > 0

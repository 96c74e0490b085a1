"""Without an exchange of the disk's own, the steps are journalled, undone at start, and lose no save in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.fs.aside import AsideExchange, Overtaken
from p2psync.fs.exchange import EXCHANGE
from tests.fs.meddling import Meddling, NoSwap, fail, in_a_process_that_may_die, power_cut


class Place:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = root / "staging"
        self.staging.mkdir(exist_ok=True)
        self.staged, self.target = self.staging / "put-1-1", root / "a"

    def fill(self) -> Place:
        self.staged.write_bytes(b"new")
        self.target.write_bytes(b"old")
        return self

    def exchange(self, inner: Meddling) -> AsideExchange:
        return AsideExchange(inner, self.staging, self.root)

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes() for path in self.root.rglob("*") if path.is_file()
        }


@pytest.fixture(name="place")
def a_place(tmp_path: Path) -> Place:
    return Place(tmp_path).fill()


@pytest.mark.parametrize("inner", [Meddling(), NoSwap()], ids=["swap", "steps"])
def test_both_ways_exchange(place: Place, inner: Meddling) -> None:
    place.exchange(inner).swap(place.staged, place.target)
    assert place.files() == {"a": b"new", "staging/put-1-1": b"old"}


def test_a_disk_that_can_exchange_does_it_in_one_step(place: Place) -> None:
    inner = Meddling()
    place.exchange(inner).swap(place.staged, place.target)
    assert inner.steps == ["swap"]


def test_a_target_that_is_gone(place: Place) -> None:
    place.target.unlink()
    with pytest.raises(FileNotFoundError):
        place.exchange(NoSwap()).swap(place.staged, place.target)
    assert place.files() == {"staging/put-1-1": b"new"}


def test_a_save_between_the_steps_stays_and_what_stood_before_lies_aside(place: Place) -> None:
    inner = NoSwap(None, lambda: place.target.write_bytes(b"saved in between"))
    with pytest.raises(Overtaken) as caught:
        place.exchange(inner).swap(place.staged, place.target)
    assert caught.value.aside.read_bytes() == b"old"
    assert (place.target.read_bytes(), place.staged.read_bytes()) == (b"saved in between", b"new")


def test_a_step_that_fails_is_taken_back(place: Place) -> None:
    with pytest.raises(OSError, match="errno 5"):
        place.exchange(NoSwap(None, fail(5))).swap(place.staged, place.target)
    assert place.files() == {"a": b"old", "staging/put-1-1": b"new"}


@pytest.mark.parametrize("step", range(3))
def test_after_a_power_cut_the_target_holds_old_or_new(place: Place, step: int) -> None:
    inner = NoSwap(*[None] * step, power_cut)
    assert in_a_process_that_may_die(lambda: place.exchange(inner).swap(place.staged, place.target))
    AsideExchange(EXCHANGE, place.staging, place.root).undo()
    files = place.files()
    assert files["a"] == (b"new" if step == 2 else b"old")
    assert sorted(files.values()) == [b"new", b"old"]
    assert not any(name.endswith(".journal") for name in files)

"""Daemons that are killed in the midst of their work: all arrives whole, and nothing that nobody did is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.e2e.pc import Pc, agree, company, tree, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

FILES = 10_000


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with company(lab, root, "payroll") as two:
        yield two


def test_killed_in_the_midst_of_many_files(lab: Lab, pcs: list[Pc]) -> None:
    """First the receiver, then the sender, then the receiver again; on so slow a cable all of it would take 20 s."""
    a, b = pcs
    lab.shape(b.host, "8mbit")
    random = Random(4)
    for number in range(FILES):
        path = a.folder / f"{number % 50:02}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(random.randbytes(random.randrange(1, 4000)))
    wanted = a.files()
    _kill_when(b, b, FILES // 50, wanted)
    _kill_when(a, b, FILES // 10, wanted)
    _kill_when(b, b, FILES // 4, wanted)
    lab.shape(b.host)
    assert agree(*pcs, within_s=120) == wanted
    _nothing_but_what_was_done(pcs)


def test_killed_while_files_are_changed_and_removed(pcs: list[Pc]) -> None:
    a, b = pcs
    random = Random(5)
    names = sorted(a.files())[:1500]
    for number, name in enumerate(names):
        if number % 3:
            a.save(name, random.randbytes(3000))
        else:
            (a.folder / name).unlink()
    wanted = a.files()
    until(lambda: sum(not (b.folder / name).exists() for name in names) > 20, "some of it is at b")
    b.kill()
    a.kill()
    b.start()
    a.start()
    assert agree(*pcs, within_s=120) == wanted
    for pc in pcs:
        assert pc.run("conflicts", "Cargo") == []
    assert {row["device"] for row in b.log()} == {a.device}


def test_killed_right_after_a_program_wrote_into_a_file_that_was_replaced(pcs: list[Pc]) -> None:
    a, b = pcs
    a.save("open.txt", "old")
    b.has("open.txt", "old")
    with (b.folder / "open.txt").open("ab") as program:
        a.save("open.txt", "new")
        b.has("open.txt", "new")
        program.write(b" and more")
        program.flush()
        b.kill()
    b.start()
    until(lambda: a.run("conflicts", "Cargo") != [], "both edits are known")
    agree(a, b)
    [conflict] = a.run("conflicts", "Cargo")
    assert sorted(one["size"] for one in (conflict["winner"], *conflict["losers"])) == [3, 12]
    assert {one["device"] for one in (conflict["winner"], *conflict["losers"])} == {a.device, b.device}


def test_killed_while_a_big_file_comes_ahead(pcs: list[Pc]) -> None:
    """So little of a processor may read it that there is time to interrupt it."""
    a, b = pcs
    until(lambda: all(peer["rtt_ms"] for peer in a.status()["peers"]), "it is known how far b is")
    a.run("limit", "--cpu", "1%")
    a.save("big.bin", Random(6).randbytes(200 << 20))
    until(lambda: _ahead_bytes(b) > 10 << 20, "a part of it is at b")
    b.kill()
    assert not (b.folder / "big.bin").exists()
    b.start()
    a.run("limit", "--cpu", "off")
    agree(a, b)
    assert _ahead_bytes(b) == 0
    until(lambda: all(peer["rtt_ms"] for peer in a.status()["peers"]), "it is known how far b is")
    a.run("limit", "--cpu", "1%")
    a.save("other.bin", Random(7).randbytes(200 << 20))
    until(lambda: _ahead_bytes(b) > 10 << 20, "a part of another one is at b")
    a.kill()
    a.start()
    a.run("limit", "--cpu", "off")
    agree(a, b)


def _ahead_bytes(pc: Pc) -> int:
    """Of what has no name yet."""
    staging = pc.folder / ".p2psync" / "staging"
    return sum(path.stat().st_size for path in staging.glob("tmp-*"))


def _kill_when(victim: Pc, receiver: Pc, count: int, wanted: dict[str, str]) -> None:
    until(lambda: len(_names(receiver)) >= count, f"{receiver.host} has {count} files")
    victim.kill()
    standing = tree(receiver.folder)
    assert {path: wanted.get(path) for path in standing} == standing, "a partial file has a user's name"
    assert len(standing) < len(wanted), "too late to interrupt anything"
    victim.start()


def _names(pc: Pc) -> list[Path]:
    return [path for path in pc.folder.glob("[0-9][0-9]/*")]


def _nothing_but_what_was_done(pcs: list[Pc]) -> None:
    """Each file was told once, by the one who made it."""
    a, b = pcs
    for pc in pcs:
        rows = pc.log()
        assert len({row["path"] for row in rows}) == len(rows) == FILES
        assert {row["device"] for row in rows} == {a.device}
        assert pc.run("conflicts", "Cargo") == []
        assert pc.problems() == {}
        staging = pc.folder / ".p2psync" / "staging"
        assert [path.name for path in staging.iterdir()] == []
    assert b.run("log", "Cargo", "--verify") is not None

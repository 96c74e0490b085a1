"""A big file that shares most of its bytes with another one costs little more than what is new, whatever its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, company
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

MIB = 1 << 20
BIG_BYTES = 24 * MIB
LITTLE_BYTES = 2 * MIB
"""More than manifest, changed chunks and talk need, much less than the file."""


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with company(lab, root, "payroll") as two:
        yield two


@pytest.fixture(name="first")
def a_big_file(pcs: list[Pc], request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """Its name and what it holds; a made it, both have it."""
    a, _b = pcs
    name, data = f"{request.node.name}.bak", os.urandom(BIG_BYTES)
    a.save(name, data)
    agree(*pcs)
    return name, data


def edited(data: bytes) -> bytes:
    """With an insertion, a change and something appended."""
    middle = len(data) // 2
    return data[:MIB] + os.urandom(1000) + data[MIB:middle] + os.urandom(1000) + data[middle + 1000 :] + b"the end"


def received(lab: Lab, pc: Pc, until: Callable[[], object]) -> int:
    """Bytes on the wire to a PC until something has happened."""
    before = lab.counters(pc.host)
    until()
    return (lab.counters(pc.host) - before).received_bytes


@pytest.mark.parametrize("author", [0, 1], ids=["by who made it", "by who fetched it"])
def test_an_edited_copy(lab: Lab, pcs: list[Pc], first: tuple[str, bytes], author: int) -> None:
    here, there = pcs[author], pcs[1 - author]
    copy, data = f"copy {author}.bak", edited(first[1])

    def work() -> None:
        here.save(copy, data)
        there.has(copy, data)

    assert received(lab, there, work) < LITTLE_BYTES
    agree(*pcs)


def test_renamed_and_edited_while_the_other_was_off(lab: Lab, pcs: list[Pc], first: tuple[str, bytes]) -> None:
    a, b = pcs
    name, data = first[0], edited(first[1])
    b.stop()
    (a.folder / name).unlink()
    a.save("renamed.bak", data)

    def work() -> None:
        b.start()
        agree(*pcs)

    assert received(lab, b, work) < LITTLE_BYTES
    assert b.read("renamed.bak") == data
    assert b.read(name) is None


def test_made_of_a_file_that_is_only_kept(lab: Lab, pcs: list[Pc], first: tuple[str, bytes]) -> None:
    a, b = pcs
    name, data = first[0], edited(first[1])
    (a.folder / name).unlink()
    b.has(name, None)
    agree(*pcs)

    def work() -> None:
        a.save("back again.bak", data)
        b.has("back again.bak", data)

    assert received(lab, b, work) < LITTLE_BYTES


def test_made_of_a_file_that_was_changed_meanwhile(lab: Lab, pcs: list[Pc], first: tuple[str, bytes]) -> None:
    """What is known of its chunks is not true any more for half of them."""
    a, b = pcs
    name, data = first
    b.stop()
    a.save("made of it.bak", edited(data))
    wanted = a.read("made of it.bak")
    changed = os.urandom(BIG_BYTES // 2) + data[BIG_BYTES // 2 :]
    (b.folder / name).write_bytes(changed)

    def work() -> None:
        b.start()
        b.has("made of it.bak", wanted)

    assert received(lab, b, work) < BIG_BYTES * 3 // 4
    a.has(name, changed)
    assert agree(*pcs)

"""A long line that loses packets: lanes carry what is big."""

from __future__ import annotations

from pathlib import Path
from random import Random

from p2psync.wire.messages import LANES_MAX
from tests.e2e.pc import agree, company
from tests.lab import lan, requires_lab

pytestmark = requires_lab

MIB = 1 << 20


def test_a_big_file_goes_by_lanes(tmp_path: Path) -> None:
    with lan(2, rate="100mbit", delay="20ms", loss="0.1%") as lab, company(lab, tmp_path, "payroll") as (a, b):
        big, small = Random(1).randbytes(32 * MIB), "while it comes"
        a.save("big.bin", big)
        a.save("small.txt", small)
        b.has("small.txt", small)
        b.has("big.bin", big)
        assert 0 < a.lanes() <= LANES_MAX
        assert b.lanes() == a.lanes()
        b.save("back.bin", big[::-1])
        a.has("back.bin", big[::-1])
        agree(a, b)


def test_a_big_file_on_a_short_line_needs_none(tmp_path: Path) -> None:
    with lan(2, rate="1gbit", delay="0.1ms") as lab, company(lab, tmp_path, "payroll") as (a, b):
        big = Random(2).randbytes(64 * MIB)
        a.save("big.bin", big)
        b.has("big.bin", big)
        assert a.lanes() == b.lanes() == 0
        agree(a, b)

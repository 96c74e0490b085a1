"""Three PCs, users that do anything, cables and processes that break: at the end all is the same, nothing is lost.

STORM_SEED and STORM_S (seconds) in the environment make another storm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.e2e.pc import MANDATE, Pc, agree, company, digest, pause
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

LOSERS_TRIED = 3
NAMES = [
    f"{directory}{name}"
    for directory in ("", "sub/", "sub/deep/")
    for name in ("one.txt", "two.crp", "three.ecf", "four", "five.xml")
]


@pytest.fixture
def pcs(lab: Lab, tmp_path: Path) -> Iterator[list[Pc]]:
    with company(lab, tmp_path, "payroll", "invoicing") as three:
        yield three


def test_after_a_storm_all_is_the_same(pcs: list[Pc], lab: Lab, tmp_path: Path) -> None:
    seed = int(os.environ.get("STORM_SEED", "20250630"))
    storm = Storm(pcs, lab, Random(seed))
    storm.rage(float(os.environ.get("STORM_S", "25")))
    storm.heal()
    found = agree(*pcs, within_s=90)
    a = pcs[0]
    assert found
    lists = [_without_mine(pc) for pc in pcs]
    assert lists[0] == lists[1] == lists[2]
    _losers_are_kept(pcs, lists[0], tmp_path)
    assert storm.counts["edit"] > 20
    assert storm.counts["kill"] > 0
    assert storm.counts["cut"] > 0
    for pc in pcs:
        assert pc.run("log", "Cargo", "--verify") is not None
        assert pc.problems().items() <= _to_be_told(pc), pc.problems()
        assert not (pc.home / "command-line.log").exists()
    logged = {str(row["content"]) for row in a.log()}
    assert set(found.values()) - {""} <= logged
    for pc in pcs:
        assert "engine.stopped" not in (pc.home / "p2psync.log").read_text()
        assert "Traceback" not in pc.output.read_text()


class Storm:
    """Does something now and then, drawn from a seed."""

    def __init__(self, pcs: list[Pc], lab: Lab, random: Random) -> None:
        self._pcs = pcs
        self._lab = lab
        self._random = random
        self._serial = 0
        self._cut: set[str] = set()
        self.counts: dict[str, int] = {"edit": 0, "kill": 0, "cut": 0}

    def rage(self, seconds: float) -> None:
        acts = [self._edit] * 16 + [self._append] * 4 + [self._delete] * 4 + [self._rename] * 3
        acts += [self._cut_or_restore] * 2 + [self._kill_or_start]
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._random.choice(acts)(self._random.choice(self._pcs))
            pause(self._random.choice((0.01, 0.05, 0.2, 0.5)))

    def heal(self) -> None:
        for host in sorted(self._cut):
            self._lab.restore(host)
        for pc in self._pcs:
            if not pc.is_running:
                pc.start()

    def _edit(self, pc: Pc) -> None:
        self.counts["edit"] += 1
        path = self._random.choice(NAMES)
        if not any(parent.is_file() for parent in (pc.folder / path).parents):
            pc.save(path, self._words(path, pc))

    def _append(self, pc: Pc) -> None:
        """In place, as bookkeeping programs do."""
        path = pc.folder / self._random.choice(NAMES)
        if path.is_file():
            path.write_bytes(path.read_bytes() + self._words(path.name, pc).encode())

    def _delete(self, pc: Pc) -> None:
        (pc.folder / self._random.choice(NAMES)).unlink(missing_ok=True)

    def _rename(self, pc: Pc) -> None:
        source, target = (pc.folder / self._random.choice(NAMES) for _ in range(2))
        if source.is_file() and target.parent.is_dir():
            source.rename(target)

    def _words(self, path: str, pc: Pc) -> str:
        self._serial += 1
        text = f"{self._serial} by {pc.host}\r\n" * self._random.choice((1, 10, 1000))
        return text + ("ENDOFFILE\r\n" if path.endswith(".crp") else "")

    def _cut_or_restore(self, pc: Pc) -> None:
        if pc.host in self._cut:
            self._lab.restore(pc.host)
            self._cut.discard(pc.host)
        else:
            self._lab.cut(pc.host, silent=self._random.random() < 0.5)
            self._cut.add(pc.host)
            self.counts["cut"] += 1

    def _kill_or_start(self, pc: Pc) -> None:
        if pc.is_running:
            pc.kill()
            self.counts["kill"] += 1
        pc.start()


def _to_be_told(pc: Pc) -> set[tuple[str, str]]:
    """Problems that a storm may leave: the other PCs may change master data, but only accounting removes it."""
    codes = {(path, code) for path in NAMES for code in ("open-conflict", "incomplete")}
    return codes if pc.host == "a" else codes | {(path, "edit-refused") for path in NAMES if path.endswith(".crp")}


def _losers_are_kept(pcs: list[Pc], conflicts: list[dict[str, Any]], out: Path) -> None:
    for row in conflicts[:LOSERS_TRIED]:
        loser = row["losers"][0]
        if loser["kind"] != "file":
            continue
        for pc in pcs:
            file = out / f"{pc.host} {loser['id'][:8]}"
            pc.run("restore", MANDATE, row["path"], "--version", loser["id"], "--to", file)
            assert digest(file) == loser["content"], (pc, row)


def _without_mine(pc: Pc) -> list[dict[str, Any]]:
    """What all PCs list alike: all but which version is one's own."""
    rows = pc.run("conflicts", "Cargo")
    for row in rows:
        for version in (row["winner"], *row["losers"]):
            version.pop("mine", None)
    return list(rows)

"""The benchmark of a meeting host measures what it says, with a few members as with many."""

from __future__ import annotations

import sys

import pytest

from benchmarks.rendezvous import main, spread


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="its members have addresses all over 127/8")
def test_a_few_members_are_introduced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--members", "13", "--size", "3", "--processes", "2", "--newcomers", "1", "--idle", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("12 members in 4 mandates")
    assert [line.split(":")[0].split(" ")[0] for line in lines[1:]] == ["nobody", "all", "memory", "a"]


def test_how_times_are_told() -> None:
    assert spread([]) == ""
    assert spread([0.25]) == "250 ms"
    assert spread([0.1] * 19 + [2.0]).startswith("100 ms (95 %: ")

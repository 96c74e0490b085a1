"""Which workloads are run when somebody asks for some."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import asked_for, main, parser
from benchmarks.cases import QUICK, Sizes, all_cases, chosen


def names(only: str = "", lines: str = "", *, quick: bool = False) -> set[str]:
    cases = all_cases(Sizes())
    found = chosen(cases, set(filter(None, only.split(","))), set(filter(None, lines.split(","))), quick)
    return {case.name for case in found}


def test_every_case_has_a_name_of_its_own() -> None:
    cases = all_cases(Sizes())
    assert len({case.name for case in cases}) == len(cases)
    assert [case.name for case in all_cases(QUICK)] == [case.name for case in cases]


def test_the_long_ones_are_run_only_if_asked_for() -> None:
    usual = names()
    assert {"W1-lan", "W1-wan", "W2-wan", "W3a-lan", "W3b-wan", "W4-lan", "W4b-wan", "W5", "W6", "W7", "W8"} <= usual
    assert not {name for name in usual if name.endswith(("100k", "million")) or name.startswith(("W10", "W11"))}


def test_a_workload_means_its_usual_cases_and_a_full_name_exactly_one() -> None:
    assert names("W1") == {"W1-lan", "W1-wan"}
    assert names("W1,W6-100k") == {"W1-lan", "W1-wan", "W6-100k"}
    assert names("W4-wan") == {"W4-wan"}
    assert names("W1-lan,W1-100k") == {"W1-lan", "W1-100k"}


def test_a_workload_that_is_optional_as_a_whole_is_asked_for_by_its_name() -> None:
    assert names("W11") == {"W11-2", "W11-4", "W11-8", "W11-16", "W11-mandates"}
    assert names("W10") == {"W10-few", "W10-million"}


def test_lines_are_chosen_whatever_else_is() -> None:
    assert names("W1,W2", "wan") == {"W1-wan", "W2-wan"}
    assert names(lines="uplink") == {"W8"}


def test_the_quick_set_is_smaller() -> None:
    assert names(quick=True) < names()
    assert names("W8", quick=True) == {"W8"}


def test_a_name_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no such workload: W99 "):
        names("W1,W99")


def test_options_choose_sizes_and_tools() -> None:
    cases, tools = asked_for(parser().parse_args(["--only", "W5", "--idle", "7", "--tools", "rsync,p2psync"]))
    assert [case.title for case in cases] == ["idle 7 s with 10,000 files (memory: PSS)"]
    assert [tool.name for tool in tools] == ["p2psync", "rsync"]


def test_wrong_names_end_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tools", "robocopy"]) == 2
    assert "no such tool: robocopy" in capsys.readouterr().err

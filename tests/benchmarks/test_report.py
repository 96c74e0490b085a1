"""The arithmetic of the benchmark's report, and how it is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import plot, report
from benchmarks.cases import Case
from benchmarks.measuring import Sample
from benchmarks.running import Result

BIG = Case("W2", "lan", "one big file", lambda stage: Sample(), payload_bytes=100_000_000)
IDLE = Case("W5", "", "idle", lambda stage: Sample())
ABOUT: dict[str, Any] = {"system": "a machine", "tools": {"p2psync": "1", "unison": None}}


def sample(*seconds: float, sent: int = 1000, memory: float = 50.0) -> Sample:
    return Sample(
        seconds=list(seconds),
        sent_bytes={"a": sent, "b": 20},
        received_bytes={"a": 20, "b": sent},
        cpu_s={"a": 1.0, "b": 2.0},
        memory_mib={"a": memory, "b": memory + 1},
        read_mib={"a": 3.0, "b": 4.0},
    )


def rows(*results: Result) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["case"], row["tool"]): row for row in report.document(results, ABOUT)["rows"]}


def test_seconds_are_those_of_all_runs_together() -> None:
    assert report.spread([]) is None
    assert report.spread([3.0, 1.0, 8.0]) == {"median": 3.0, "min": 1.0, "max": 8.0}
    many = report.spread([float(n) for n in range(101)])
    assert many == {"median": 50.0, "min": 0.0, "max": 100.0, "p95": pytest.approx(95.0)}


def test_figures_of_hosts_are_medians_and_memory_is_the_most() -> None:
    runs = [sample(1.0, sent=10, memory=70), sample(2.0, sent=30, memory=60), sample(9.0, sent=20, memory=65)]
    row = rows(Result(BIG, "rsync", runs))["W2-lan", "rsync"]
    assert row["seconds"] == {"median": 2.0, "min": 1.0, "max": 9.0}
    assert row["sent_bytes"] == {"a": 20, "b": 20}
    assert row["memory_mib"] == {"a": 70, "b": 71}
    assert row["mb_per_s"] == 50.0
    assert len(row["samples"]) == 3


def test_a_ratio_says_how_many_times_longer_a_peer_takes() -> None:
    found = rows(
        Result(BIG, "p2psync", [sample(2.0)]),
        Result(BIG, "syncthing", [sample(20.0)]),
        Result(BIG, "rsync", [sample(1.0)]),
        Result(BIG, "unison", [], failures=["it fell over"]),
    )
    assert found["W2-lan", "p2psync"]["ratio"] == {"syncthing": 10.0, "rsync": 0.5, "unison": None}
    assert found["W2-lan", "syncthing"]["ratio"] == 10.0
    assert found["W2-lan", "rsync"]["ratio"] == 0.5
    assert found["W2-lan", "unison"]["ratio"] is None


def test_where_nothing_is_timed_the_ratio_is_of_memory() -> None:
    found = rows(Result(IDLE, "p2psync", [sample(memory=49)]), Result(IDLE, "syncthing", [sample(memory=99)]))
    assert found["W5", "syncthing"]["ratio"] == 2.0
    assert found["W5", "p2psync"]["seconds"] is None


def test_without_ours_there_is_nothing_to_compare_with() -> None:
    assert rows(Result(BIG, "rsync", [sample(1.0)]))["W2-lan", "rsync"]["ratio"] is None


def test_the_table_has_a_row_for_each_and_says_what_is_missing() -> None:
    results = [
        Result(BIG, "p2psync", [sample(0.0123)]),
        Result(BIG, "syncthing", [], failures=["it fell over"]),
        Result(IDLE, "rsync", unfit="nothing of it runs"),
    ]
    lines = report.table(report.document(results, ABOUT)).splitlines()
    assert lines[2].startswith("| **W2** one big file, LAN | p2psync | 12.3 ms | 12.3 ms | 12.3 ms |  | 8,130 | 0.00 |")
    assert lines[3].startswith("|  | syncthing (failed) |  |")
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert lines[4] == ""
    assert lines[5:] == [
        "* system: a machine",
        "* p2psync: 1",
        "* unison: not installed, skipped",
        "* W5: not run with rsync, nothing of it runs",
        "* W2-lan: syncthing failed, it fell over",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, ""), (0.0042, "4.20 ms"), (0.25, "0.25 s"), (14.31, "14.3 s"), (1234.5, "1,234 s")]
)
def test_times_are_shown_in_a_unit_that_suits_them(seconds: float | None, shown: str) -> None:
    assert report.shown_seconds(seconds) == shown


def test_the_document_survives_being_written() -> None:
    document = report.document([Result(BIG, "p2psync", [sample(1.0)])], ABOUT)
    again = json.loads(json.dumps(document))
    assert report.table(again) == report.table(document)


def test_nothing_timed_makes_no_picture(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="nothing was timed"):
        plot.draw(report.document([Result(IDLE, "p2psync", [sample()])], ABOUT), tmp_path)


def test_the_picture_names_all_tools(tmp_path: Any) -> None:
    results = [Result(BIG, tool, [sample(seconds)]) for tool, seconds in (("p2psync", 1.0), ("rsync", 2.0))]
    png, svg = plot.draw(report.document(results, ABOUT), tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert all(text in svg.read_text("utf-8") for text in ("p2psync", "rsync", "one big file"))

"""The event log: one line an event, errors with their origin, listeners, rotation, and nothing readable by others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.daemon import logs
from p2psync.daemon.logs import EventLog, LogEvent, time_text


def test_an_event_is_one_line_with_its_facts(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.event("place.refused", mandate=b"\x01" * 16, path="a b.ecf", code="locked", nothing=None)
    log.close()
    (line,) = (tmp_path / "p2psync.log").read_text("utf-8").splitlines()
    when, *rest = line.split(" ", 1)
    assert rest == ['place.refused mandate=010101010101 path="a b.ecf" code=locked']
    assert len(when) == len("2025-01-31T12:00:00.000Z")


@pytest.mark.parametrize(
    ("value", "shown"), [("", '""'), ("a=b", '"a=b"'), ("a\nb", '"a\\nb"'), ("é", "é"), ('"', '"\\""'), (7, "7")]
)
def test_a_fact_never_breaks_the_line(value: object, shown: str) -> None:
    heard: list[LogEvent] = []
    log = EventLog(None)
    log.listen(heard.append)
    log.event("x", value=value)
    assert str(heard[0]).endswith(f" x value={shown}")


def test_a_failure_tells_where_it_came_from(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        log.failure("engine.fault", error, link=3)
    log.close()
    first, *trace = (tmp_path / "p2psync.log").read_text("utf-8").splitlines()
    assert "engine.fault link=3 error=" in first
    assert all(line.startswith("    ") for line in trace)
    assert any("test_a_failure_tells_where_it_came_from" in line for line in trace)


def test_a_listener_hears_until_it_stops() -> None:
    heard: list[str] = []
    log = EventLog(None)
    stop = log.listen(lambda event: heard.append(event.name))
    log.event("one")
    stop()
    log.event("two")
    assert heard == ["one"]


def test_the_file_is_private_and_turns_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 500)
    log = EventLog(tmp_path)
    for number in range(100):
        log.event("tick", number=number)
    log.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["p2psync.log", "p2psync.log.1", "p2psync.log.2", "p2psync.log.3"]
    assert all(path.stat().st_size <= 500 for path in tmp_path.iterdir())
    if os.name == "posix":
        assert (tmp_path / "p2psync.log.3").stat().st_mode & 0o077 == 0


def test_a_time_is_in_utc_to_the_millisecond() -> None:
    assert time_text(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123Z"


def test_details_stand_in_a_detailed_log_alone(tmp_path: Path) -> None:
    for is_detailed, expected in ((False, ["one"]), (True, ["one", "two path=a.ecf"])):
        heard: list[str] = []
        home = tmp_path / str(is_detailed)
        home.mkdir()
        log = EventLog(home, is_detailed)
        log.listen(lambda event, heard=heard: heard.append(event.name))  # type: ignore[misc]
        log.event("one")
        log.detail("two", {"path": "a.ecf", "kept": None})
        log.close()
        lines = (home / "p2psync.log").read_text("utf-8").splitlines()
        assert [line.partition(" ")[2] for line in lines] == expected
        assert heard == ["one"], "the page is not flooded"

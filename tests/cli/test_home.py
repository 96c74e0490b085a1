"""Where a device keeps its things, and what its daemon says of itself there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from p2psync.cli import home as homes
from p2psync.cli.home import (
    COMMAND_LOG,
    HOME_VARIABLE,
    RUNNING_FILE,
    Running,
    home_path,
    note_failure,
    read_running,
    tail,
)


def test_the_option_goes_before_the_variable_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, "of the variable")
    assert home_path(Path("given")) == tmp_path / "given"
    assert home_path(None) == tmp_path / "of the variable"
    monkeypatch.delenv(HOME_VARIABLE)
    assert home_path(None).name == "p2psync"
    assert home_path(None).is_absolute()


@pytest.mark.parametrize(("address", "host", "port"), [("127.0.0.1:4711", "127.0.0.1", 4711), ("[::1]:80", "::1", 80)])
def test_what_a_daemon_says(tmp_path: Path, address: str, host: str, port: int) -> None:
    (tmp_path / RUNNING_FILE).write_text(json.dumps({"address": address, "token": "t", "pid": 7}))
    assert read_running(tmp_path) == Running(host, port, "t", 7)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"address": "x", "token": "t", "pid": 1}', "\xff"])
def test_what_makes_no_sense_is_no_daemon(tmp_path: Path, text: str) -> None:
    (tmp_path / RUNNING_FILE).write_bytes(text.encode("latin-1"))
    assert read_running(tmp_path) is None
    assert read_running(tmp_path / "nowhere") is None


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo\nthr\xffe\n")
    assert tail(log, 2) == "two\nthr�e"
    assert tail(tmp_path / "none", 2) == ""


def test_a_failure_is_noted_with_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "COMMAND_LOG_BYTES_MAX", 10)
    try:
        raise KeyError("a bug")
    except KeyError as error:
        path = note_failure(tmp_path, error)
        assert path == tmp_path / COMMAND_LOG
        first = path.read_text()
        assert "a bug" in first
        assert __file__ in first
        note_failure(tmp_path, error)
        assert path.read_text() == first, "it begins anew when it has grown"


def test_where_there_is_no_home_a_failure_is_noted_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert note_failure(tmp_path / "none", KeyError("x")) == tmp_path / COMMAND_LOG
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "none"))
    assert note_failure(tmp_path / "none", KeyError("x")) is None

"""Settings: where to listen, what a device is called, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.daemon.config import DETAILED, LOOPBACK, NORMAL, Config, Endpoint, default_documents, parse_endpoint
from p2psync.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:4000", Endpoint("192.0.2.1", 4000)),
        ("pc-lohn:4000", Endpoint("pc-lohn", 4000)),
        ("[::1]:4000", Endpoint("::1", 4000)),
        (":4000", Endpoint(None, 4000)),
        (" 4000 ", Endpoint(None, 4000)),
        ("0", Endpoint(None, 0)),
    ],
)
def test_an_endpoint_is_read(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected


@pytest.mark.parametrize("text", ["", "host", "host:", "host:65536", "host:-1", "::1:4000", "host:4o"])
def test_what_is_no_endpoint_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(ConfigError, match="address to listen on"):
        parse_endpoint(text)


def test_a_host_that_is_not_named_is_the_one_given() -> None:
    assert parse_endpoint("8080", LOOPBACK) == Endpoint(LOOPBACK, 8080)
    assert parse_endpoint("0.0.0.0:8080", LOOPBACK) == Endpoint("0.0.0.0", 8080)


def test_a_device_is_called_after_its_host_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "pc-lohn")
    assert Config(tmp_path, documents=tmp_path).name == "pc-lohn"
    assert Config(tmp_path, name=" Büro\n", documents=tmp_path).name == "Büro"


@pytest.mark.parametrize("name", ["\t", "x" * 101])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="1 to 100 characters"):
        Config(tmp_path, name=name, documents=tmp_path)


def test_the_home_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config(Path("home"), documents=tmp_path).home == tmp_path / "home"


def test_a_turn_server_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Config(tmp_path, documents=tmp_path).turn is None
    monkeypatch.setenv("P2PSYNC_TURN", "turn:user:s3cret@turn.example.ch")
    turn = Config(tmp_path, documents=tmp_path).turn
    assert turn is not None
    assert turn.host == "turn.example.ch"
    monkeypatch.setenv("P2PSYNC_TURN", "turn:s3cret")
    with pytest.raises(ConfigError) as caught:
        Config(tmp_path, documents=tmp_path)
    assert "s3cret" not in str(caught.value)


def test_folders_go_into_the_documents() -> None:
    assert default_documents().is_absolute()


def test_the_log_is_normal_or_detailed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P2PSYNC_LOG", raising=False)
    assert Config(tmp_path).log == NORMAL
    monkeypatch.setenv("P2PSYNC_LOG", "detailed")
    assert Config(tmp_path).log == DETAILED
    with pytest.raises(ConfigError, match="loud"):
        Config(tmp_path, log="loud")

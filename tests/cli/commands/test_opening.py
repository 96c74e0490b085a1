"""A ticket's file, double-clicked: the page asks about it, whether p2psync runs or not; and that it comes to that."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.ids import MandateId
from p2psync.pair.ticket import encode, parse
from p2psync.system import registering
from tests.cli.machine import Machine, machines
from tests.daemon.file_managers import fake_file_manager, needs_programs

pytestmark = needs_programs


def handed(address: str) -> tuple[str, list[Any]]:
    """Where a browser comes to by this address, and what its page is given, asked twice."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(address, timeout=30) as page:
        found = str(page.url)
    origin = "/".join(address.split("/")[:3])
    given = []
    for _ in range(2):
        request = urllib.request.Request(f"{origin}/api/web/ticket", b"", {"Origin": origin})
        with browser.open(request, timeout=30) as answer:
            given.append(json.load(answer)["ticket"])
    return found, given


def test_the_page_gets_what_the_file_holds_once_and_no_address_does(
    office: Machine, home: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    file = tmp_path / "for home.p2pticket"
    made = office.ask("invite", "Cargo", "--role", "reader", "--save", str(file))
    result = home.run("open", str(file))
    assert (result.code, result.out) == (0, "The ticket is shown in your browser.\n")
    (address,) = opened()
    place, given = handed(address)
    assert place.endswith("/#join")
    assert given == [file.read_text(), None]
    assert made["ticket"] not in address + place
    office.ask("invites", "Cargo", "--cancel", made["id"])


def test_without_a_screen_the_address_is_told(home: Machine, office: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    file = home.home / "t.p2pticket"
    made = office.ask("invite", "Cargo", "--role", "reader")
    file.write_text(made["ticket"])
    told = home.ask("open", str(file))
    assert told["opened"] is False
    assert handed(told["url"])[1] == [made["ticket"], None]
    assert home.run("open", str(file)).out.startswith("http://127.0.0.1:")
    office.ask("invites", "Cargo", "--cancel", made["id"])


def test_p2psync_is_started_for_it(office: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    file = tmp_path / "t.p2pticket"
    file.write_text(office.ask("invite", "Cargo", "--role", "reader")["ticket"])
    with machines(tmp_path, "guest", up=False) as (guest,):
        try:
            assert guest.run("open", str(file)).code == 0
            assert guest.ask("mandate", "list") == []
            assert handed(opened()[0])[1][0] == file.read_text()
        finally:
            assert guest.run("stop").code == 0


def test_what_is_wrong_with_a_file_is_told_here_and_on_the_page(
    office: Machine, home: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    old = encode(
        replace(parse(office.ask("invite", "Cargo", "--role", "reader")["ticket"]), mandate=MandateId(b"m" * 16))
    )
    expired = encode(replace(parse(old), expires_s=1))
    huge = tmp_path / "huge"
    with huge.open("wb") as sparse:
        sparse.truncate(100_000_000)
    wrong = {"a.txt": b"hello", "b": bytes(range(256)), "empty": b"", "old": expired.encode()}
    for name, data in wrong.items():
        (tmp_path / name).write_bytes(data)
    for name, saying in (
        *(("a.txt", "This is no ticket"), ("b", "This is no ticket"), ("empty", "This is no ticket")),
        *(("huge", "far too long"), ("old", "expired on")),
    ):
        home.refuses("open", str(tmp_path / name), code=1, saying=saying)
    assert len(opened()) == 5, "whoever double-clicked sees no terminal"
    assert handed(opened()[0])[1][0] == "hello"
    assert set(home.run("open", str(tmp_path / "a.txt"), "--json").data) == {"error", "exit"}


def test_what_is_no_file_opens_nothing(home: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    home.refuses("open", str(tmp_path), code=1, saying="is no file")
    home.refuses("open", str(tmp_path / "t.p2pticket"), code=1, saying="There is no file")
    assert opened() == []


def test_a_member_may_open_the_ticket_again(
    office: Machine, home: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_file_manager(tmp_path, monkeypatch)
    file = tmp_path / "t.p2pticket"
    office.ask("invite", "Cargo", "--role", "reader", "--save", str(file))
    assert home.run("open", str(file)).code == 0
    office.refuses("open", str(file), code=2, saying="issued by this device")


def test_the_association_is_set_and_taken_back(home: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    done = home.run("service", "associate")
    assert done.code == 0
    assert "opens it with p2psync now" in done.out
    assert "update-mime-database is not installed" in done.err
    (entry,) = (tmp_path / "XDG_DATA_HOME" / "applications").iterdir()
    assert f"--home {home.home} open %f" in entry.read_text()
    assert home.ask("service", "associate", "--remove")["associated"] is False
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_where_it_cannot_be_set_that_is_said(home: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    home.refuses("service", "associate", code=1, saying="settings cannot be changed")
    monkeypatch.setattr(registering, "is_known", lambda _platform: False)
    home.refuses("service", "associate", code=1, saying="Drop it onto the page")

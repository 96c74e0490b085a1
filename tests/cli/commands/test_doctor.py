"""`p2psync doctor`, with a daemon and without one: what is wrong and what to do, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from p2psync.cli.commands import doctor
from p2psync.i18n import set_language
from tests.cli.machine import Machine, company, machines

UNREACHABLE = "wss://127.0.0.1:1"
"""Nobody listens there, on any PC of today."""
KEYS = {"check", "state", "code", "about", "facts", "message", "remedy"}


def test_without_a_daemon_it_looks_itself(tmp_path: Path) -> None:
    pc = Machine(tmp_path, "pc")
    result = pc.run("doctor")
    assert result.code == 4
    assert "p2psync is not running" in result.out.splitlines()[0]
    assert "p2psync start" in result.out
    rows = pc.run("doctor", "--json")
    assert rows.code == 4
    assert all(row.keys() == KEYS for row in rows.data)
    assert not pc.home.exists()


def test_what_a_daemon_finds(tmp_path: Path) -> None:
    with company(tmp_path) as (office, home):
        all_well = office.run("doctor")
        assert all_well.code == 0
        assert all_well.out.endswith("\nNothing is wrong.\n")
        assert "Cargo: home is connected (local network)." in all_well.out
        home.end()
        office.end()
        office.up("--rendezvous", UNREACHABLE)
        result = office.run("doctor")
        assert result.code == 3
        assert f"ERROR    The meeting host {UNREACHABLE} cannot be reached: Connection refused." in result.out
        assert "warning  Cargo: home is not connected, last seen: " in result.out
        assert result.out.endswith("\n1 thing is wrong.\n")
        office.end()
        off = office.run("doctor")
        assert off.code == 4
        assert f"The meeting host {UNREACHABLE} cannot be reached" in off.out
        assert f"Cargo: the folder {office.folder} is there" in off.out
        told = json.loads(office.run("doctor", "--json", "--lang", "de").out)
        assert any(row["message"].startswith(f"Der Treffpunkt {UNREACHABLE} ist nicht erreichbar") for row in told)


def test_a_host_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    with machines(tmp_path, "pc", up=False) as (pc,):
        result = pc.run("up", "--no-mdns", "--rendezvous", "http://meet.example.com/page")
        assert result.code == 2
        assert "is no address of a meeting host. Write wss://HOST" in result.err


PROBLEM = {
    **{"check": "clock", "state": "error", "code": "clock-problem", "about": "Cargo"},
    "facts": {"mandate": "Cargo", "path": "", "code": "clock-wrong", "detail": "home", "device": None},
}
AWAY = {
    **{"check": "member", "state": "warning", "code": "member-away", "about": "AB-CD"},
    "facts": {
        **{"mandate": "Cargo", "member": "home", "path": None, "last_seen": None},
        "not_better": [{"way": "relay", "reason": "The meeting host does not relay."}],
    },
}
DISK = {
    **{"check": "disk", "state": "error", "code": "disk-full", "about": "/cargo"},
    "facts": {"folder": "/cargo", "free_bytes": 1_500_000},
}
NEWER = {"check": "moon", "state": "odd", "code": "moon-phase", "about": "moon", "facts": {"phase": "full"}}


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        (
            PROBLEM,
            [
                "ERROR    Cargo: The clocks of this PC and of home are more than a day apart. Nothing is lost by that.",
                "         -> Set the clock, or let it be set by the network.",
            ],
        ),
        (
            AWAY,
            [
                "warning  Cargo: home is not connected, last seen: -.",
                "         -> If it is switched on and has a network, look there with: p2psync doctor",
                "         not by relay: The meeting host does not relay.",
            ],
        ),
        (
            DISK,
            [
                "ERROR    The disk of /cargo is nearly full: 1.5 MB are free.",
                "         -> Make room on the disk. It is tried again by itself.",
            ],
        ),
        (NEWER, ["odd      moon-phase: moon {'phase': 'full'}"]),
    ],
    ids=lambda one: str(one["code"]) if isinstance(one, dict) else "",
)
def test_how_findings_look(row: dict[str, object], lines: list[str]) -> None:
    set_language("en")
    assert doctor.text([doctor._told(row)]).splitlines()[: len(lines)] == lines

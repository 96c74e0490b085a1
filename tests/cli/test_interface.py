"""The interface that people and scripts rely on: commands and their options, shapes of JSON, exit codes, files.

What stands here keeps its name and meaning; adding is free. Each table is read against a real daemon.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main

from p2psync.cli.app import app
from p2psync.cli.manual import leaves
from tests.cli.machine import Machine, company, environment, machines, run, until

COMMANDS: Mapping[str, str] = {
    "up": "--listen --web --name --no-mdns --rendezvous --proxy --no-port-mapping --log",
    "start": "",
    "stop": "",
    "restart": "",
    "status": "MANDATE",
    "demo": "--devices --keep --web",
    "mandate create": "NAME --folder --role --restrict --person",
    "mandate list": "",
    "mandate show": "MANDATE",
    "mandate rename": "MANDATE NAME",
    "mandate leave": "MANDATE --wipe",
    "mandate recovery": "MANDATE --save --renew",
    "share": "MANDATE",
    "invite": "MANDATE --role --admin --expires --uses --save --qr --code --confirm",
    "invites": "MANDATE --cancel",
    "join": "TICKET|FILE|CODE|- --folder --name --person --timeout",
    "devices": "MANDATE --revoke --approve --role --primary --person",
    "peer add": "MANDATE HOST:PORT",
    "peer list": "MANDATE",
    "peer remove": "MANDATE HOST:PORT",
    "rules": "MANDATE --set --open --attach",
    "sync": "MANDATE --only --full --dry-run --timeout",
    "wait": "MANDATE --timeout",
    "conflicts": "MANDATE PATH --keep",
    "seen": "MANDATE",
    "versions": "MANDATE PATH",
    "restore": "MANDATE PATH --version --at --to",
    "history": "MANDATE --run --failed",
    "log": "MANDATE --verify --export",
    "verify": "MANDATE --repair --last",
    "overview": "",
    "doctor": "",
    "schedule": "MANDATE --incremental --full --active --interval",
    "pause": "MANDATE --until",
    "resume": "MANDATE",
    "limit": "--up --down --cpu",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DEVICE = re.compile(r"[A-Z2-7]{7}(-[A-Z2-7]{7})+")
HEX = re.compile(r"[0-9a-f]{16,}(\.\d+)?")
STATUS = {
    "device": {"id": DEVICE, "name": str, "version": str},
    "mandates": [
        {
            **{"id": HEX, "name": str, "state": {"local", "shared"}, "role": str, "folder": str},
            **{"files": int, "bytes": int, "in_sync": bool, "health": {"ok", "retrying", "action"}},
            **{"to_receive": {"files": int, "bytes": int}, "to_send": {"files": int, "bytes": int}},
            **{"conflicts": int, "problems": int, "pending": int},
            "peers": [
                {
                    **{"device": DEVICE, "name": str, "role": str, "connected": bool},
                    **{"path": {"lan", "direct", "webrtc", "relay", None}, "rtt_ms": (float, int, type(None))},
                    **{"behind_files": int, "last_seen": TIME},
                }
            ],
        }
    ],
}
VERSION = {"device": DEVICE, "time": TIME, "content": (str, type(None))}
SHAPES: Mapping[tuple[str, ...], object] = {
    ("status",): STATUS,
    ("status", "Cargo"): STATUS,
    ("mandate", "list"): [{"id": HEX, "name": str, "state": {"shared"}, "role": str, "folder": str}],
    ("devices", "Cargo"): [
        {"device": DEVICE, "name": str, "role": str, "admin": bool, "state": {"member"}, "last_seen": TIME}
    ],
    ("invites", "Cargo"): [{"id": HEX, "role": str, "expires": TIME, "uses_left": int}],
    ("conflicts", "Cargo"): [
        {"path": str, "rule": {"prefer"}, "winner": VERSION, "losers": [{**VERSION, "id": HEX}]},
    ],
    ("versions", "Cargo", "a.crp"): [
        {"id": HEX, "path": {"a.crp"}, "time": TIME, "device": DEVICE, "size": int, "content": str, "reason": str}
    ],
    ("history", "Cargo"): [{"id": str, "started": TIME, "ended": TIME, "result": str, "items": list}],
    ("log", "Cargo"): [
        {"device": DEVICE, "seq": int, "time": TIME, "path": str, "kind": str, "content": (str, type(None))}
    ],
    ("invite", "Cargo", "--role", "reader"): {"id": HEX, "ticket": re.compile("P2P1[0-9A-Z]+"), "expires": TIME},
    ("sync", "Cargo", "--timeout", "30s"): {"id": str, "result": {"nothing-new", "success"}, "items": list},
    ("wait", "Cargo", "--timeout", "30s"): {"result": {"success"}},
    ("peer", "list", "Cargo"): list,
    ("rules", "Cargo"): list,
    ("doctor",): [
        {"check": str, "state": {"ok", "warning", "error"}, "about": str, "message": str, "remedy": str},
    ],
}


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two PCs that changed one file at the same time, with an open invitation and a run."""
    with company(tmp_path_factory.mktemp("met")) as (office, home):
        office.save("a.crp", "one\r\nENDOFFILE\r\n")
        home.has("a.crp", "one\r\nENDOFFILE\r\n")
        home.end()
        office.save("a.crp", "office\r\nENDOFFILE\r\n")
        home.save("a.crp", "home\r\nENDOFFILE\r\n")
        home.up()
        until(lambda: office.ask("conflicts"), "they have met")
        office.ask("invite", "Cargo", "--role", "reader")
        until(lambda: office.ask("wait")["result"] == "success", "all is the same")
        office.ask("sync")
        yield office, home


def fits(value: object, shape: object, where: str) -> None:
    """Whether a JSON document is of a shape: at least these keys, of these types, values or forms."""
    match shape:
        case dict():
            assert isinstance(value, dict), where
            assert shape.keys() <= value.keys(), f"{where} lacks {shape.keys() - value.keys()}"
            for key, inner in shape.items():
                fits(value[key], inner, f"{where}.{key}")
        case [inner]:
            assert isinstance(value, list), where
            assert value, f"{where} is empty"
            for one in value:
                fits(one, inner, f"{where}[]")
        case set():
            assert value in shape, f"{where} is {value!r}"
        case re.Pattern():
            assert isinstance(value, str), where
            assert shape.fullmatch(value), f"{where} is {value!r}"
        case _:
            assert isinstance(value, shape), f"{where} is {value!r}"  # type: ignore[arg-type]
            assert isinstance(value, bool) == (shape is bool), where


# -- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_take_what_they_took(name: str) -> None:
    found = {" ".join(words): command for words, command in leaves(typer.main.get_command(app))}
    parameters = found[name].params
    arguments = {one.metavar for one in parameters if one.param_type_name == "argument"}
    options = {option for one in parameters for option in one.opts if option.startswith("--")}
    assert set(COMMANDS[name].split()) <= arguments | options
    assert {"--home", "--json", "--lang"} <= options


@pytest.mark.parametrize("words", SHAPES, ids=" ".join)
def test_json_has_the_fields_it_had(met: tuple[Machine, Machine], words: tuple[str, ...]) -> None:
    fits(met[0].ask(*words), SHAPES[words], " ".join(words))


def test_lists_are_sorted(met: tuple[Machine, Machine]) -> None:
    office = met[0]
    times = [row["time"] for row in office.ask("log", "Cargo")]
    runs = [int(row["id"]) for row in office.ask("history")]
    assert times == sorted(times)
    assert runs == sorted(runs, reverse=True)
    assert [row["name"] for row in office.ask("devices", "Cargo")] == ["home", "office"]


def test_what_a_loser_is_called_brings_it_back(met: tuple[Machine, Machine], tmp_path: Path) -> None:
    (conflict,) = met[0].ask("conflicts", "Cargo")
    (loser,) = conflict["losers"]
    target = tmp_path / "loser.crp"
    met[0].ask("restore", "Cargo", "a.crp", "--version", loser["id"], "--to", str(target))
    assert target.read_text() == "home\nENDOFFILE\n"


def test_both_pcs_list_the_same_conflicts(met: tuple[Machine, Machine]) -> None:
    """But for which of the versions each calls its own."""
    lists = [json.loads(json.dumps(pc.ask("conflicts")).replace('"mine": true', '"mine": false')) for pc in met]
    assert lists[0] == lists[1]


def test_one_document_on_stdout_also_of_what_failed(met: tuple[Machine, Machine]) -> None:
    for words in (["mandate", "show", "Nope"], ["join", "P2P1X", "--folder", "/tmp/x"], ["sync", "--bogus"]):
        result = met[0].run(*words, "--json")
        assert result.code in (1, 2)
        assert set(result.data) == {"error", "exit"}
        assert result.err.strip() == result.data["error"]


def test_joining_and_creating_tell_what_they_told(tmp_path: Path) -> None:
    with machines(tmp_path, "office", "home") as (office, home):
        made = office.ask("mandate", "create", "Cargo", "--folder", str(office.folder))
        assert (made["state"], made["role"]) == ("local", "accounting")
        refused = office.run("invite", "Cargo", "--role", "payroll")
        assert refused.code == 1
        assert "share it first" in refused.err
        office.ask("share", "Cargo")
        ticket = office.run("invite", "Cargo", "--role", "payroll").out
        assert re.fullmatch("[0-9A-Z]+\n", ticket)
        joined = home.run("join", "-", "--folder", str(home.folder), "--json", stdin=ticket).data
        fits(joined, {"mandate": {"Cargo"}, "role": {"payroll"}, "fingerprint": str}, "join")
        again = home.run("join", ticket.strip(), "--folder", str(home.folder), "--json")
        assert (again.code, again.data["mandate"]) == (0, "Cargo")
        other = tmp_path / "other.p2pticket"
        office.run("invite", "Cargo", "--role", "reader", "--save", str(other))
        assert other.read_text().splitlines()[-1].startswith("P2P1")
        for mandate in ("Cargo", joined["id"], joined["id"][:8]):
            assert home.run("mandate", "show", mandate).code == 0
        device = office.ask("status")["device"]["id"]
        assert home.run("devices", "Cargo", "--revoke", device[:7]).code == 1, "payroll is no admin"


# -- exit codes ------------------------------------------------------------------------------------------------------


def test_exit_codes(tmp_path: Path) -> None:
    with company(tmp_path) as (office, home):
        assert office.run("sync", "--timeout", "30s").code == 0
        assert office.run("mandate", "leave", "Cargo").code in (1, 2)
        assert office.run("sync", "Nope").code == 2
        (tmp_path / "elsewhere").mkdir()
        (home.folder / "papers").symlink_to(tmp_path / "elsewhere")
        office.save("papers/a.txt", "x")
        partly = office.run("sync", "--timeout", "30s", "--json")
        assert (partly.code, partly.data["result"]) == (3, "partial")
        home.end()
        until(lambda: not office.ask("status")["mandates"][0]["peers"][0]["connected"], "the link is gone")
        waiting = office.run("sync", "--timeout", "1s", "--json")
        assert (waiting.code, waiting.data["result"]) == (5, "failed")
        assert waiting.data["waiting_for"] == ["home"]
        assert "waiting for home" in waiting.data["message"]
        assert "waiting for home" in office.run("wait", "--timeout", "1s").out
        assert home.run("status").code == 4


# -- the daemon, its files, HTTP -------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="a signal ends a process at once there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_says_that_it_is_ready_and_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with machines(tmp_path, "pc") as (pc,):
        assert pc.page.startswith("http://127.0.0.1:")
        code, seconds, said = pc.end(number)
        assert (code, said) == (0, "")
        assert seconds < 5


def test_the_home_is_chosen_by_the_environment_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2PSYNC_HOME", str(tmp_path / "chosen"))
    assert str(tmp_path / "chosen") in run("status").err


def test_http(met: tuple[Machine, Machine]) -> None:
    office = met[0]
    file = office.home / "daemon.json"
    assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o600
    running = json.loads(file.read_text())
    assert {"address", "token"} <= running.keys()

    def get(path: str) -> bytes:
        request = urllib.request.Request(f"http://{running['address']}{path}")
        request.add_header("Authorization", f"Bearer {running['token']}")
        with urllib.request.urlopen(request, timeout=10) as response:
            return bytes(response.read())

    status = json.loads(get("/api/status"))
    fits(status, STATUS, "GET /api/status")
    assert status.keys() == office.ask("status").keys()
    assert b"# TYPE p2psync_files gauge" in get("/metrics")
    paths = json.loads(get("/api/openapi.json"))["paths"]
    assert {"/api/events", "/metrics", "/api/status", "/api/mandate/create", "/api/conflicts/keep"} <= paths.keys()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the sockets of a process from /proc")
def test_no_socket_is_open_but_the_web_pages_until_something_is_shared(tmp_path: Path) -> None:
    with machines(tmp_path, "pc", up=False) as (pc,):
        pc.up("--listen", "0.0.0.0:0")
        pc.ask("mandate", "create", "Cargo", "--folder", str(pc.folder))
        assert pc.process is not None
        assert open_ports(pc.process.pid) == {("tcp", pc.page.split("/")[2].split(":")[1])}
        pc.ask("share", "Cargo")
        until(lambda: pc.process and len(open_ports(pc.process.pid)) == 2, "it listens")


def open_ports(pid: int) -> set[tuple[str, str]]:
    """Protocol and port of each socket of a process that takes what comes from others."""
    own = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with_name = os.readlink(handle) if handle.is_symlink() else ""
        own.add(with_name.removeprefix("socket:[").removesuffix("]"))
    found = set()
    for protocol, listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in own and fields[3] == listening:
                found.add((protocol, str(int(fields[1].rpartition(":")[2], 16))))
    return found


def test_the_environment_of_these_tests_is_that_of_a_new_user() -> None:
    assert not [name for name in environment() if name.startswith("P2PSYNC")]

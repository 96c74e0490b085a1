"""Routers that let nothing through to each other, a host that relays nothing, and a real coturn in the Internet."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.e2e.afar import far_company, host_on, way
from tests.e2e.pc import END_S, Pc, agree, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = [
    requires_lab,
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="needs coturn (Debian: apt-get install coturn)"),
]

USER, PASSWORD = "anna", "s3cret"
NOWHERE = "45.77.10.254"
TURN_PORT = 3478
BYTES = Random(1).randbytes(2_000_000)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with wan([Site("symmetric", ("a",)), Site("symmetric", ("b",))]) as homes:
        # coturn ends an allocation whose packets have no route, as those to private addresses have none here.
        for command in (
            f"neigh add {NOWHERE} lladdr 02:00:00:00:00:01 nud permanent dev eth0",
            f"route add default via {NOWHERE}",
        ):
            homes.run("srv", ["ip", *command.split()], check=True)
        yield homes


@pytest.fixture(scope="module")
def turn(lab: Lab, root: Path) -> Iterator[str]:
    """How PCs name it."""
    host = lab.ip("srv")
    where = ["--listening-ip", host, "--relay-ip", host, "--listening-port", TURN_PORT]
    who = ["--lt-cred-mech", "--user", f"{USER}:{PASSWORD}", "--realm", "test"]
    less = ["--no-cli", "--no-tls", "--no-dtls", "--log-file", "stdout", "--simple-log"]
    files = ["--pidfile", root / "turn.pid", "--userdb", root / "turn.db"]
    coturn = lab.popen("srv", ["turnserver", "-n", *where, *who, *less, *files], stdout=subprocess.DEVNULL)
    try:
        until(lambda: f":{TURN_PORT} " in listening(lab), "coturn listens")
        yield f"turn:{USER}:{PASSWORD}@{host}:{TURN_PORT}"
    finally:
        coturn.terminate()
        coturn.wait(END_S)


def listening(lab: Lab) -> str:
    return str(lab.run("srv", ["ss", "-Hlnu"], capture_output=True, text=True).stdout)


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path, turn: str) -> Iterator[list[Pc]]:
    with (
        pytest.MonkeyPatch.context() as patch,
        host_on(lab, root, "srv", "--no-relay") as host,
    ):
        patch.setenv("P2PSYNC_TURN", turn)
        with far_company(lab, root, host, "a", "b") as two:
            yield two


def test_coturn_passes_everything_on(pcs: list[Pc], lab: Lab) -> None:
    a, b = pcs
    before = lab.counters("srv")
    a.save("from a.bin", BYTES)
    b.has("from a.bin", BYTES)
    b.save("from b.txt", "b")
    a.has("from b.txt", "b")
    agree(a, b)
    assert way(a, b) == way(b, a) == "webrtc"
    passed_on = lab.counters("srv") - before
    assert passed_on.sent_bytes > len(BYTES)

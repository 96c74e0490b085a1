"""The page's JavaScript, run with node as a browser runs it: what it shows, and what it asks of a daemon."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from p2psync.api.page import SCRIPTS, content
from p2psync.api.texts import told

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node to run the page's JavaScript")

MANDATE: dict[str, Any] = {
    **{
        "id": "ab",
        "name": "Cargo <b>",
        "state": "shared",
        "role": "accounting",
        "folder": "/f",
        "files": 3,
        "bytes": 1200,
    },
    **{"in_sync": True, "health": "ok", "conflicts": 0, "problems": 0, "pending": 0, "problem_list": [], "peers": []},
    **{"to_receive": {"files": 0, "bytes": 0}, "to_send": {"files": 0, "bytes": 0}},
}
PEER = {"device": "JK4-X", "name": "PC 2", "role": "payroll", "connected": True, "path": "lan", "behind_files": 0}
TIME = "2020-01-02T03:04:05Z"
SHARED = {**MANDATE, "name": "Cargo", "peers": [PEER]}
EVENT = {"event": "place.refused", "mandate": "ab", "path": "<b>a</b>", "code": "locked"}


def script() -> str:
    """All files of the page's JavaScript, in the order in which it runs them."""
    return "\n".join(content(name).decode() for name in SCRIPTS)


def browse(
    *mandates: dict[str, Any],
    status: int = 200,
    answers: Mapping[str, object] | None = None,
    events: Sequence[Mapping[str, str]] = (EVENT,),
    then: Sequence[dict[str, Any]] | None = None,
    hosts: Sequence[dict[str, Any]] = (),
    at: str = "",
    steps: Sequence[Mapping[str, object]] | None = None,
) -> Any:
    """What the page shows and asks at an address, with a daemon that has these mandates and in which this happens.

    `steps` is what a person does then, as browser.js has it; without them the last button is pressed twice. The
    mandates are those of `then` afterwards. An answer that is an exception is an error of the daemon.
    """
    device = {"id": "OWN-X", "name": "Office", "version": "0.1.0", "fingerprint": "5FAM-6DBW"}
    told_of = {"device": device, "rendezvous": list(hosts), "mandates": list(mandates), "error": "log in"}
    known = {
        "/api/status": {"status": status, "body": told_of},
        "/api/words": {"status": status, "body": told()},
        **{path: _answer(body) for path, body in (answers or {}).items()},
    }
    later = mandates if then is None else then
    afterwards = {"/api/status": {"status": status, "body": {**told_of, "mandates": list(later)}}}
    given = {"script": script(), "answers": known, "events": events, "hash": at, "steps": steps, "then": afterwards}
    browser = Path(__file__).with_name("browser.js")
    done = subprocess.run(["node", str(browser)], input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def seen(at: str, answers: dict[str, object], *steps: Mapping[str, object], mandate: dict[str, Any] = SHARED) -> Any:
    """What stands at an address of one mandate after these steps."""
    return browse(mandate, at=at, answers=answers, steps=steps, events=())


def shown(at: str, answers: dict[str, object], *steps: Mapping[str, object], mandate: dict[str, Any] = SHARED) -> str:
    return str(seen(at, answers, *steps, mandate=mandate)["shown"]["mandates"])


def _answer(body: object) -> dict[str, object]:
    return (
        {"status": 409, "body": {"error": str(body)}} if isinstance(body, Exception) else {"status": 200, "body": body}
    )

"""The examples for operators start what exists."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.machine import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "rendezvous"
UNIT, CONTAINER = EXAMPLES / "p2psync-rendezvous.service", EXAMPLES / "Containerfile"


def commands() -> list[list[str]]:
    """What each of them runs, without the path of the program."""
    (unit,) = [line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart=")]
    (container,) = [line for line in CONTAINER.read_text().splitlines() if line.startswith("ENTRYPOINT ")]
    return [unit.removeprefix("ExecStart=").split()[1:], json.loads(container.removeprefix("ENTRYPOINT "))[1:]]


@pytest.mark.parametrize("words", commands(), ids=["systemd", "container"])
def test_they_start_a_command_that_exists(words: list[str], tmp_path: Path) -> None:
    words = [str(tmp_path) if word.startswith("/var/lib/") else word for word in words]
    result = run(*words, "--listen", "192.0.2.77:0")
    assert "Cannot listen on 192.0.2.77" in result.err


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze looks at the unit")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/opt/p2psync/bin/p2psync", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert UNIT.name not in done.stderr, done.stderr

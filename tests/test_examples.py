"""The examples do what they say, and leave nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.machine import environment

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 120


def run(tmp_path: Path, *words: str) -> str:
    """What an example prints, run as in a clone."""
    settings = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "P2PSYNC": f"{sys.executable} -m p2psync"}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=SECONDS_MAX, env=environment() | settings, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    return done.stdout


def test_two_devices_in_one_process(tmp_path: Path) -> None:
    said = run(tmp_path, sys.executable, "examples/two_devices.py")
    assert "home joined Cargo as payroll" in said
    assert "home holds: 'from the office'" in said
    assert "the office holds: 'from home'" in said


@pytest.mark.skipif(shutil.which("bash") is None, reason="the walk-through is a script for bash")
def test_three_pcs_walk_through(tmp_path: Path) -> None:
    said = run(tmp_path, "bash", "examples/three_pcs.sh")
    assert "Not connected, gets it later: Accounting" in said
    assert "\ncorrection" in said
    assert "kept aside: " in said
    assert "TITLE=by accounting" in said
    assert "every signature and link verified" in said
    assert " revoked " in said.rstrip().splitlines()[-1]

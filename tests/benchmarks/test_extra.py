"""Whoever installed p2psync with the extra `bench` can begin any of the benchmarks."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = """
import sys
sys.modules |= dict.fromkeys({names!r})
sys.argv[1:] = ["--help"]
__import__("runpy").run_module("benchmarks{module}", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["", ".webrtc", ".rendezvous"])
def test_the_extra_is_enough(module: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    there, others = (
        {re.split(r"[^a-z-]", requirement)[0] for requirement in extras[extra]} for extra in ("bench", "test")
    )
    found = packages_distributions().items()
    names = sorted(name for name, by in found if set(by) & (others - there) and not set(by) & there)
    assert "hypothesis" in names
    program = BLOCKED.format(names=names, module=module)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:6]) == (0, "usage:"), done.stderr

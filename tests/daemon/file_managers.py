"""A program in the place of the system's file manager, that notes what it was asked to open."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from p2psync.daemon.programs.file_manager import command

needs_programs = pytest.mark.skipif(os.name == "nt", reason="Windows opens folders itself")


def fake_file_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str = "exit 0") -> Callable[[], list[str]]:
    """From now on it stands first on PATH, and there is a screen. Returns what was opened, when called."""
    folder, noted = tmp_path / "bin", tmp_path / "opened"
    folder.mkdir()
    program = folder / command(sys.platform, "")[0]
    program.write_text(f'#!/bin/sh\nfor last; do :; done\nprintf "%s$P2PSYNC_PROXY\\n" "$last" >> "{noted}"\n{then}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":99")
    return lambda: noted.read_text().splitlines() if noted.exists() else []

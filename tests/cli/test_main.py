"""The language is found wherever it stands, and commands speak it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from p2psync.cli.main import chosen_language
from tests.cli.machine import environment, run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["status"], None),
        (["--lang", "fr", "status"], "fr"),
        (["status", "--lang=de"], "de"),
        (["status", "--lang"], ""),
        (["restore", "--", "--lang", "fr"], None),
    ],
)
def test_the_language_is_found(words: list[str], expected: str | None) -> None:
    assert chosen_language(words) == expected


def test_an_unknown_language_is_wrong_usage() -> None:
    result = run("--lang", "pt", "status")
    assert result.code == 2
    assert "en, fr, de, it" in result.err


def test_it_is_a_module_and_answers_without_the_daemon() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "p2psync", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=environment() | {"PYTHONPATH": os.getcwd()},
    )
    assert done.stdout.startswith("p2psync ")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "p2psync.cli.app" in imported
    assert not {"aiohttp", "asyncio", "rich", "p2psync.daemon", "p2psync.api", "sqlite3", "cryptography"} & imported

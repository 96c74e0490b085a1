"""The locked versions of the checks: complete, hashed, and without an address of any machine."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.test_tidy import ROOT

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WANTED = [
    *PROJECT["build-system"]["requires"],
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["test"],
]


@pytest.mark.parametrize("requirement", WANTED)
def test_what_the_project_asks_for_is_pinned(requirement: str) -> None:
    name = re.split(r"[^A-Za-z0-9_.-]", requirement)[0]
    pinned = re.search(rf"^{re.escape(name)}==\S+.* \\\n +--hash=sha256:", LOCK, re.MULTILINE)
    assert pinned, f"renew requirements.lock (see .ci/run): {name} is missing"


def test_there_is_nothing_but_versions_and_hashes() -> None:
    line = re.compile(r"[a-z0-9-]+==[\w.+]+( ; [\w ='\"<>.]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [text for text in LOCK.splitlines() if not line.fullmatch(text)] == []

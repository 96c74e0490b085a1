"""The locked versions of the checks: complete, hashed, and without an address of any machine."""

from __future__ import annotations

import re
import tomllib
from collections import deque
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


@pytest.mark.parametrize("python", ["3.11.0", "3.11.2", "3.12.0", "3.13.0"])
def test_what_those_need_on_any_python_is_pinned(python: str) -> None:
    """Of Debian's Python, too, which may be older or newer than the one that the file was made with."""
    needed = _needed_by([Requirement(wanted) for wanted in WANTED], python)
    pinned = set(re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE))
    assert needed <= pinned, f"renew requirements.lock (see .ci/run) with Python {python}"


def test_there_is_nothing_but_versions_and_hashes() -> None:
    line = re.compile(r"[a-z0-9-]+==[\w.+]+( ; [\w ='\"<>.]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [text for text in LOCK.splitlines() if not line.fullmatch(text)] == []


def _needed_by(wanted: list[Requirement], python: str) -> set[str]:
    """The names of what is wanted, and of all that they need in turn, as far as that is installed."""
    needed: dict[str, set[str]] = {}
    waiting = deque(wanted)
    while waiting:
        one = waiting.popleft()
        name = canonicalize_name(one.name)
        extras = {"", *one.extras}
        if extras <= needed.get(name, set()):
            continue
        needed.setdefault(name, set()).update(extras)
        waiting += [other for other in _requirements_of(name) if any(_holds(other, python, extra) for extra in extras)]
    return set(needed)


def _requirements_of(name: str) -> list[Requirement]:
    try:
        return list(map(Requirement, requires(name) or ()))
    except PackageNotFoundError:
        return []


def _holds(requirement: Requirement, python: str, extra: str) -> bool:
    version = python.rpartition(".")[0]
    about = {"python_version": version, "python_full_version": python, "extra": extra}
    return requirement.marker is None or requirement.marker.evaluate(about)

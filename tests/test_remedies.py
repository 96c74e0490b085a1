"""Every kind of problem has a sentence and a remedy, and both can be filled in."""

from __future__ import annotations

import re

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.remedies import described, words


@pytest.mark.parametrize("code", Code)
def test_no_problem_lacks_its_words(code: Code) -> None:
    sentence, remedy = words(code)
    assert sentence.endswith(".")
    assert remedy.endswith((".", ")")) or "p2psync " in remedy
    assert sentence != remedy


@pytest.mark.parametrize("code", Code)
def test_words_hold_the_facts_and_no_braces(code: Code) -> None:
    said = described(Problem("Cargo {2025}.crp", code, "permission denied"))
    assert "{path}" not in "".join(said)
    assert not re.search("{(detail|device|mandate)}", "".join(said))


def test_commands_name_the_mandate_and_the_device() -> None:
    said = described(Problem("", Code.DEVICE_CLONED, "Büro"), '"Cargo Ltd"', "PUNYSWN")
    assert said.sentence.startswith("Büro runs on two PCs at once")
    assert said.remedy.endswith('p2psync devices "Cargo Ltd" --revoke PUNYSWN')


def test_a_problem_of_the_whole_folder_says_so() -> None:
    assert "the whole folder" in described(Problem("", Code.READ_ONLY)).sentence


def test_file_and_reason_are_named() -> None:
    said = described(Problem("Löhne.ecs", Code.UNREADABLE, "permission denied"))
    assert said.sentence == "Löhne.ecs cannot be read: permission denied."

"""Every command has help that begins with a sentence, an example that is right, and its place in the documents."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer.main

from p2psync.cli.app import app
from p2psync.cli.manual import examples, leaves, page
from tests.catalogs import forms, sentences

ROOT = Path(__file__).resolve().parents[2]
ALL = [pytest.param(words, command, id=" ".join(words)) for words, command in leaves(typer.main.get_command(app))]


@pytest.mark.parametrize(("words", "command"), ALL)
def test_help_begins_with_a_sentence(words: tuple[str, ...], command: Any) -> None:
    first = command.help.split("\n")[0]
    assert first.endswith(".")
    assert first[0].isupper()


@pytest.mark.parametrize(("words", "command"), ALL)
def test_every_option_is_explained(words: tuple[str, ...], command: Any) -> None:
    for parameter in command.params:
        if parameter.opts[0] != "--help":
            assert (parameter.help or "").strip().endswith((".", ")")), parameter.opts


@pytest.mark.parametrize(("words", "command"), ALL)
def test_an_example_is_a_command_that_exists(words: tuple[str, ...], command: Any) -> None:
    lines = examples(command)
    assert lines
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    for line in lines:
        typed = shlex.split(line.split("&&")[0])
        assert tuple(typed[1 : 1 + len(words)]) == words
        assert {word for word in typed if word.startswith("--")} <= known


def test_the_page_of_commands_is_up_to_date() -> None:
    expected = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert page() == expected, "renew it: python -m p2psync.cli.manual > docs/commands.md"


def test_the_readme_leads_to_the_page_of_commands() -> None:
    assert "docs/commands.md" in (ROOT / "README.md").read_text("utf-8")


def test_what_a_sentence_tells_to_type_can_be_typed() -> None:
    """What comes behind ": p2psync COMMAND" names what that command cannot do without."""
    texts = [text for sentence in sentences() for text in forms(sentence)]
    told = [found.split() for text in texts for found in re.findall(r": p2psync ([a-z].*)", text)]
    assert len(told) > 50
    for words in told:
        found = ((named, c) for named, c in leaves(typer.main.get_command(app)) if _plain(words[: len(named)]) == named)
        for named, command in found:
            needed = sum(one.required for one in command.params if one.param_type_name == "argument")
            given = _plain(takewhile(_is_filled_in, words[len(named) :]))
            assert len(given) >= needed, " ".join(words)


def _is_filled_in(word: str) -> bool:
    """By the person, or before it is said."""
    return word[0] in "{'\"<" or word.strip("|,.;)").isupper()


def _plain(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.rstrip(",.;)") for word in words)

"""What is typed wrong is told in our words, with where help is; help itself has no word of typer's own."""

from __future__ import annotations

import json

import pytest

from p2psync.cli.wording import wrong
from tests.cli.machine import run


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["join"], "TICKET|FILE|CODE|- is missing. See: p2psync join --help"),
        (["join", "x"], "--folder DIR is missing. See: p2psync join --help"),
        (["join", "x", "--folder"], "--folder DIR needs a value. See: p2psync join --help"),
        (["sync", "--full=x"], "--full takes no value. See: p2psync sync --help"),
        (["sync", "--ful"], "There is no option --ful. Did you mean --full? See: p2psync sync --help"),
        (["sync", "--zzz"], "There is no option --zzz. See: p2psync sync --help"),
        (["status", "a", "b c"], "'b c' is too much here. See: p2psync status --help"),
        (["synk"], "There is no command 'synk'. Did you mean sync? See: p2psync --help"),
        (["mandate", "zzz"], "There is no command 'zzz'. See: p2psync mandate --help"),
        (["mandate", "--zzz"], "There is no option --zzz. See: p2psync mandate --help"),
        (["--home", "x"], "The command is missing. See: p2psync --help"),
        (["invite", "C", "--role", "reader", "--uses", "0"], "--uses takes a whole number from 1 to 100, not '0'."),
        (["demo", "--devices", "seven"], "--devices takes a whole number from 2 to 6, not 'seven'."),
    ],
)
def test_what_is_typed_wrong(words: list[str], sentence: str) -> None:
    result = run(*words)
    assert (result.code, result.out, result.err) == (2, "", f"{sentence}\n")
    as_json = run(*words, "--json") if words[-1] != "--folder" else run("--json", *words)
    assert json.loads(as_json.out) == {"error": sentence, "exit": 2}


@pytest.mark.parametrize("words", [["--help"], ["mandate", "--help"], ["join", "--help"], ["demo", "-h"]])
def test_no_page_of_help_has_a_word_of_english_in_another_language(words: list[str]) -> None:
    said = {lang: run("--lang", lang, *words).out for lang in ("en", "de")}
    for word in ("Usage:", "Options:", "Show this", "required", "default", "Commands:", "Arguments:"):
        assert word not in said["de"], word
    assert "Usage: " in said["en"]
    assert "Options:" in said["en"]


def test_help_tells_what_is_needed_and_what_holds_if_nothing_is_said() -> None:
    page = run("join", "--help").out
    assert "Usage: p2psync join [OPTIONS] TICKET|FILE|CODE|-\n" in page
    assert "[required]" in run("invite", "--help").out
    assert "[default: 60s]" in page
    assert "[MANDATE]" in run("status", "--help").out


def test_a_mistake_names_where_help_is() -> None:
    assert str(wrong("p2psync x", "No.", ["a", "b"])) == "No. Did you mean a, b? See: p2psync x --help"

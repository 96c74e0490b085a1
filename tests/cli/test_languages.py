"""What people read is in their language; what programs read is the same in every language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po

from p2psync.i18n import DOMAIN, LANGUAGES, LOCALE_DIR
from tests.cli.machine import Machine, Result, machines

ENGLISH, GERMAN = "en", "de"
FOR_PEOPLE = frozenset({"message", "error", "remedy", "reason"})
"""Keys of JSON whose values are sentences."""

ACTS = (
    ("mandate", "create", "Cargo", "--folder", "{folder}"),
    ("invite", "Cargo", "--role", "payroll"),
    ("share", "Cargo"),
    ("invite", "Cargo", "--role", "payroll", "--confirm"),
    ("invites", "Cargo"),
    ("sync", "Cargo"),
    ("wait", "Cargo"),
    ("status",),
    ("history", "Cargo"),
    ("versions", "Cargo", "Cargo 2025.crp"),
    ("conflicts", "Cargo"),
    ("log", "Cargo"),
    ("log", "Cargo", "--verify"),
    ("devices", "Cargo"),
    ("rules", "Cargo"),
    ("peer", "list", "Cargo"),
    ("overview",),
    ("doctor",),
    ("mandate", "list"),
    ("mandate", "show", "Cargo"),
    ("mandate", "show", "Elsewhere"),
    ("invite", "Cargo", "--role", "chef"),
    ("invite", "Cargo", "--role", "payroll", "--expires", "soon"),
    ("join", "P2P1NOTICKET", "--folder", "{folder}"),
    ("restore", "Cargo", "nothing.crp"),
    ("mandate", "leave", "Cargo"),
)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_is_whole_in_every_language(tmp_path: Path, lang: str) -> None:
    said = Machine(tmp_path, "pc").shell("--lang", lang, "--help")
    spoken = Machine(tmp_path, "pc").shell("--help")
    assert (said.code, said.err) == (0, "")
    assert [line.split()[0] for line in _commands(said.out)] == [line.split()[0] for line in _commands(spoken.out)]
    assert (said.out == spoken.out) == (lang == ENGLISH)
    assert [line for line in _commands(said.out) if line.endswith("...")] == [], "too long a first sentence is cut"


def test_programs_read_the_same_whatever_language_is_spoken(tmp_path: Path) -> None:
    with machines(tmp_path, ENGLISH, GERMAN, up=False) as pcs:
        answers = {pc.name: _acted(pc.up("--lang", pc.name)) for pc in pcs}
    english, german = answers[ENGLISH], answers[GERMAN]
    assert [answer.code for answer in german] == [answer.code for answer in english]
    assert {0, 1, 2} <= {answer.code for answer in english}
    translated = _sentences(GERMAN)
    for act, one, other in zip(ACTS, english, german, strict=True):
        assert set(_keys(one.data)) == set(_keys(other.data)), act
        assert translated.isdisjoint(_values(other.data)), act


def test_errors_are_sentences_in_the_language_with_the_same_exit_code(tmp_path: Path) -> None:
    pc = Machine(tmp_path, "pc")
    english, german = (pc.run("--lang", lang, "status", "--json") for lang in (ENGLISH, GERMAN))
    assert english.code == german.code == english.data["exit"] == german.data["exit"] == 4
    assert english.data.keys() == german.data.keys()
    assert english.data["error"] != german.data["error"]
    assert german.err.strip() == german.data["error"]


def test_a_daemon_refuses_in_the_language_of_the_command(tmp_path: Path) -> None:
    with machines(tmp_path, "pc") as (pc,):
        words = ("mandate", "show", "Elsewhere")
        said = {lang: pc.run("--lang", lang, *words).err for lang in (ENGLISH, GERMAN)}
        assert "This device is a member of no mandate called Elsewhere" in said[ENGLISH]
        assert "Dieses Gerät ist in keinem Mandat namens Elsewhere Mitglied" in said[GERMAN]
        again = pc.run("--lang", GERMAN, "invite", "Cargo", "--role", "chef").err
        assert "Rolle" in again


def test_a_translated_value_would_be_seen() -> None:
    assert _sentences(GERMAN) & set(_values([{"state": "lokal", "n": 3}]))
    assert not set(_values({"message": "lokal", "list": [{"error": "lokal"}]}))
    assert set(_keys([{"a": [{"b": 1}]}, {"c": None}])) == {"a", "a.b", "c"}


def _acted(pc: Machine) -> list[Result]:
    """What commands answer to a person who speaks the language that the machine is called after."""
    answers = []
    for act in ACTS:
        answers.append(pc.run("--lang", pc.name, *(word.format(folder=pc.folder) for word in act), "--json"))
        if len(answers) == 1:
            pc.save("Cargo 2025.crp", "chart of accounts")
    return answers


def _commands(help_text: str) -> list[str]:
    """A line for each command: its name, and the first sentence of its help."""
    return next(part for part in help_text.split("\n\n") if "\n  status " in part).splitlines()[1:]


def _sentences(lang: str) -> frozenset[str]:
    """All that is said differently in a language than in English."""
    with (LOCALE_DIR / lang / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as source:
        return frozenset(m.string for m in read_po(source) if isinstance(m.string, str) and m.string not in ("", m.id))


def _keys(data: Any, path: str = "") -> Iterator[str]:
    """Of all objects in a JSON document, each with the keys that lead to it."""
    if isinstance(data, list):
        for one in data:
            yield from _keys(one, path)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield path + key
            yield from _keys(value, f"{path}{key}.")


def _values(data: Any) -> Iterator[str]:
    """The texts in a JSON document that are not sentences for people."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for one in data:
            yield from _values(one)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key not in FOR_PEOPLE:
                yield from _values(value)

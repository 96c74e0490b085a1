"""The language is chosen as the user's system says, sentences come from its catalog, and catalogs are up to date."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from p2psync.errors import ConfigError, LinkError, UsageError
from p2psync.i18n import (
    DOMAIN,
    LANGUAGES,
    LOCALE_DIR,
    Worded,
    _,
    language,
    ngettext,
    said,
    said_in,
    set_language,
)
from tests.catalogs import MARKS, PACKAGE, calls, forms, lacking, name_of, read, sentences, sentences_of

VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
UNTRANSLATED_MAX = 0.05
"""The share of sentences that may still be English, so that a new one does not wait for its translators."""


@pytest.fixture(autouse=True)
def english_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("locale.getlocale", lambda *_category: (None, None))
    yield
    set_language("en")


@pytest.fixture
def french(tmp_path: Path) -> Path:
    """A directory of catalogs that holds a French one."""
    catalog = Catalog(locale="fr")
    catalog.add("The cable is cut.", "Le câble est coupé.")
    catalog.add(("{n} file", "{n} files"), ("{n} fichier", "{n} fichiers"))
    path = tmp_path / "fr" / "LC_MESSAGES" / f"{DOMAIN}.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalog)
    return tmp_path


def test_sentences_come_from_the_catalog(french: Path) -> None:
    assert set_language("fr", locale_dir=french) == "fr"
    assert _("The cable is cut.") == "Le câble est coupé."
    assert [ngettext("{n} file", "{n} files", n).format(n=n) for n in (0, 1, 2)] == [
        "0 fichier",
        "1 fichier",
        "2 fichiers",
    ]


def test_errors_of_pure_modules_are_said_in_the_language(french: Path) -> None:
    set_language("fr", locale_dir=french)
    assert said(UsageError("The cable is cut.")) == "Le câble est coupé."
    assert said(UsageError("{n} file", n=3)) == "3 fichier"
    assert said(UsageError("line 3: {reason}", reason=LinkError("The cable is cut."))) == "line 3: Le câble est coupé."
    assert said(UsageError("{not a template}")) == "{not a template}"
    assert said(UsageError()) == ""
    assert said(OSError("the words of the system")) == "the words of the system"
    assert str(UsageError("{n} file", n=3)) == "3 file"
    assert said(UsageError("Rename the file."), "it") == "Rinomini il file."
    assert said(UsageError("Rename the file."), "en") == "Rename the file."


def test_what_was_said_is_said_again_in_another_language() -> None:
    german = said(UsageError("The time is over, and not everything has arrived."), "de")
    one = Worded(lambda: _("The time is over, and not everything has arrived."))
    several = Worded(lambda: ngettext("{n} file", "{n} files", 2).format(n=2))
    error = Worded(lambda: said(UsageError("The file is empty.")))
    assert (one, several) == ("The time is over, and not everything has arrived.", "2 files")
    told = {"rows": [{"reason": one, "count": 3}, (several, error)], "name": "The file is empty."}
    assert said_in("en", told) is told
    again = {"rows": [{"reason": german, "count": 3}, ["2 Dateien", said(UsageError("The file is empty."), "de")]]}
    assert said_in("de", told) == {**again, "name": "The file is empty."}, "what is no sentence stays as it is"
    assert _("The file is empty.") == "The file is empty.", "and afterwards it is English again"
    set_language("de")
    assert (Worded(one.say), said_in("en", Worded(one.say))) == (german, one)


def test_what_is_not_translated_stays_english(french: Path) -> None:
    set_language("fr", locale_dir=french)
    assert _("Nothing to do.") == "Nothing to do."
    assert set_language("it", locale_dir=french) == "it"
    assert _("The cable is cut.") == "The cable is cut."
    assert ngettext("{n} file", "{n} files", 0) == "{n} files"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_CH.UTF-8"}, "de"),
        ({"LANG": "de_CH.UTF-8", "LC_MESSAGES": "fr_CH"}, "fr"),
        ({"LANG": "de_CH.UTF-8", "LC_MESSAGES": "fr_CH", "LC_ALL": "it_CH"}, "it"),
        ({"LANG": "de_CH.UTF-8", "LANGUAGE": "pt:it:en"}, "it"),
        ({"LANG": "pt_BR.UTF-8"}, "en"),
    ],
)
def test_environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert set_language() == expected
    assert language() == expected


def test_the_system_decides_where_the_environment_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getlocale", lambda *_category: ("fr_CH", "cp1252"))
    assert set_language() == "fr"


@pytest.mark.parametrize("given", ["de", "DE", "de-CH", "de_CH.UTF-8", "de_AT@euro", "de@euro"])
def test_any_spelling_of_a_locale_is_understood(given: str) -> None:
    assert set_language(given) == "de"


@pytest.mark.parametrize("given", ["pt", "", "deutsch", "../fr"])
def test_an_unknown_language_is_refused_and_changes_nothing(given: str) -> None:
    set_language("de")
    with pytest.raises(ConfigError, match="en, fr, de, it"):
        set_language(given)
    assert language() == "de"


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_committed_catalogs_say_what_their_sources_say(lang: str) -> None:
    folder = LOCALE_DIR / lang / "LC_MESSAGES"
    po, mo = folder / f"{DOMAIN}.po", folder / f"{DOMAIN}.mo"
    assert po.exists() == mo.exists(), f"compile {po} (see p2psync/i18n.py)"
    if po.exists():
        with po.open("rb") as source, mo.open("rb") as compiled:
            assert _translated(read_po(source)) == _translated(read_mo(compiled)), f"compile {po} again"


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_nearly_every_sentence_of_the_program_is_translated(lang: str) -> None:
    without = lacking(read(lang))
    assert len(without) <= len(sentences()) * UNTRANSLATED_MAX, without


def test_sentences_are_found_wherever_they_are_said() -> None:
    source = (
        'tell(_("one " "sentence").format(n=1)); ngettext("{n} file", "{n} files", n); later("later")\n'
        'raise UsageError("of {error}", error=x) from None; raise CodecError("to nobody")\n'
        'raise UsageError(_("inner")); say("nothing"); raise UsageError(text)'
    )
    expected = {"one sentence", ("{n} file", "{n} files"), "later", "of {error}", "inner"}
    assert set(sentences_of(source)) == expected


def test_no_error_that_people_read_is_put_together_before_it_can_be_translated() -> None:
    """With an f-string nobody finds the sentence again in the catalogs."""
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for call in calls(path.read_text("utf-8"))
        if name_of(call) in MARKS and call.args and isinstance(call.args[0], ast.JoinedStr)
    ]
    assert found == []


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_no_translation_is_a_guess(lang: str) -> None:
    """Tools mark what they only guessed as fuzzy: somebody has to read it, and take the mark away."""
    assert [m.id for m in _messages(lang) if m.fuzzy] == []


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_translations_fill_in_what_the_sentence_fills_in(lang: str) -> None:
    """A name that no code gives would be a KeyError, in that language only."""
    assert [m.id for m in _messages(lang) if not _fills_in_the_same(m)] == []


def test_a_slip_in_a_placeholder_is_seen() -> None:
    right = Message("{n} of {all:.0f} at {text!r}", "{text!r}: {all:.0f}, {n}")
    plural = Message(("{n} file", "{n} files"), ("{n} Datei", "{n} Dateien"))
    assert _fills_in_the_same(right)
    assert _fills_in_the_same(plural)
    assert not _fills_in_the_same(Message("{n} of {all:.0f}", "{n} von {alle:.0f}"))
    assert not _fills_in_the_same(Message("{n} of {all:.0f}", "{n} von {all}"))
    assert not _fills_in_the_same(Message("at {text!r}", "bei {text}"))
    assert not _fills_in_the_same(Message(("{n} file", "{n} files"), ("{n} Datei", "Dateien")))


def _messages(lang: str) -> list[Message]:
    """What a translator's file of a language holds."""
    return [m for m in read(lang) if m.id]


def _fills_in_the_same(message: Message) -> bool:
    wanted = {_placeholders(text) for text in forms(message.id)}
    return not message.string or wanted == {_placeholders(text) for text in forms(message.string)}


def _placeholders(text: str) -> tuple[tuple[str, str | None, str], ...]:
    """Name, format and conversion of each, in an order that word order does not change."""
    return tuple(
        sorted((name, form, how or "") for _text, name, form, how in Formatter().parse(text) if name is not None)
    )


def _translated(catalog: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {forms(m.id): forms(m.string) for m in catalog if m.id and m.string and not m.fuzzy}

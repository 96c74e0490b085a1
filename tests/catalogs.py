"""The sentences of the program, found in its source; `python -m tests.catalogs` brings the catalogs up to date.

A sentence is the first argument of `_`, `later` or `ngettext`, or of one of our errors: the pure modules raise those
with a template, and the shells translate it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import p2psync
from p2psync import errors
from p2psync.i18n import DOMAIN, LANGUAGES, LOCALE_DIR

PACKAGE = Path(p2psync.__file__).parent
ERRORS = frozenset(
    name for name, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == errors.__name__
)
SAID_TO_NOBODY = frozenset({"CodecError", "LocalProtocolError", "RemoteProtocolError", "SignatureInvalid"})
"""What is wrong with bytes from another device is for its log and its makers."""
MARKS = {"_", "later"} | ERRORS - SAID_TO_NOBODY
LINE_WIDTH = 120
NAMES = {"fr": "French", "de": "German", "it": "Italian"}
HEAD = """\
# {name} sentences of p2psync, as used in Switzerland.
# They are distributed under the same license as p2psync.
msgid ""
msgstr ""
"Project-Id-Version: p2psync\\n"
"Language: {lang}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""
"""Without dates: a catalog changes when a sentence does."""

NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)

Sentence = str | tuple[str, str]
"""Two for one that has a singular and a plural."""


def sentences() -> list[Sentence]:
    """All of them, each once, in the order of the files."""
    found = (sentence for path in sorted(PACKAGE.rglob("*.py")) for sentence in sentences_of(path.read_text("utf-8")))
    return list(dict.fromkeys(found))


def sentences_of(source: str) -> Iterator[Sentence]:
    """Those of one module."""
    for call in calls(source):
        texts = [one.value for one in call.args[:2] if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if name_of(call) == "ngettext" and len(texts) == 2:
            yield texts[0], texts[1]
        elif name_of(call) in MARKS and texts:
            yield texts[0]


def calls(source: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    """What is called, without what it belongs to."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def po_file(lang: str) -> Path:
    return LOCALE_DIR / lang / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(lang: str) -> Catalog:
    """What translators wrote."""
    with po_file(lang).open("rb") as source:
        return read_po(source, locale=lang, domain=DOMAIN)


def renew(lang: str) -> list[Sentence]:
    """Bring one language's catalog up to date; returns the sentences that it lacks."""
    before = {forms(message.id): message.string for message in read(lang) if message.id}
    catalog = Catalog(locale=lang, domain=DOMAIN, creation_date=NO_DATE, revision_date=NO_DATE)
    for sentence in sentences():
        catalog.add(sentence, before.get(forms(sentence), ""))
    head = HEAD.format(name=NAMES[lang], lang=lang, plural=catalog.plural_forms)
    with po_file(lang).open("wb") as target:
        target.write(head.encode())
        write_po(target, catalog, width=LINE_WIDTH, omit_header=True)
    with po_file(lang).with_suffix(".mo").open("wb") as target:
        write_mo(target, catalog)
    return lacking(catalog)


def lacking(catalog: Catalog) -> list[Sentence]:
    """The sentences of the program that a catalog does not translate."""
    translated = {forms(message.id) for message in catalog if message.string and all(forms(message.string))}
    return [sentence for sentence in sentences() if forms(sentence) not in translated]


def forms(text: str | Sequence[str]) -> tuple[str, ...]:
    """One, or singular and plural."""
    return (text,) if isinstance(text, str) else tuple(text)


if __name__ == "__main__":
    for language in LANGUAGES[1:]:
        for untranslated in renew(language):
            print(f"{language}: {untranslated}")

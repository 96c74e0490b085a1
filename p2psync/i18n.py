"""Sentences for people in their language: gettext, with English as the source text.

Catalogs lie in ``p2psync/locale/<language>/LC_MESSAGES/`` as ``p2psync.po``, which translators edit, and
``p2psync.mo``, which the standard library reads. Both are committed: reading ``.po`` at run time would cost every
user a library and its memory for a file that only translators need, and compiling at build time would leave a run
from a clone in English. A test refuses an ``.mo`` that does not say what its ``.po`` says. To bring both up to date,
before and after translating, and to see what is left to translate::

    python -m tests.catalogs

A language holds for the whole process: one daemon or one command serves one person. Only what a daemon refuses, and
why something is not as it should be (`Worded`), is said in the language of the command that asked.
"""

from __future__ import annotations

import gettext
import locale
import os
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from p2psync.errors import ConfigError, P2PSyncError

LANGUAGES = ("en", "fr", "de", "it")
LOCALE_DIR = Path(__file__).parent / "locale"
DOMAIN = "p2psync"

_catalog: gettext.NullTranslations = gettext.NullTranslations()
_language = "en"
_asked: ContextVar[str | None] = ContextVar("language asked for", default=None)
"""Of what is said just now to somebody who speaks another one."""


def _(message: str) -> str:
    """`message` in the language set, or itself where there is no translation. Give a literal, format afterwards."""
    return _spoken().gettext(message)


def later(message: str) -> str:
    """`message` itself: marks a sentence for the catalogs that is translated where it is said, by `spoken`."""
    return message


def spoken(message: str) -> str:
    """A sentence that was marked elsewhere, in the language set."""
    return _spoken().gettext(message) if message else ""


def ngettext(singular: str, plural: str, n: int) -> str:
    """The form that fits `n` things, in the language set. The number itself is formatted in afterwards."""
    return _spoken().ngettext(singular, plural, n)


def said(error: Exception, lang: str | None = None) -> str:
    """What an error says, in one of LANGUAGES, or in the language set: ours are raised with a template.

    One that is none of ours says it in its own words.
    """
    if not isinstance(error, P2PSyncError):
        return str(error)
    catalog = _spoken() if lang is None else _catalog_of(lang)
    sentence = catalog.gettext(error.sentence) if error.sentence else ""
    fields = {name: said(one, lang) if isinstance(one, P2PSyncError) else one for name, one in error.fields.items()}
    return sentence.format(**fields) if fields else sentence


class Worded(str):
    """A sentence in the language set, which can be said again in another one: see `said_in`."""

    say: Callable[[], str]

    def __new__(cls, say: Callable[[], str]) -> Worded:
        """`say` asks this module for words; it may be called later, from another thread."""
        made = super().__new__(cls, say())
        made.say = say
        return made


def said_in(lang: str, told: object) -> object:
    """What is told, ready for JSON, with its `Worded` sentences in one of LANGUAGES."""
    if lang == _language:
        return told
    before = _asked.set(lang)
    try:
        return _said_again(told)
    finally:
        _asked.reset(before)


def _said_again(told: object) -> object:
    if isinstance(told, Worded):
        return told.say()
    if isinstance(told, Mapping):
        return {name: _said_again(one) for name, one in told.items()}
    return [_said_again(one) for one in told] if isinstance(told, list | tuple) else told


def _spoken() -> gettext.NullTranslations:
    lang = _asked.get()
    return _catalog if lang is None else _catalog_of(lang)


def language() -> str:
    """The language set, one of LANGUAGES."""
    return _language


def set_language(lang: str | None = None, *, locale_dir: Path = LOCALE_DIR) -> str:
    """Speak `lang` ("fr", "de-CH", "it_CH.UTF-8") from now on; None: what the environment asks for, else English.

    Returns the language chosen, one of LANGUAGES. Raises ConfigError if `lang` is given and is none of them.
    """
    global _catalog, _language
    if lang is None:
        chosen = next(filter(None, map(_known, _wanted_by_environment())), "en")
    else:
        chosen = _known(lang) or ""
        if not chosen:
            raise ConfigError(
                "There is no language {text!r}. Choose one of {languages}.", text=lang, languages=", ".join(LANGUAGES)
            )
    _catalog = _catalog_of(chosen, locale_dir)
    _language = chosen
    return chosen


@cache
def _catalog_of(lang: str, locale_dir: Path = LOCALE_DIR) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, locale_dir, [lang], fallback=True)


def _known(tag: str) -> str | None:
    """The language of a locale name, if it is one of ours."""
    code = re.split("[-_.@]", tag.lower())[0]
    if code in ("c", "posix"):
        return "en"
    return code if code in LANGUAGES else None


def _wanted_by_environment() -> list[str]:
    """Locale names in order of preference, as gettext looks for them; then what the operating system is set to."""
    wanted = os.environ.get("LANGUAGE", "").split(":")
    wanted += next(([v] for v in map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG")) if v), [])
    return [*filter(None, wanted), locale.getlocale()[0] or ""]

"""What the page says, asked for in each language."""

from __future__ import annotations

from collections.abc import Callable

from p2psync.i18n import LANGUAGES, set_language
from p2psync.words import Texts


def in_each_language(texts: Callable[[], Texts], name: str) -> list[str]:
    """One of the texts; all are different if it is translated."""
    said = []
    for lang in LANGUAGES:
        set_language(lang)
        try:
            said.append(texts()[name])
        finally:
            set_language("en")
    return said

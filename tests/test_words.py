"""Each word has text for people, in the language that is set; the page's tests hold the tables to the daemon."""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter

import pytest

from p2psync import words
from p2psync.books.crp import Category
from p2psync.i18n import set_language


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        *((one, set()) for one in (words.kinds, words.reasons, words.results, words.standings, words.categories)),
        *((one, set()) for one in (words.classes, words.parts, words.masters)),
        (words.left_out, {"file"}),
        (words.flags, {"value"}),
    ],
)
def test_a_text_names_nothing_that_nobody_fills_in(table: Callable[[], words.Texts], fields: set[str]) -> None:
    texts = table()
    assert {name for text in texts.values() for _, name, _, _ in Formatter().parse(text) if name is not None} == fields
    assert all(texts.values())


def test_the_log_tells_each_kind_of_its_lines_apart() -> None:
    kinds = words.kinds()
    assert len(set(kinds.values())) == len(kinds)
    assert (kinds["freeze"], kinds["unfreeze"]) == ("froze a period", "unfroze a period")
    for opposite in (("posted", "undone"), ("issue", "cancel"), ("admit", "revoke"), ("file", "absent")):
        assert len({kinds[name] for name in opposite}) == 2


def test_every_category_of_accounts_has_a_text() -> None:
    assert {one.name.lower() for one in Category} <= set(words.categories())


def test_the_language_that_is_set_when_it_is_asked_for_counts() -> None:
    english = words.results()
    set_language("de")
    try:
        assert words.results() != english
    finally:
        set_language("en")

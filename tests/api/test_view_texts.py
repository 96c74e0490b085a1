"""What the views say: each text has one name, and a place where it is shown."""

from __future__ import annotations

from p2psync.api.texts import told
from p2psync.api.view_texts import view_texts
from p2psync.i18n import LANGUAGES
from tests.api.saying import in_each_language


def test_a_text_of_the_views_hides_none_of_the_cards() -> None:
    texts = told()["texts"]
    assert isinstance(texts, dict)
    assert texts["pause"] == "Pause"
    assert texts["conflicts"] == "Changed in two places at once: which version shall stand?"
    assert texts["removed"] == "removed"


def test_views_are_told_in_every_language() -> None:
    assert len(set(in_each_language(view_texts, "verify-now"))) == len(LANGUAGES)

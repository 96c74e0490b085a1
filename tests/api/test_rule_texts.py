"""What the view of the rules says: in every language, under names that no other view uses."""

from __future__ import annotations

from p2psync.api.rule_texts import rule_texts
from p2psync.api.view_texts import view_texts
from p2psync.i18n import LANGUAGES
from tests.api.saying import in_each_language


def test_it_hides_no_text_of_another_view() -> None:
    assert not set(rule_texts()) & set(view_texts())


def test_it_is_told_in_every_language() -> None:
    assert len(set(in_each_language(rule_texts, "open-fields-why"))) == len(LANGUAGES)

"""What is said to who begins: in every language, under names that no other view uses."""

from __future__ import annotations

from p2psync.api.beginning_texts import beginning_texts
from p2psync.api.rule_texts import rule_texts
from p2psync.api.view_texts import view_texts
from p2psync.i18n import LANGUAGES
from tests.api.saying import in_each_language


def test_it_hides_no_text_of_another_view() -> None:
    assert not set(beginning_texts()) & {*view_texts(), *rule_texts()}


def test_it_is_told_in_every_language() -> None:
    assert len(set(in_each_language(beginning_texts, "compare-first"))) == len(LANGUAGES)

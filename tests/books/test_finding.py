"""Findings: a sentence for each, in the order of the lines, bounded, and safe to show."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.finding import FACT_CHARACTERS_MAX, FINDINGS_MAX, SENTENCES, Collector, Finding, Trouble, shown


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_has_a_sentence_that_names_its_line(trouble: Trouble) -> None:
    sentence = SENTENCES[trouble]
    fields = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
    assert "line" in fields
    assert sentence.startswith(("Line {line}", "The chart of accounts for {period}", "There is no chart"))
    finding = Finding(7, trouble, tuple((name, f"<{name}>") for name in sorted(fields - {"line"})))
    assert "7" in str(finding)
    assert all(f"<{name}>" in str(finding) for name in fields - {"line"})


def test_a_shell_puts_the_facts_into_a_sentence_of_its_own() -> None:
    finding = Finding(17, Trouble.DEBIT_UNKNOWN, (("account", "5999"),))
    assert str(finding) == "Line 17: the debit account 5999 is not in the chart of accounts."
    assert finding.told("Zeile {line}: Konto {account} fehlt.") == "Zeile 17: Konto 5999 fehlt."


def test_they_are_sorted_and_bounded_but_all_are_counted() -> None:
    collector = Collector()
    for line in range(FINDINGS_MAX + 5, 0, -1):
        collector.add(line, Trouble.NUMBER_MISSING)
    found = collector.findings()
    assert len(found.items) == FINDINGS_MAX == 1000
    assert collector.count == FINDINGS_MAX + 5
    assert found.left_out == 5
    assert found.count == FINDINGS_MAX + 5
    assert list(found.items) == sorted(found.items)
    assert found
    assert not Collector().findings()
    assert Collector().count == Collector().findings().count == 0


def test_a_long_fact_is_cut_and_says_so() -> None:
    assert shown("x" * FACT_CHARACTERS_MAX) == "x" * FACT_CHARACTERS_MAX
    assert shown("x" * (FACT_CHARACTERS_MAX + 1)) == "x" * (FACT_CHARACTERS_MAX - 1) + "…"
    assert FACT_CHARACTERS_MAX == 60


@given(st.text())
def test_facts_are_short_and_hold_nothing_that_a_terminal_obeys(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= FACT_CHARACTERS_MAX
    if text.isprintable() and len(text) <= FACT_CHARACTERS_MAX:
        assert shown(text) == text

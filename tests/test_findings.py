"""Everything that can be wrong in a bookkeeping file has a sentence, in English the one that its reader knows."""

from __future__ import annotations

import ast
import inspect

import pytest

from p2psync.books import crp, entries, export_csv, export_xml, master_files, safe_xml, text
from p2psync.books.finding import SENTENCES, Collector, Finding, Trouble
from p2psync.findings import UNREADABLE, sentence, texts_of_findings
from tests.catalogs import calls, name_of

FACTS = {
    name: f"<{name}>"
    for name in (
        *("text", "characters", "fields", "needed", "begin", "end", "field", "number", "first", "date", "period"),
        *("lines", "account", "code", "centre", "other", "limit", "choices"),
    )
}


@pytest.mark.parametrize("trouble", Trouble)
def test_no_trouble_lacks_its_sentence(trouble: Trouble) -> None:
    told = sentence(trouble.value, 7, FACTS)
    assert told == SENTENCES[trouble].format(line=7, **FACTS)
    assert "{" not in told


def test_sentences_are_handed_out_before_they_are_filled_in() -> None:
    assert texts_of_findings() == {trouble.value: SENTENCES[trouble] for trouble in Trouble}


def test_a_finding_is_told_as_its_reader_tells_it() -> None:
    collector = Collector()
    collector.add(17, Trouble.DEBIT_UNKNOWN, account="5999")
    (one,) = collector.findings().items
    assert sentence(one.trouble.value, one.line, dict(one.facts)) == str(one)
    assert "Line 17" in str(Finding(17, Trouble.DEBIT_MISSING))


def test_what_a_newer_daemon_finds_is_told_as_it_came() -> None:
    assert sentence("moon-phase", 3, {"phase": "full"}) == "Line 3: moon-phase full"
    assert sentence(Trouble.DEBIT_UNKNOWN.value, 3, {}) == "Line 3: debit-unknown"


@pytest.mark.parametrize(
    "module", [crp, entries, export_csv, export_xml, master_files, safe_xml, text], ids=lambda module: module.__name__
)
def test_why_a_file_cannot_be_read_is_in_the_catalogs(module: object) -> None:
    raised = [call for call in calls(inspect.getsource(module)) if name_of(call) == "CodecError"]  # type: ignore[arg-type]
    assert raised
    bounds = [call.args[1] for call in calls(inspect.getsource(module)) if name_of(call) == "_bound"]  # type: ignore[arg-type]
    for said in [*(call.args[0] for call in raised), *bounds]:
        if not (bounds and isinstance(said, ast.Name)):
            assert isinstance(said, ast.Constant)
            assert said.value in UNREADABLE

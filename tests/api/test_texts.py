"""The page finds every word that it asks for, and asks for every word that there is."""

from __future__ import annotations

import re
from pathlib import Path

import p2psync
from p2psync.api.page import content
from p2psync.api.texts import frame, told
from tests.api.browsing import script

SCRIPT = script()


def test_the_script_asks_for_all_texts_and_no_others() -> None:
    asked = set(re.findall(r'say\("([\w-]+)"', SCRIPT)) | set(
        re.findall(r'\b(?:one|loser|winner), "([\w-]+)"\)', SCRIPT)
    )
    texts = told()["texts"]
    assert isinstance(texts, dict)
    assert asked == set(texts)


def test_the_script_counts_what_has_forms() -> None:
    counts = told()["counts"]
    assert isinstance(counts, dict)
    assert set(re.findall(r'count\("([\w-]+)"', SCRIPT)) == set(counts)
    assert counts["files"] == ("{n} file", "{n} files")


def test_every_event_that_is_told_happens_somewhere() -> None:
    source = "".join(path.read_text("utf-8") for path in Path(p2psync.__file__).parent.rglob("*.py"))
    events = told()["events"]
    assert isinstance(events, dict)
    assert [name for name in events if not re.search(rf'(event|notice)\("{re.escape(name)}"', source)] == []


def test_the_frame_has_what_the_page_asks_for() -> None:
    assert set(re.findall(r"\$(\w+)", content("index.html").decode())) == set(frame())

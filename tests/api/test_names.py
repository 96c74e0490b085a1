"""What the daemon names by a word of the interface has words for people on the page."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from p2psync.api.names import names_in_words, places
from p2psync.api.page import content
from p2psync.checkup import State
from p2psync.core.entry import Kind as EntryKind
from p2psync.core.mark import POSTED, RECEIVED, UNDONE
from p2psync.core.problem import Code
from p2psync.core.rules import DEFAULT_RULES, MASTERS, MODES_WITH_MASTER, Mode, Part, Role
from p2psync.core.schedule import Kind
from p2psync.core.statement import Statement, UnknownStatement
from p2psync.daemon.actions import Asked, actions
from p2psync.daemon.operations.attachments import STATES
from p2psync.daemon.operations.running import Result
from tests.api.browsing import script

STATEMENTS = {str(one.KIND) for one in get_args(Statement) if one is not UnknownStatement}
EVERYTHING = Asked(True, 1, [Code.DISK_FULL], 1, 1, True, 1)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("roles", {one.value for one in Role}),
        ("parts", {one.value for one in Part}),
        ("masters", set(MASTERS)),
        ("rulings", {f"{one.value}:{by}" if one in MODES_WITH_MASTER else one.value for one in Mode for by in MASTERS}),
        ("classes", {one.file_class for one in DEFAULT_RULES.rules}),
        ("standings", set(STATES.values())),
        ("changes", {"new", "before", "changed", "removed"}),
        ("endings", {*(one.value for one in Result), "running"}),
        ("results", {*(one.value for one in Result), "running"}),
        ("kinds", {one.name.lower() for one in EntryKind} | {POSTED, RECEIVED, UNDONE} | STATEMENTS),
        ("actions", {str(one["what"]) for one in actions(EVERYTHING)}),
        ("plans", {one.value for one in Kind}),
        ("health", {one.value for one in State}),
    ],
)
def test_every_word_of_the_daemon_has_words(kind: str, words: set[str]) -> None:
    known = names_in_words()[kind]
    assert words <= set(known)
    assert all(known.values())


def test_the_page_offers_every_ruling_that_has_words() -> None:
    found = re.search(r"const RULINGS = \[(.*?)\];", script())
    assert found is not None
    assert sorted(re.findall(r'"([\w:]+)"', found[1])) == sorted(names_in_words()["rulings"])


def test_the_page_asks_for_all_kinds_of_names_and_no_others() -> None:
    assert set(re.findall(r'(?:inWords\("|words\.names\.)(\w+)', script())) == set(names_in_words())


def test_every_view_of_a_mandate_is_reached_by_its_name() -> None:
    found = re.search(r"const PARTS = \{(.*?)\};", script())
    assert found is not None
    assert re.findall(r"(\w+):", found[1]) == list(names_in_words()["views"])


def test_every_place_is_reached_by_its_name() -> None:
    links = re.findall(r'<a href="#(\w*)">\$(\w+)</a>', content("index.html").decode())
    assert [name for _, name in links] == list(places())
    assert [part or "mandates" for part, _ in links] == list(places())

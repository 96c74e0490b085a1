"""How files were cut is at hand for a while, and what is new in them is told once."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from p2psync.core.chunking import Layout, Manifest, Span
from p2psync.core.difference import encode_difference
from p2psync.core.ids import ContentId, content_of
from p2psync.fs import cut_memory as module
from p2psync.fs.cut_memory import Cut, CutMemory
from p2psync.fs.reuse import NoCuts
from tests.core.cutting import cut

BIG = Random(1).randbytes(2 << 20)
BIG_ID = content_of(BIG)
SEVERAL = [content_of(bytes([number])) for number in range(5)]


class Lasting(NoCuts):
    def __init__(self) -> None:
        self.known: list[ContentId] = []

    def put(self, content: ContentId, spans: Sequence[Span]) -> None:
        self.known.append(content)


def test_only_some_of_what_nobody_asked_for_is_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNKS_FRESH_MAX", 3 * len(cut(BIG)))
    memory = CutMemory(Lasting())
    for content in SEVERAL:
        memory.add_fresh(content, Layout(cut(BIG)), None)
    assert [memory.at_hand(content) is not None for content in SEVERAL] == [False, False, True, True, True]


def test_what_was_asked_for_outlives_a_rest() -> None:
    memory = CutMemory(Lasting())
    for content in SEVERAL[:2]:
        memory.add_fresh(content, Layout(cut(BIG)), None)
    assert memory.at_hand(SEVERAL[0]) == Cut(Manifest.of(SEVERAL[0], cut(BIG)), cut(BIG))
    memory.let_go()
    assert [memory.at_hand(content) is not None for content in SEVERAL[:2]] == [True, False]


def test_it_is_written_when_nobody_waits_or_when_it_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    lasting = Lasting()
    memory = CutMemory(lasting)
    memory.note(BIG_ID, cut(BIG))
    assert lasting.known == []
    memory.save()
    memory.save()
    assert lasting.known == [BIG_ID]
    monkeypatch.setattr(module, "CHUNKS_FRESH_MAX", len(cut(BIG)) - 1)
    memory.note(SEVERAL[0], cut(BIG))
    assert lasting.known == [BIG_ID, SEVERAL[0]]


def test_the_latest_that_fits() -> None:
    memory = CutMemory(Lasting())
    for number, content in enumerate(SEVERAL[:3]):
        memory.add(Cut(Manifest.of(content, cut(BIG[number:])), cut(BIG[number:])))
    assert memory.latest(lambda content: content in SEVERAL[:2]) == cut(BIG[1:])
    assert memory.latest(lambda content: content == BIG_ID) == ()


def test_what_is_new_is_told_once_where_it_is_known_how_both_are_cut() -> None:
    edited = BIG[:1_000_000] + b"inserted" + BIG[1_000_000:]
    content, memory = content_of(edited), CutMemory(Lasting())
    memory.add_fresh(content, Layout(cut(edited)), BIG_ID)
    assert memory.difference(content, BIG_ID) is None, "it was not known how that was cut"
    memory.add_fresh(BIG_ID, Layout(cut(BIG)), None)
    assert memory.spans(BIG_ID) == cut(BIG)
    memory.add_fresh(content, Layout(cut(edited)), BIG_ID)
    assert memory.difference(content, BIG_ID) == encode_difference(cut(edited), cut(BIG))
    assert memory.difference(content, BIG_ID) is None
    several = [content_of(bytes([number])) for number in range(module.DIFFERENCES_MAX + 1)]
    for one in several:
        memory.add_fresh(one, Layout(cut(edited)), BIG_ID)
    kept = [memory.difference(one, BIG_ID) for one in several]
    assert [one is None for one in kept] == [True] + [False] * module.DIFFERENCES_MAX

"""Whoever gives a file to others while it is read hears how far that is."""

from __future__ import annotations

from p2psync.core.chunking import Span
from p2psync.core.relpath import RelPath
from p2psync.fs.being_read import BeingRead

FIRST, SECOND = Span(b"1" * 32, 0, 10), Span(b"2" * 32, 10, 20)


def test_who_listens_is_told_when_there_is_more_and_at_the_end() -> None:
    reading = BeingRead(RelPath("big"))
    told: list[tuple[int, bool]] = []
    reading.add([FIRST])
    reading.listen(lambda: told.append((len(reading.spans), reading.is_over)))
    reading.add([])
    assert told == []
    reading.add([SECOND])
    reading.end()
    assert told == [(2, False), (2, True)]
    assert reading.spans == [FIRST, SECOND]
    reading.listen(None)
    reading.end()
    assert len(told) == 2

"""A detailed log names each message and each moved file; what is an event anyway has no second line."""

from __future__ import annotations

import pytest

from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import MandateId, content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.detail import details
from p2psync.engine.effects import (
    Effect,
    Fetch,
    HoldBack,
    KeepVersion,
    MembersChanged,
    Merge,
    OfferContent,
    Place,
    PlaceItem,
    PushContents,
    Rescan,
    Send,
    StreamFile,
    Wanted,
)
from p2psync.wire.messages import Ping

MANDATE = MandateId(b"m" * 16)
PATH = RelPath("a.ecf")
CONTENT = content_of(b"four")
FILE = Entry(Kind.FILE, 4, content=CONTENT)
GONE = Entry(Kind.ABSENT)


@pytest.mark.parametrize(
    ("effect", "lines"),
    [
        (Send(3, Ping(1)), [("send", {"link": 3, "message": "Ping"})]),
        (
            Fetch(MANDATE, (Wanted(CONTENT, 4, PATH),)),
            [("fetch", {"mandate": MANDATE, "path": PATH, "size": 4, "content": CONTENT})],
        ),
        (
            OfferContent(MANDATE, PATH, CONTENT, 5, CONTENT),
            [("offer", {"mandate": MANDATE, "path": PATH, "content": CONTENT})],
        ),
        (StreamFile(MANDATE, PATH, 5, 3), [("stream", {"mandate": MANDATE, "path": PATH, "size": 5})]),
        (PushContents(MANDATE, (CONTENT,)), [("push", {"mandate": MANDATE, "contents": 1})]),
        (
            Place(MANDATE, (PlaceItem(PATH, GONE, None, FILE, ""), PlaceItem(PATH, FILE, None, GONE, "removed"))),
            [
                ("place", {"mandate": MANDATE, "path": PATH, "kind": "file", "size": 4, "kept": None}),
                ("place", {"mandate": MANDATE, "path": PATH, "kind": "absent", "size": None, "kept": "removed"}),
            ],
        ),
        (
            KeepVersion(MANDATE, PATH, FILE, "edited", None),
            [("keep", {"mandate": MANDATE, "path": PATH, "reason": "edited"})],
        ),
        (Merge(MANDATE, PATH, (CONTENT,)), [("merge", {"mandate": MANDATE, "path": PATH, "sources": 1})]),
        (Rescan(MANDATE), [("rescan", {"mandate": MANDATE, "paths": "all"})]),
        (Rescan(MANDATE, (PATH,)), [("rescan", {"mandate": MANDATE, "paths": 1})]),
        (HoldBack(MANDATE, 3), [("hold-back", {"mandate": MANDATE, "link": 3})]),
        (MembersChanged(MANDATE), []),
    ],
)
def test_each_effect_in_its_lines(effect: Effect, lines: list[tuple[str, object]]) -> None:
    assert list(details(effect)) == [(f"detail.{name}", facts) for name, facts in lines]

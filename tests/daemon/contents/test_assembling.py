"""From a manifest, or from what is new since the version before, to a verified file in staging."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.chunking import Layout, Manifest, encode_manifest
from p2psync.core.difference import encode_difference
from p2psync.core.ids import ContentId, content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents.assembling import Assembling, Begun, Finished, Lacking, MandateContents
from p2psync.engine.effects import Wanted
from p2psync.engine.orders import Begin, Compartment, Drop, Finish, Write
from p2psync.store.cuts import CutFile, Cuts
from tests.core.cutting import cut
from tests.daemon.peers import MANDATE, Shelf

OPEN = Compartment(MANDATE, ORDINARY)
OLD = Random(1).randbytes(2 << 20)
NEW = OLD[:700_000] + b"inserted" + OLD[700_000:]
OLD_ID, NEW_ID = content_of(OLD), content_of(NEW)
WANTED = Wanted(NEW_ID, len(NEW), RelPath("big"))
FINISH = Finish(OPEN, NEW_ID)


def difference(new: bytes = NEW) -> bytes:
    encoded = encode_difference(cut(new), cut(OLD))
    assert encoded is not None
    return encoded


OFFERED = Begin(OPEN, 1, NEW_ID, difference(), OLD_ID)
ASKED = Begin(OPEN, 1, NEW_ID, encode_manifest(Manifest.of(NEW_ID, cut(NEW))))


class Desk:
    """A mandate's folder and its assembling; the version before stands in it."""

    def __init__(self, root: Path) -> None:
        self.shelf = Shelf(root, Cuts(CutFile(root / "cuts"), MANDATE))
        self.path = self.shelf.places.root / "big"
        self.shelf.save("big", OLD)
        self.shelf.contents.note_cut(OLD_ID, Layout(cut(OLD)))
        self.apart: set[ContentId] = set()
        folders = {MANDATE: MandateContents(self.shelf.staging, self.shelf.contents)}
        self.it = Assembling(folders, lambda _, contents: set(contents) - self.apart)

    def brings(self, pieces: Begun | Lacking) -> None:
        """What was asked for comes."""
        spans = cut(NEW)
        for piece in pieces.pieces or ():
            data = tuple(NEW[spans[i].offset : spans[i].offset + spans[i].size] for i in piece.chunks)
            self.it.write(Write(OPEN, 1, NEW_ID, piece.chunks, data))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("begin", [OFFERED, ASKED])
def test_only_what_is_new_is_asked_for(desk: Desk, begin: Begin) -> None:
    begun = desk.it.begin(begin, WANTED)
    assert begun.pieces is not None
    assert sum(piece.size for piece in begun.pieces) < 200_000
    desk.brings(begun)
    desk.it.copy(begin)
    assert desk.it.finish(FINISH) == Finished(FINISH, True)
    assert desk.shelf.staged(NEW_ID) == NEW
    known = desk.shelf.contents.cuts.at_hand(NEW_ID)
    assert known is not None
    assert known.manifest == Manifest.of(NEW_ID, cut(NEW))


def test_what_is_not_here_after_all_is_asked_for_in_the_end(desk: Desk) -> None:
    begun = desk.it.begin(OFFERED, WANTED)
    desk.brings(begun)
    desk.path.write_bytes(bytes(100) + OLD[100:])
    desk.it.copy(OFFERED)
    lacking = desk.it.finish(FINISH)
    assert isinstance(lacking, Lacking)
    assert [piece.chunks for piece in lacking.pieces] == [(0,)]
    desk.brings(lacking)
    assert desk.it.finish(FINISH) == Finished(FINISH, True)
    assert desk.shelf.staged(NEW_ID) == NEW


def test_a_difference_from_what_is_not_known_here_or_not_for_such_files_tells_nothing(desk: Desk) -> None:
    stranger = Begin(OPEN, 1, NEW_ID, difference(), ContentId(b"?" * 32))
    assert desk.it.begin(stranger, WANTED) == Begun(stranger, None)
    assert desk.it.begin(OFFERED, None) == Begun(OFFERED, None)
    desk.apart.add(OLD_ID)
    assert desk.it.begin(OFFERED, WANTED) == Begun(OFFERED, None)


@pytest.mark.parametrize("base", [None, OLD_ID])
def test_what_no_honest_peer_sends_is_told(desk: Desk, base: ContentId | None) -> None:
    begin = Begin(OPEN, 1, NEW_ID, b"nonsense", base)
    assert desk.it.begin(begin, WANTED) == Begun(begin, None, malformed=True)


def test_a_lie_about_what_is_new_ends_with_nothing(desk: Desk) -> None:
    liar = Begin(OPEN, 1, NEW_ID, difference(OLD), OLD_ID)
    begun = desk.it.begin(liar, Wanted(NEW_ID, len(OLD), RelPath("big")))
    assert begun.pieces == []
    desk.it.copy(liar)
    assert desk.it.finish(FINISH) == Finished(FINISH, False)
    assert list(desk.shelf.staging.root.iterdir()) == []


def test_what_was_dropped_is_taken_up_the_next_time(desk: Desk) -> None:
    desk.it.begin(OFFERED, WANTED)
    desk.it.copy(OFFERED)
    desk.it.drop(Drop(OPEN, NEW_ID))
    desk.it.drop(Drop(OPEN, NEW_ID))
    assert desk.it.finish(FINISH) == Finished(FINISH, False), "it is not under way"
    desk.path.unlink()
    begun = desk.it.begin(ASKED, WANTED)
    assert begun.pieces is not None
    assert sum(piece.size for piece in begun.pieces) < 200_000
    desk.it.close()
    desk.it.copy(ASKED)
    assert desk.it.write(Write(OPEN, 1, NEW_ID, (0,), (b"late",))).bad == ()

"""A link never owes more than its window."""

from __future__ import annotations

from p2psync.core.block import ORDINARY
from p2psync.core.ids import ContentId, MandateId
from p2psync.engine.lanes import (
    BIG_AT_ONCE,
    LANE_WINDOW_BYTES,
    WINDOW_BYTES,
    WINDOW_REQUESTS,
    Asked,
    BigFile,
    Item,
    Peer,
    Wants,
)
from p2psync.engine.orders import Compartment, Piece
from p2psync.wire.messages import Response, What

M = Compartment(MandateId(b"m" * 16), ORDINARY)


def item(number: int, *tried: int) -> Item:
    return Item(ContentId(number.to_bytes(32, "big")), 1, frozenset(tried))


def test_a_window_closes_and_opens() -> None:
    peer = Peer(1, 0.0)
    asked = Asked(M, What.CONTENT, 0.0, WINDOW_BYTES, number=1)
    peer.add(asked)
    assert (peer.room(What.CONTENT), peer.room(What.CHUNK)) == (0, WINDOW_BYTES)
    assert peer.settle(asked, 100) == 100
    assert peer.room(What.CONTENT) == 100
    assert peer.close(asked) == WINDOW_BYTES - 100
    for number in range(WINDOW_REQUESTS):
        peer.add(Asked(M, What.CONTENT, 0.0, 0, number=number))
    assert peer.room(What.CONTENT) == 0


def test_what_a_link_owes_is_of_all_kinds() -> None:
    peer = Peer(1, 0.0)
    peer.add(Asked(M, What.CONTENT, 0.0, 5, number=1))
    peer.add(Asked(M, What.CHUNK, 0.0, 7, number=2))
    assert peer.owed == 12


def test_an_answer_fits_only_as_the_next_part() -> None:
    asked = Asked(M, What.CONTENT, 0.0, 0, [item(1), item(2)], next=1)
    assert asked.fits(Response(M.mandate, 1, 1, (None,), True))
    assert not asked.fits(Response(M.mandate, 1, 0, (None,), True))
    assert not asked.fits(Response(M.mandate, 1, 1, (None, None), True))
    assert not asked.fits(Response(MandateId(b"n" * 16), 1, 1, (None,), True))


def test_how_long_the_last_chunks_took_is_remembered() -> None:
    peer = Peer(1, 0.0)
    chunks, files = (Asked(M, what, 2.0, 5, number=number) for number, what in enumerate((What.CHUNK, What.CONTENT)))
    for asked, heard_s in ((chunks, 5.0), (files, 7.0)):
        peer.add(asked)
        peer.heard_s = heard_s
        peer.close(asked)
    assert peer.took_s == 3.0
    peer.add(chunks)
    peer.heard_s = 1.0
    peer.close(chunks)
    assert peer.took_s == 0.0, "it was given up"


def test_what_is_to_come_of_a_file_is_what_was_asked_for_and_not_answered() -> None:
    piece = Piece((3, 4, 9), 3)
    asked = Asked(M, What.CHUNK, 0.0, 3, [item(1)], BigFile(item(1), 1), piece, next=1)
    assert asked.is_of(M, item(1).content)
    assert not asked.is_of(M, item(2).content)
    assert not asked.is_of(Compartment(MandateId(b"n" * 16), ORDINARY), item(1).content)
    assert asked.chunks_to_come == (4, 9)
    assert Asked(M, What.MANIFEST, 0.0, 0, [item(1)]).chunks_to_come == ()


def test_the_compartments_of_a_link_take_turns() -> None:
    peer = Peer(1, 0.0)
    peer.compartments.extend([M, Compartment(MandateId(b"n" * 16), ORDINARY)])
    first = next(peer.turns())
    assert next(peer.turns()) != first
    assert len(list(peer.turns())) == 2


def test_big_files_count_from_their_manifest_on() -> None:
    wants = Wants()
    wants.manifests_asked = BIG_AT_ONCE - 1
    assert wants.has_room_for_big
    wants.beginning.add(item(1).content)
    assert not wants.has_room_for_big


def test_lanes_take_bulk_off_their_link_and_share_its_window() -> None:
    main = Peer(1, 0.0)
    main.lanes = 1
    lane = Peer(2, 0.0, main)
    assert (main.room(What.CONTENT), main.room(What.CHUNK)) == (WINDOW_BYTES, 0)
    assert (lane.giver, lane.room(What.CHUNK)) == (1, WINDOW_BYTES)
    main.lanes = 16
    assert lane.room(What.CHUNK) == LANE_WINDOW_BYTES
    assert lane.request_bytes_max < LANE_WINDOW_BYTES

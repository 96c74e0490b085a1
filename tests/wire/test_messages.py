"""Limits agree with one another: what one allows, no other makes impossible to send."""

from __future__ import annotations

import msgpack
import pytest

from p2psync.core import block, chunking, relpath
from p2psync.core.clock import Tip
from p2psync.core.difference import DIFFERENCE_BYTES_MAX
from p2psync.core.ids import BlockHash, ContentId, LogId, MandateId
from p2psync.core.problem import Code
from p2psync.engine import ledger, peer
from p2psync.wire.codec import decode, encode
from p2psync.wire.messages import (
    BLOCK_BYTES_MAX,
    BLOCKS_MAX,
    FRAME_BYTES_MAX,
    LOGS_MAX,
    MANDATES_MAX,
    PUSH_BYTES_MAX,
    PUSH_ITEMS_MAX,
    REQUEST_ITEMS_MAX,
    RESPONSE_DATA_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    UNPLACED_MAX,
    Ahead,
    Close,
    CloseCode,
    Credit,
    Have,
    Hello,
    IndexUpdate,
    Message,
    Offer,
    Placed,
    Push,
    Request,
    Response,
    What,
)

M = MandateId(b"m" * 16)
TEXT = "ä" * TEXT_CHARACTERS_MAX
LOGS = {
    LogId(number.to_bytes(16, "big")): (Tip(1 << 40, BlockHash(number.to_bytes(32, "big"))),)
    for number in range(LOGS_MAX)
}
CONTENTS = tuple(ContentId(number.to_bytes(32, "big")) for number in range(REQUEST_ITEMS_MAX))
PATH = "x" * relpath.PART_BYTES_MAX + "/" + "y" * relpath.PART_BYTES_MAX
UNPLACED = tuple((f"{number}/{PATH}", Code.STILL_CHANGING.value) for number in range(UNPLACED_MAX))
LARGEST: list[Message] = [
    Hello(1, TEXT, TEXT, bytes(16), 1.7e9, tuple(MandateId(n.to_bytes(16, "big")) for n in range(MANDATES_MAX))),
    Have(M, LOGS),
    Placed(M, LOGS, 1 << 40, UNPLACED),
    Request(M, 1, What.CONTENT, CONTENTS),
    Request(M, 1, What.CHUNK, CONTENTS[:1], tuple(range(chunking.CHUNKS_MAX - REQUEST_ITEMS_MAX, chunking.CHUNKS_MAX))),
    Response(M, 1, 0, (b"r" * RESPONSE_DATA_BYTES_MAX,), True),
    Response(M, 1, 0, (b"",) * REQUEST_ITEMS_MAX, True),
    Push(M, CONTENTS[:PUSH_ITEMS_MAX], (b"p" * (PUSH_BYTES_MAX // PUSH_ITEMS_MAX),) * PUSH_ITEMS_MAX),
    Offer(M, CONTENTS[0], 1 << 40, CONTENTS[1], b"d" * DIFFERENCE_BYTES_MAX),
    Ahead(M, PATH, 1 << 40, 1 << 40, b"a" * RESPONSE_DATA_BYTES_MAX, TEXT[: block.FILE_CLASS_CHARACTERS_MAX]),
    Credit(M, PATH, 1 << 40, TEXT[: block.FILE_CLASS_CHARACTERS_MAX]),
    Close(CloseCode.PROTOCOL_ERROR, TEXT),
]


@pytest.mark.parametrize("message", LARGEST, ids=lambda m: type(m).__name__)
def test_the_largest_of_each_message_fits_a_frame(message: Message) -> None:
    assert decode(encode(message)) == message


def test_what_an_update_holds_fits_a_frame() -> None:
    assert block.PAYLOAD_BYTES_MAX + block.SIGNATURE_BYTES == BLOCK_BYTES_MAX
    assert peer.UPDATE_BYTES_MAX + BLOCK_BYTES_MAX < FRAME_BYTES_MAX
    for blocks in ((b"b" * BLOCK_BYTES_MAX,) * 3, (b"b" * 500,) * BLOCKS_MAX):
        assert decode(encode(IndexUpdate(M, blocks))) == IndexUpdate(M, blocks)


def test_an_append_leaves_room_for_the_clock_that_members_can_make_long() -> None:
    tip = len(msgpack.packb([bytes(16), 1 << 40, bytes(32)]))
    devices = (block.PAYLOAD_BYTES_MAX - block.PAYLOAD_BYTES_AIM) // (tip * ledger.TIPS_PER_DEVICE_MAX)
    assert devices >= 6, "so many members at once would have to open logs without end"
    assert ledger.TIPS_PER_DEVICE_MAX >= ledger.BRANCHES_MAX
    assert block.CLOCK_MAX >= LOGS_MAX


def test_whole_files_and_chunks_fit_a_response() -> None:
    assert chunking.MANIFEST_THRESHOLD_BYTES <= RESPONSE_DATA_BYTES_MAX
    assert chunking.CHUNK_BYTES_MAX <= RESPONSE_DATA_BYTES_MAX
    assert chunking.MANIFEST_PART_BYTES_MAX <= RESPONSE_DATA_BYTES_MAX
    assert RESPONSE_DATA_BYTES_MAX < FRAME_BYTES_MAX


def test_numbers_of_the_protocol_stay() -> None:
    assert {what.name: what.value for what in What} == {"CONTENT": 1, "MANIFEST": 2, "CHUNK": 3, "HOLDING": 4}
    assert {code.name: code.value for code in CloseCode} == {
        **{"GOODBYE": 0, "PROTOCOL_ERROR": 1, "VERSION": 2, "NOT_A_MEMBER": 3, "REPLACED": 4}
    }

"""Messages as frames and back: one table says for each field what it may hold, on the way out as on the way in.

A frame is a msgpack array of the message's type number and its fields, in the order of its class, or such an
array in zstd where that is shorter; the first byte tells which. Fields behind those known here are passed over,
so that a later version can add some; a type that is not known ends the link.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgpack
import zstandard

from p2psync.core.block import FILE_CLASS_CHARACTERS_MAX
from p2psync.core.chunking import CHUNKS_MAX
from p2psync.core.difference import DIFFERENCE_BYTES_MAX
from p2psync.core.ids import HASH_BYTES, MANDATE_ID_BYTES
from p2psync.core.relpath import PATH_BYTES_MAX
from p2psync.core.value import value
from p2psync.errors import CodecError, LocalProtocolError
from p2psync.wire.messages import (
    BLOCK_BYTES_MAX,
    BLOCKS_MAX,
    FRAME_BYTES_MAX,
    LANES_MAX,
    LOGS_MAX,
    MANDATES_MAX,
    PUSH_BYTES_MAX,
    PUSH_ITEMS_MAX,
    REQUEST_ITEMS_MAX,
    RESPONSE_DATA_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    TOKEN_BYTES,
    UNPLACED_MAX,
    Ahead,
    Close,
    CloseCode,
    Credit,
    Have,
    Hello,
    IndexUpdate,
    Lane,
    Message,
    Offer,
    Ping,
    Placed,
    Pong,
    Push,
    Request,
    Response,
    Secret,
    What,
    Widen,
)
from p2psync.wire.shapes import Finite, Flag, Many, Maybe, OneOf, Raw, Row, Shape, Text, TipsOfLogs, Whole, unpack_array

COMPRESS_FROM_BYTES = 200
"""Shorter frames gain nothing."""
SAMPLE_FROM_BYTES = 16 * 1024
"""From here on a few samples tell first whether compressing is worth the time."""
RUN_NONCE_BYTES = 16
SECRET_BYTES_MIN = 16
SECRET_BYTES_MAX = 64


def encode(message: Message) -> bytes:
    """The frame that says `message`. Raises LocalProtocolError for a message that no receiver would accept."""
    layout = _LAYOUTS[type(message)]
    try:
        values = [shape.pack(getattr(message, name)) for name, shape in layout.shapes]
        _check_whole(message)
        plain: bytes = msgpack.packb([layout.number, *values])
    except ValueError as error:
        raise LocalProtocolError(f"{layout.made.__name__} cannot be sent: {error}") from None
    if len(plain) > FRAME_BYTES_MAX:
        raise LocalProtocolError(f"{layout.made.__name__} cannot be sent: it takes {len(plain)} bytes")
    return _shortest(plain)


def decode(frame: bytes) -> Message:
    """The message that `frame` says. Raises CodecError for bytes that say none, or one over its limits."""
    if len(frame) > FRAME_BYTES_MAX:
        raise CodecError(f"a frame of {len(frame)} bytes is too long")
    values = _array(_inflated(frame) if frame.startswith(_ZSTD_MAGIC) else frame)
    if not values or type(values[0]) is not int:
        raise CodecError("a frame without the type of its message")
    layout = _BY_NUMBER.get(values[0])
    if layout is None:
        raise CodecError(f"a message of the unknown type {values[0]}; update p2psync")
    if len(values) <= len(layout.shapes):
        raise CodecError(f"{layout.made.__name__} lacks fields")
    try:
        message: Message = layout.made(
            *(shape.unpack(value) for (_, shape), value in zip(layout.shapes, values[1:], strict=False))
        )
        _check_whole(message)
    except ValueError as error:
        raise CodecError(f"{layout.made.__name__} cannot be read: {error}") from None
    return message


# -- messages ------------------------------------------------------------------------------------------------------


@value
class _Layout:
    number: int
    """Part of the protocol: never given to another message."""
    made: type[Any]
    shapes: tuple[tuple[str, Shape], ...]
    """Each field's name and what it may hold, in the order of the class."""


def _layout(number: int, made: type[Any], *shapes: Shape) -> _Layout:
    names = (field.name for field in fields(made))
    return _Layout(number, made, tuple(zip(names, shapes, strict=True)))


_MANDATE = Raw(MANDATE_ID_BYTES, MANDATE_ID_BYTES)
_CONTENT = Raw(HASH_BYTES, HASH_BYTES)
_TEXT = Text(TEXT_CHARACTERS_MAX)
_NUMBER = Whole()
_ALL = (
    _layout(
        1,
        Hello,
        Whole(0, 0xFFFF),
        _TEXT,
        _TEXT,
        Raw(RUN_NONCE_BYTES, RUN_NONCE_BYTES),
        Finite(),
        Many(_MANDATE, MANDATES_MAX),
    ),
    _layout(2, Have, _MANDATE, TipsOfLogs()),
    _layout(3, IndexUpdate, _MANDATE, Many(Raw(1, BLOCK_BYTES_MAX), BLOCKS_MAX)),
    _layout(4, Placed, _MANDATE, TipsOfLogs(), _NUMBER, Many(Row((Text(PATH_BYTES_MAX), _TEXT)), UNPLACED_MAX)),
    _layout(5, Secret, _MANDATE, _NUMBER, Raw(SECRET_BYTES_MIN, SECRET_BYTES_MAX)),
    _layout(
        6,
        Request,
        _MANDATE,
        _NUMBER,
        OneOf(What),
        Many(_CONTENT, REQUEST_ITEMS_MAX, 1),
        Many(Whole(0, CHUNKS_MAX - 1), REQUEST_ITEMS_MAX),
        Text(FILE_CLASS_CHARACTERS_MAX),
    ),
    _layout(
        7,
        Response,
        _MANDATE,
        _NUMBER,
        _NUMBER,
        Many(Maybe(Raw(0, RESPONSE_DATA_BYTES_MAX)), REQUEST_ITEMS_MAX),
        Flag(),
    ),
    _layout(8, Ping, _NUMBER),
    _layout(9, Pong, _NUMBER),
    _layout(10, Close, OneOf(CloseCode), _TEXT),
    _layout(
        11,
        Push,
        _MANDATE,
        Many(_CONTENT, PUSH_ITEMS_MAX, 1),
        Many(Raw(0, PUSH_BYTES_MAX), PUSH_ITEMS_MAX, 1),
        Text(FILE_CLASS_CHARACTERS_MAX),
    ),
    _layout(12, Widen, Whole(0, LANES_MAX), Whole(0, LANES_MAX), Raw(0, TOKEN_BYTES)),
    _layout(13, Lane, Raw(TOKEN_BYTES, TOKEN_BYTES)),
    _layout(
        14,
        Offer,
        _MANDATE,
        _CONTENT,
        _NUMBER,
        _CONTENT,
        Raw(0, DIFFERENCE_BYTES_MAX),
        Text(FILE_CLASS_CHARACTERS_MAX),
    ),
    _layout(
        15,
        Ahead,
        _MANDATE,
        Text(PATH_BYTES_MAX),
        _NUMBER,
        _NUMBER,
        Raw(1, RESPONSE_DATA_BYTES_MAX),
        Text(FILE_CLASS_CHARACTERS_MAX),
    ),
    _layout(16, Credit, _MANDATE, Text(PATH_BYTES_MAX), _NUMBER, Text(FILE_CLASS_CHARACTERS_MAX)),
)
_LAYOUTS = {layout.made: layout for layout in _ALL}
_BY_NUMBER = {layout.number: layout for layout in _ALL}


def _check_whole(message: Message) -> None:
    """Raises ValueError where fields that are right by themselves are wrong together."""
    if isinstance(message, Request):
        if message.what is not What.CONTENT and len(message.contents) != 1:
            raise ValueError("more than one big file at a time")
        if bool(message.chunks) is not (message.what is What.CHUNK):
            raise ValueError("chunks belong to a request for chunks, and only there")
    elif isinstance(message, Response):
        size = sum(len(item) for item in message.items if item is not None)
        if size > RESPONSE_DATA_BYTES_MAX:
            raise ValueError(f"{size} bytes of content at once")
    elif isinstance(message, Push):
        if len(message.contents) != len(message.items):
            raise ValueError("contents without bytes, or bytes of no content")
        if (size := sum(map(len, message.items))) > PUSH_BYTES_MAX:
            raise ValueError(f"{size} bytes pushed at once")
    elif isinstance(message, Widen) and len(message.token) not in (0, TOKEN_BYTES):
        raise ValueError("part of a token")


# -- bytes ---------------------------------------------------------------------------------------------------------

_ZSTD_MAGIC = zstandard.FRAME_HEADER  # as a first byte of msgpack it would be a number, not an array
_ZSTD_LEVEL = 1
_SAMPLES = 4
_SAMPLE_BYTES = 1024


def _shortest(plain: bytes) -> bytes:
    if len(plain) < COMPRESS_FROM_BYTES:
        return plain
    # A compressor of its own each time: it may not be shared by threads, and costs 10 us.
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
    if len(plain) >= SAMPLE_FROM_BYTES:
        step = len(plain) // _SAMPLES
        sample = b"".join(plain[at : at + _SAMPLE_BYTES] for at in range(step // 2, len(plain), step))
        if len(compressor.compress(sample)) > len(sample) * 15 // 16:
            return plain
    packed = compressor.compress(plain)
    return packed if len(packed) < len(plain) else plain


def _inflated(frame: bytes) -> bytes:
    """Allocates what the frame says that it holds, after looking whether that is allowed."""
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size > FRAME_BYTES_MAX:
            raise CodecError(f"a frame that would unpack to {size} bytes")
        return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError:
        raise CodecError("a compressed frame that is damaged") from None


def _array(plain: bytes) -> tuple[Any, ...]:
    bounds = {"text_bytes_max": 4 * PATH_BYTES_MAX, "bytes_max": RESPONSE_DATA_BYTES_MAX, "items_max": LOGS_MAX}
    try:
        return unpack_array(plain, **bounds)
    except ValueError as error:
        raise CodecError(f"a frame that {error}") from None

"""What hosts that share topics tell each other about a topic: mail for its visitors, and who has left it."""

from __future__ import annotations

from typing import Any, Final

import msgpack

from p2psync.errors import CodecError
from p2psync.rendezvous.protocol.hub import Share
from p2psync.rendezvous.protocol.messages import HANDLE_BYTES, MESSAGE_BYTES_MAX, Gone, Mail, decode, encode
from p2psync.wire.shapes import Maybe, Raw, Row

_SHARE: Final = Row((Maybe(Raw(HANDLE_BYTES, HANDLE_BYTES)), Raw(1, MESSAGE_BYTES_MAX)))


def pack(share: Share) -> bytes:
    packed: bytes = msgpack.packb(_SHARE.pack((share.to, encode(share.message))))
    return packed


def unpack(data: bytes) -> Share:
    """Raises CodecError."""
    try:
        fields: Any = msgpack.unpackb(data, use_list=False, max_array_len=2, max_str_len=0, max_map_len=0)
        to, said = _SHARE.unpack(fields)
    except (ValueError, msgpack.UnpackException):
        raise CodecError("what another host shares cannot be read") from None
    message = decode(said)
    if not isinstance(message, Mail | Gone):
        raise CodecError("another host shares what is not to be shared")
    return Share(message, to)

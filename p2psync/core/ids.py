"""Identifiers: raw bytes inside, text at the edges.

A `DeviceId` is an Ed25519 public key, a `ContentId` the BLAKE3 of a file's bytes, a `BlockHash`
the BLAKE3 of a block's signed bytes; mandates and logs have random ids. They are plain `bytes`
with a type of their own: cheap as keys, and mypy keeps them apart. Bytes and text from outside
become ids only through the functions here.
"""

from __future__ import annotations

import base64
from typing import NamedTuple, NewType

from blake3 import blake3

from p2psync.errors import InvalidId

DeviceId = NewType("DeviceId", bytes)
MandateId = NewType("MandateId", bytes)
LogId = NewType("LogId", bytes)
BlockHash = NewType("BlockHash", bytes)
ContentId = NewType("ContentId", bytes)

DEVICE_ID_BYTES = 32
MANDATE_ID_BYTES = 16
LOG_ID_BYTES = 16
HASH_BYTES = 32
CHECK_BYTES = 3  # 24 bits: a mistyped id passes once in 16 million times
GROUP_CHARACTERS = 7
EMPTY_CONTENT = ContentId(blake3(b"").digest())


class ChangeId(NamedTuple):
    """Names one change: the block that carries it and its index in there."""

    block: BlockHash
    position: int

    def __str__(self) -> str:
        return f"{self.block.hex()[:12]}.{self.position}"


def device_id(raw: object) -> DeviceId:
    """Raises InvalidId unless raw is 32 bytes."""
    return DeviceId(_exactly(raw, DEVICE_ID_BYTES, "device id"))


def mandate_id(raw: object) -> MandateId:
    """Raises InvalidId unless raw is 16 bytes."""
    return MandateId(_exactly(raw, MANDATE_ID_BYTES, "mandate id"))


def log_id(raw: object) -> LogId:
    """Raises InvalidId unless raw is 16 bytes."""
    return LogId(_exactly(raw, LOG_ID_BYTES, "log id"))


def block_hash(raw: object) -> BlockHash:
    """Raises InvalidId unless raw is 32 bytes."""
    return BlockHash(_exactly(raw, HASH_BYTES, "block hash"))


def content_id(raw: object) -> ContentId:
    """Raises InvalidId unless raw is 32 bytes."""
    return ContentId(_exactly(raw, HASH_BYTES, "content id"))


def content_of(data: bytes | memoryview) -> ContentId:
    """The content id of bytes at hand."""
    return ContentId(blake3(data).digest())


def device_text(device: DeviceId) -> str:
    """A device id as people see it: base32 with check characters, in groups of seven."""
    check = blake3(b"p2psync device id\0" + device).digest()[:CHECK_BYTES]
    text = base64.b32encode(device + check).decode().rstrip("=")
    return "-".join(text[i : i + GROUP_CHARACTERS] for i in range(0, len(text), GROUP_CHARACTERS))


def parse_device(text: str) -> DeviceId:
    """The inverse of `device_text`, forgiving case, spaces and dashes.

    Raises InvalidId, also when the check characters do not fit.
    """
    compact = "".join(text.split()).replace("-", "").upper()
    try:
        raw = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except ValueError:
        raise InvalidId("{text!r} is no device id. Copy it whole.", text=text) from None
    device = device_id(raw[:DEVICE_ID_BYTES])
    if device_text(device).replace("-", "") != compact:
        raise InvalidId("The device id {text!r} has a typing error. Copy it again.", text=text)
    return device


def mandate_text(mandate: MandateId) -> str:
    return mandate.hex()


def parse_mandate(text: str) -> MandateId:
    """Raises InvalidId unless text is the 32 hexadecimal digits of a mandate id."""
    try:
        return mandate_id(bytes.fromhex(text.strip()))
    except (ValueError, InvalidId):
        raise InvalidId("{text!r} is no id of a mandate. Copy it whole.", text=text) from None


def change_text(change: ChangeId) -> str:
    """A change id as commands show and take it."""
    return f"{change.block.hex()}.{change.position}"


def _exactly(raw: object, size: int, what: str) -> bytes:
    if not isinstance(raw, bytes) or len(raw) != size:
        raise InvalidId("not a {what}: it must be {size} bytes", what=what, size=size)
    return raw

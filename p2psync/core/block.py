"""A block: what one device appends to one of its logs in one go, hash-chained and signed once.

On the wire and on disk a block is its signature followed by its payload, exactly as its author made it.
The signature, and the hash that names the block, cover a prefix with purpose, format, mandate and log, so
that no bytes signed here mean anything elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

import msgpack
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from p2psync.core.change import Change, pack_changes, unpack_changes
from p2psync.core.clock import Tip
from p2psync.core.ids import LOG_ID_BYTES, BlockHash, DeviceId, LogId, MandateId, block_hash, device_id, log_id
from p2psync.core.mark import Mark, pack_marks, unpack_marks
from p2psync.core.statement import Statement, pack_statements, unpack_statements
from p2psync.core.value import value
from p2psync.errors import CodecError, InvalidId, InvalidPath, SignatureInvalid

FORMAT = 1
PURPOSE = b"p2psync block\0"
SIGNATURE_BYTES = 64
CHANGES_MAX = 500
"""Changes in one block."""
PAYLOAD_BYTES_MAX = 256 * 1024 - SIGNATURE_BYTES
PAYLOAD_BYTES_AIM = 160 * 1024
"""Appending stops adding changes to a block here, so that it stays under the maximum."""
CLOCK_MAX = 10_000
"""Logs that one block may name."""
SALT_BYTES = 16
SEQ_MAX = 1 << 40
TIME_MS_MAX = 1 << 52

ORDINARY = ""
FILE_CLASS_CHARACTERS_MAX = 100
"""The class of logs that every member may read."""
AUTHORITY = "authority"
"""The class of logs that say who belongs."""

Sign = Callable[[bytes], bytes]
"""Bytes to their signature by this device's key."""
Verify = Callable[[DeviceId, bytes, bytes], bool]
"""(device, bytes, signature) to whether the device signed them."""


@value
class Opening:
    """What a log's first block says of the log."""

    device: DeviceId
    file_class: str
    """ORDINARY, AUTHORITY, or the name of a restricted class."""
    salt: bytes = b""
    """Random; with it the log's id follows from the opening, so that nobody can open a log under another's id."""


@value
class Block:
    log: LogId
    seq: int
    """1 for the first block of its log."""
    prev: BlockHash | None
    """The block before; None for the first."""
    time_ms: int
    """The author's wall clock in milliseconds since 1970: shown, never judged by."""
    clock: tuple[tuple[LogId, Tip], ...]
    """What the author had read since its last block in this log."""
    opening: Opening | None
    """Only in the first block."""
    changes: tuple[Change, ...] = ()
    statements: tuple[Statement, ...] = ()
    """Only in authority logs."""
    marks: tuple[Mark, ...] = ()
    """In a block of their own, in any log but one of authority."""


@value
class SignedBlock:
    """A block with the bytes that name and prove it."""

    hash: BlockHash
    block: Block
    raw: bytes

    def verify(self, mandate: MandateId, author: DeviceId, verify: Verify) -> None:
        """Raises SignatureInvalid unless the author signed it for this mandate."""
        payload = self.raw[SIGNATURE_BYTES:]
        if not verify(author, _signed_bytes(mandate, self.block.log, payload), self.raw[:SIGNATURE_BYTES]):
            raise SignatureInvalid(f"block {self.block.seq} of a log is not signed by the log's device")


def sign_block(mandate: MandateId, block: Block, sign: Sign) -> SignedBlock:
    kind, body = _pack_body(block)
    opening = [block.opening.device, block.opening.file_class, block.opening.salt] if block.opening else None
    clock = [[log, tip.seq, tip.hash] for log, tip in block.clock]
    payload = msgpack.packb(
        [FORMAT, block.log, block.seq, block.prev, block.time_ms, clock, opening, kind, body], use_bin_type=True
    )
    assert len(payload) <= PAYLOAD_BYTES_MAX, "append splits batches before they grow this large"
    signed = _signed_bytes(mandate, block.log, payload)
    return SignedBlock(BlockHash(blake3(signed).digest()), block, sign(signed) + payload)


def _pack_body(block: Block) -> tuple[str, list[object]]:
    assert sum(map(bool, (block.changes, block.statements, block.marks))) <= 1, "a block says one kind of thing"
    if block.statements:
        return "statements", pack_statements(block.statements)
    return ("marks", pack_marks(block.marks)) if block.marks else ("changes", pack_changes(block.changes))


def parse_block(mandate: MandateId, raw: bytes) -> SignedBlock:
    """Bytes from anybody to a block whose signature is still to be verified; raises CodecError."""
    payload = raw[SIGNATURE_BYTES:]
    if not 0 < len(payload) <= PAYLOAD_BYTES_MAX:
        raise CodecError("a block of impossible length")
    try:
        block = _unpack(msgpack.unpackb(payload, use_list=True, strict_map_key=True))
    except (ValueError, msgpack.exceptions.UnpackException, InvalidId, InvalidPath) as error:
        raise CodecError(f"not a block: {error}") from error
    return SignedBlock(BlockHash(blake3(_signed_bytes(mandate, block.log, payload)).digest()), block, raw)


def log_id_of(opening: Opening) -> LogId:
    """The id of a log that begins so."""
    named = opening.device + bytes([len(opening.salt)]) + opening.salt + opening.file_class.encode()
    return LogId(blake3(b"p2psync log\0" + named).digest()[:LOG_ID_BYTES])


def verify_ed25519(device: DeviceId, data: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(device).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_bytes(mandate: MandateId, log: LogId, payload: bytes) -> bytes:
    return PURPOSE + bytes([FORMAT]) + mandate + log + payload


def _unpack(fields: object) -> Block:
    match fields:
        case [int(form), log, int(seq), prev, int(time_ms), list(clock), opening, str(kind), body]:
            if form != FORMAT:
                raise CodecError(f"a block of format {form}: update p2psync")
            if type(seq) is bool or type(time_ms) is bool:  # equal to numbers, but not on the wire
                raise CodecError("a block whose number or time is none")
            if not 1 <= seq <= SEQ_MAX or not 0 <= time_ms <= TIME_MS_MAX or len(clock) > CLOCK_MAX:
                raise CodecError("a block with an impossible number, time or clock")
            if (seq == 1) != (prev is None) or (seq == 1) != (opening is not None):
                raise CodecError("only a log's first block opens it")
            return Block(
                log_id(log),
                seq,
                block_hash(prev) if prev is not None else None,
                time_ms,
                tuple(_unpack_tip(item) for item in clock),
                _unpack_opening(opening) if opening is not None else None,
                # A kind of body that a newer version invented has no effect here, and is passed on.
                unpack_changes(body, CHANGES_MAX) if kind == "changes" else (),
                unpack_statements(body) if kind == "statements" else (),
                unpack_marks(body) if kind == "marks" else (),
            )
        case _:
            raise CodecError("a block with missing or wrong fields")


def _unpack_tip(item: object) -> tuple[LogId, Tip]:
    match item:
        case [log, int(seq), digest] if 1 <= seq <= SEQ_MAX:
            return log_id(log), Tip(seq, block_hash(digest))
        case _:
            raise CodecError("a block whose clock is malformed")


def _unpack_opening(opening: object) -> Opening:
    match opening:
        case [device, str(file_class), bytes(salt)] if (
            len(file_class) <= FILE_CLASS_CHARACTERS_MAX and len(salt) <= SALT_BYTES
        ):
            return Opening(device_id(device), file_class, salt)
        case _:
            raise CodecError("a block that opens a log without saying whose")

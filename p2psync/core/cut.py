"""A cut: everything that an admin had accepted when it took a right away, log by log.

Statements are read by every member, and of a restricted log the others shall learn nothing. So its tips stand
there sealed: only who knows the log's id can open them, and that is told to nobody who may not read the log. The
rest see how many such logs there are.
"""

from __future__ import annotations

import struct
from dataclasses import field
from random import Random

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from p2psync.core.clock import Tip, Tips
from p2psync.core.ids import HASH_BYTES, BlockHash, LogId
from p2psync.core.value import value

NONCE_BYTES = 12
SEALED_TIPS_MAX = 16
"""Tips that are sealed together; a log with more branches is sealed in parts."""
_KEY_CONTEXT = "p2psync the tips of a restricted log in a cut, version 1"
_TIP = struct.Struct(f">Q{HASH_BYTES}s")


@value
class Cut:
    tips: Tips = field(default_factory=dict)
    """Of the logs that every member may read."""
    sealed: tuple[bytes, ...] = ()
    """A nonce and the encrypted tips, or some of them, of one restricted log each, sorted."""

    def of(self, log: LogId) -> tuple[Tip, ...]:
        """The tips of this log; none if the cut does not name it."""
        if log in self.tips:
            return self.tips[log]
        return tuple(sorted(tip for one in self.sealed for tip in _opened(log, one)))


def cut_of(tips: Tips, restricted: Tips, rng: Random) -> Cut:
    """A cut at these tips; the order of the sealed ones says nothing about their logs."""
    parts = [
        (log, many[start : start + SEALED_TIPS_MAX])
        for log, many in restricted.items()
        for start in range(0, len(many), SEALED_TIPS_MAX)
    ]
    return Cut(tips, tuple(sorted(_sealed(log, part, rng.randbytes(NONCE_BYTES)) for log, part in parts)))


def _sealed(log: LogId, tips: tuple[Tip, ...], nonce: bytes) -> bytes:
    plain = b"".join(_TIP.pack(tip.seq, tip.hash) for tip in tips)
    return nonce + ChaCha20Poly1305(_key(log)).encrypt(nonce, plain, None)


def _opened(log: LogId, sealed: bytes) -> tuple[Tip, ...]:
    """Nothing if it is another log's, or damaged."""
    try:
        plain = ChaCha20Poly1305(_key(log)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        return tuple(Tip(seq, BlockHash(digest)) for seq, digest in _TIP.iter_unpack(plain))
    except (InvalidTag, ValueError, struct.error):
        return ()


def _key(log: LogId) -> bytes:
    return blake3(log, derive_key_context=_KEY_CONTEXT).digest()

"""What each side tells the other, sealed, before there is a connection: how to reach it, and by what to know it."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import msgpack

from p2psync.core.value import value
from p2psync.errors import CodecError
from p2psync.wire.shapes import unpack_array

FORMAT: Final = 1
FINGERPRINT_BYTES: Final = 32
CANDIDATES_MAX: Final = 24
WORD_CHARACTERS_MAX: Final = 256
PRIORITY_MAX: Final = (1 << 32) - 1
KINDS: Final = ("host", "srflx", "relay")
"""An address of the PC itself; as a STUN server saw it; at a TURN server that passes on."""

_WORD: Final = re.compile(r"[A-Za-z0-9+/]{1,256}")


@value
class Candidate:
    """Where packets may reach a device, by UDP."""

    kind: str
    """One of KINDS."""
    host: str
    """IP address."""
    port: int
    priority: int
    """Higher ones are tried first."""
    foundation: str
    """The same for those that live and die together."""


@value
class Description:
    """Offer and answer look the same."""

    user: str
    password: str
    """By these two the packets that try out ways know each other."""
    fingerprint: bytes
    """SHA-256 of the certificate for this connection."""
    candidates: tuple[Candidate, ...]

    def pack(self) -> bytes:
        """At most 8 KiB."""
        best = sorted(self.candidates, key=lambda c: -c.priority)[:CANDIDATES_MAX]
        candidates = [(c.kind, c.host, c.port, c.priority, c.foundation) for c in best]
        packed: bytes = msgpack.packb((FORMAT, self.user, self.password, self.fingerprint, candidates))
        return packed

    @classmethod
    def parse(cls, data: bytes) -> Description:
        """Raises CodecError."""
        try:
            values = unpack_array(
                data, text_bytes_max=WORD_CHARACTERS_MAX, bytes_max=FINGERPRINT_BYTES, items_max=CANDIDATES_MAX
            )
            version, user, password, fingerprint, candidates = values
            if version != FORMAT or type(fingerprint) is not bytes or len(fingerprint) != FINGERPRINT_BYTES:
                raise ValueError("another format")
            return cls(_word(user), _word(password), fingerprint, tuple(map(_candidate, candidates)))
        except (ValueError, TypeError) as error:
            raise CodecError(f"no description of a WebRTC connection: {error}") from None


def _candidate(values: object) -> Candidate:
    if type(values) is not tuple:
        raise ValueError("a candidate is no list")
    kind, host, port, priority, foundation = values
    address = ipaddress.ip_address(host) if type(host) is str else None
    if kind not in KINDS or address is None or address.is_multicast or address.is_unspecified:
        raise ValueError("no candidate")
    return Candidate(kind, str(address), _whole(port, 65535), _whole(priority, PRIORITY_MAX), _word(foundation))


def _word(value: object) -> str:
    if type(value) is not str or not _WORD.fullmatch(value):
        raise ValueError("no word")
    return value


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"not a whole number from 1 to {most}")
    return value

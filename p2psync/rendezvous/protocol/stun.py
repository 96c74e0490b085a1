"""STUN (RFC 8489), as much as a server needs that tells each caller which address and port it came from.

A Binding request gets a success response with the mapped address, twice its size at the most, or an error where it
asks for what is not understood. Anything else gets no answer.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from typing import Final

from p2psync.core.value import value

HEADER_BYTES: Final = 20
DATAGRAM_BYTES_MAX: Final = 548
"""What any network carries in one piece; a Binding request is much shorter."""
MAGIC: Final = 0x2112A442
BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111
ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
XOR_MAPPED_ADDRESS: Final = 0x0020
FINGERPRINT: Final = 0x8028
UNDERSTOOD: Final = frozenset({0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0024, 0x0025})
"""Attributes that must be understood, and mean nothing in a Binding request to a server that asks for no credentials:
USERNAME, MESSAGE-INTEGRITY, REALM, NONCE, their successors, and two of ICE."""
OPTIONAL_FROM: Final = 0x8000
"""From this number on attributes may be passed over."""
UNKNOWN_ATTRIBUTES_MAX: Final = 8

_FINGERPRINT_XOR: Final = 0x5354554E


@value
class Binding:
    """A request to be told one's own address."""

    transaction: bytes
    """12 bytes that the answer repeats."""
    unknown: tuple[int, ...] = ()
    """Attributes that it wants understood and that are not."""


def parse(datagram: bytes) -> Binding | None:
    """None for anything that is no Binding request, whole and as it should be."""
    if not HEADER_BYTES <= len(datagram) <= DATAGRAM_BYTES_MAX:
        return None
    kind, length, magic = struct.unpack_from("!HHI", datagram)
    if (kind, length, magic) != (BINDING_REQUEST, len(datagram) - HEADER_BYTES, MAGIC) or length % 4:
        return None
    unknown = []
    at = HEADER_BYTES
    while at < len(datagram):
        attribute, size = struct.unpack_from("!HH", datagram, at)
        end = at + 4 + size + -size % 4
        if end > len(datagram):
            return None
        if attribute == FINGERPRINT and not _is_fingerprint(datagram, at, end):
            return None
        if attribute < OPTIONAL_FROM and attribute not in UNDERSTOOD:
            unknown.append(attribute)
        at = end
    return Binding(datagram[8:HEADER_BYTES], tuple(dict.fromkeys(unknown))[:UNKNOWN_ATTRIBUTES_MAX])


def answer(binding: Binding, host: str, port: int) -> bytes:
    """The response to a request that came from this IP address and port."""
    if binding.unknown:
        numbers = b"".join(number.to_bytes(2, "big") for number in binding.unknown)
        error = b"\0\0\4\x14Unknown Attribute"  # 4 and 20: code 420
        return _message(BINDING_ERROR, binding, _attribute(ERROR_CODE, error) + _attribute(UNKNOWN_ATTRIBUTES, numbers))
    return _message(BINDING_SUCCESS, binding, _attribute(XOR_MAPPED_ADDRESS, _mapped(binding, host, port)))


def _is_fingerprint(datagram: bytes, at: int, end: int) -> bool:
    """Whether the attribute there is the last one, and right."""
    right = zlib.crc32(datagram[:at]) ^ _FINGERPRINT_XOR
    return end == len(datagram) and datagram[at + 2 :] == b"\0\4" + right.to_bytes(4, "big")


def _mapped(binding: Binding, host: str, port: int) -> bytes:
    ip = ipaddress.ip_address(host.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    key = MAGIC.to_bytes(4, "big") + binding.transaction
    xored = bytes(a ^ b for a, b in zip(ip.packed, key, strict=False))
    return struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, port ^ MAGIC >> 16) + xored


def _attribute(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, binding: Binding, attributes: bytes) -> bytes:
    return struct.pack("!HHI", kind, len(attributes), MAGIC) + binding.transaction + attributes

"""What members tell each other of where they may be found: IP addresses and ports, for the dialer to try."""

from __future__ import annotations

from collections.abc import Sequence

import msgpack

from p2psync.core.address import host_and_port
from p2psync.errors import CodecError, TicketMalformed
from p2psync.net.addresses import parse_ip
from p2psync.net.dialer import Address
from p2psync.pair.ticket import canonical_address
from p2psync.wire.shapes import unpack_array

LETTER = "addresses"
ADDRESSES_MAX = 6
TEXT_BYTES_MAX = 64


def pack(own: Sequence[str], seen_as: tuple[str, int] | None, port: int) -> bytes:
    """`own`: HOST:PORT each; `seen_as`: where the meeting host sees this device; `port`: where this device listens.

    The router in between may pass that port on, or there is none.
    """
    several = list(own)
    if seen_as is not None and port:
        several.insert(0, host_and_port(seen_as[0], port))
    packed: bytes = msgpack.packb(list(dict.fromkeys(several))[:ADDRESSES_MAX])
    return packed


def unpack(body: bytes) -> tuple[Address, ...]:
    """Only what another device can mean: no names, nothing on this PC. Raises CodecError for what is no list."""
    try:
        texts = unpack_array(body, text_bytes_max=TEXT_BYTES_MAX, bytes_max=0, items_max=ADDRESSES_MAX)
    except ValueError as error:
        raise CodecError(f"addresses that {error}") from None
    found = (_address(text) for text in texts if isinstance(text, str))
    return tuple(address for address in found if address is not None)


def _address(text: str) -> Address | None:
    try:
        host, _, port = canonical_address(text).rpartition(":")
    except TicketMalformed:
        return None
    ip = parse_ip(host.strip("[]"))
    if ip is None or ip.is_loopback or ip.is_unspecified or ip.is_multicast or ip.is_link_local:
        return None
    return Address(str(ip), int(port))

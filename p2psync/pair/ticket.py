"""Tickets: one line that lets one device, once, meet the device that issued it and prove who sent it.

A ticket gives no rights: what its holder becomes is known to the issuing device alone. What it says of that, and the
names in it, are for its holder to read before he asks anybody; whoever makes a ticket can write there what he likes,
but for the inviter's key, of which the fingerprint is shown.
The line is `P2P1` and base32 without any separator, so that a double click
marks it whole and no mail program breaks it:

    mandate 16 | ticket id 8 | secret 16 | inviter 32 | expiry 4 | addresses | rendezvous | about | check 4

`about` is nothing, or role and right 1 | mandate's name | inviter's name, each name with its length before it. The
check covers the prefix too. It stays at the end in later versions, so that a newer ticket can be told from a mistyped
one.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import field
from datetime import UTC, datetime
from typing import NewType

from blake3 import blake3

from p2psync.core.address import host_and_port
from p2psync.core.ids import DEVICE_ID_BYTES, MANDATE_ID_BYTES, DeviceId, MandateId
from p2psync.core.rules import Role
from p2psync.core.statement import NOTE_REFUSED
from p2psync.core.value import value
from p2psync.errors import TicketExpired, TicketMalformed
from p2psync.pair import base32

TicketId = NewType("TicketId", bytes)

VERSION = 1
"""Of the ticket, and of the handshake that it begins."""
TICKET_ID_BYTES = 8
SECRET_BYTES = 16
ADDRESSES_MAX = 4
HOST_CHARACTERS_MAX = 80
RENDEZVOUS_CHARACTERS_MAX = 200
PIN_BYTES = 32
NAME_BYTES_MAX = 40
"""Of a name in UTF-8: a ticket is copied by hand at worst."""
EXPIRY_S_MAX = (1 << 32) - 1
TEXT_CHARACTERS_MAX = 8192
"""What `parse` looks at: a ticket file with its comment."""

_ROLES = (Role.ACCOUNTING, Role.INVOICING, Role.PAYROLL, Role.BANKING, Role.READER, Role.KEEPER)
"""A role's number is its place here, from 1 on: new ones come at the end."""
_ADMIN = 0x80
"""Set in the same byte if the holder may admit others."""
_MORE = "\u2026"
CHECK_BYTES = 4  # a mistyped ticket passes once in 4 billion times
PREFIX = re.compile("P2P([0-9A-Z])")
# What mail programs, word processors and people add: white space, zero-width characters, dashes of all kinds, quotes,
# the end of a sentence.
_NOISE = re.compile(
    "[\\s.,;\\-\\u00ad\\u2010-\\u2015\\u2212\\u200b-\\u200d\\u2060\\ufeff\"'`<>\\u2018-\\u201f\\u00ab\\u00bb]+"
)
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_URL = re.compile(r"[!-~]+")


@value
class Rendezvous:
    """Where inviter and joiner meet when neither reaches the other."""

    url: str
    """Printable ASCII."""
    pin: bytes | None
    """SHA-256 of the host's public key, 32 bytes; None where its certificate speaks for itself."""


@value
class About:
    """What a ticket says to people; the inviting device is not bound by it. Raises TicketMalformed for what cannot be
    shown."""

    mandate: str
    """Its name when the ticket was made, at most NAME_BYTES_MAX in UTF-8."""
    inviter: str
    """What the issuing device is called; the same."""
    role: Role
    """What its holder is to be."""
    admin: bool

    def __post_init__(self) -> None:
        for name in (self.mandate, self.inviter):
            if len(name.encode()) > NAME_BYTES_MAX or not NOTE_REFUSED.isdisjoint(name) or not name.strip():
                raise _damaged("an impossible name")


def about(mandate: str, inviter: str, role: Role, admin: bool) -> About:
    """With names that are cut where they are too long."""
    return About(_fitting(mandate), _fitting(inviter), role, admin)


@value
class Ticket:
    """An invitation as its holder has it. Raises TicketMalformed when a field is out of its range."""

    mandate: MandateId
    id: TicketId
    """8 random bytes."""
    secret: bytes = field(repr=False)
    """16 random bytes; never shown, logged, or sent."""
    inviter: DeviceId
    """The only device that honours it; the joiner speaks with no other."""
    expires_s: int
    """Seconds since 1970, by the inviter's clock."""
    addresses: tuple[str, ...] = ()
    """At most 4 `host:port`, IPv6 as `[::1]:port`, where the inviter may be reached."""
    rendezvous: Rendezvous | None = None
    about: About | None = None
    """None in tickets of former days, and where nobody reads it."""

    def __post_init__(self) -> None:
        sizes = [(self.mandate, MANDATE_ID_BYTES), (self.id, TICKET_ID_BYTES), (self.secret, SECRET_BYTES)]
        if any(len(raw) != size for raw, size in [*sizes, (self.inviter, DEVICE_ID_BYTES)]):
            raise _damaged("an id or a secret of the wrong length")
        if not 0 <= self.expires_s <= EXPIRY_S_MAX:
            raise _damaged("its expiry is out of range")
        if len(self.addresses) > ADDRESSES_MAX:
            raise _damaged(f"more than {ADDRESSES_MAX} addresses")
        object.__setattr__(self, "addresses", tuple(canonical_address(one) for one in self.addresses))
        if self.rendezvous is not None:
            _check_rendezvous(self.rendezvous)


def encode(ticket: Ticket) -> str:
    """The ticket as one line without a line end: 136 characters, 11 or 12 for each IPv4 address, and what it says of
    itself."""
    body = b"".join(
        [
            *(ticket.mandate, ticket.id, ticket.secret, ticket.inviter, ticket.expires_s.to_bytes(4, "big")),
            bytes([len(ticket.addresses)]),
            *(_pack_address(address) for address in ticket.addresses),
            _pack_rendezvous(ticket.rendezvous),
            _pack_about(ticket.about),
        ]
    )
    prefix = f"P2P{VERSION}"
    return prefix + base32.encode(body + _check(prefix, body))


def encode_file(ticket: Ticket, comment: str) -> str:
    """The text of a `.p2pticket` file: a comment for people, then the ticket."""
    return "".join(f"# {line}\n" for line in comment.splitlines()) + f"{encode(ticket)}\n"


def parse(text: str) -> Ticket:
    """The ticket in a text: a line however it was copied, or a whole `.p2pticket` file.

    Case, white space, dashes, quotes and full stops do not matter, nor O for 0 and I or L for 1. Raises
    TicketMalformed that says whether it is no ticket at all, has a typing error, or was made by a newer version.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise TicketMalformed("This is no ticket: it is far too long.")
    lines = (line for line in text.splitlines() if not line.lstrip("\ufeff \t").startswith("#"))
    compact = _NOISE.sub("", "".join(lines)).upper()
    version = PREFIX.match(compact)
    if version is None:
        raise TicketMalformed("This is no ticket: a ticket begins with P2P1. Copy it again, whole.")
    prefix = f"P2P{base32.VALUES.get(version[1], version[1])}"
    body = _verified_body(prefix, compact[len(version[0]) :])
    if prefix != f"P2P{VERSION}":
        raise _newer()
    return _unpack(body)


def check_expiry(ticket: Ticket, now_s: float) -> None:
    """Raises TicketExpired that tells since when. The inviter's clock decides; this spares the joiner the way there."""
    if now_s >= ticket.expires_s:
        when = datetime.fromtimestamp(ticket.expires_s, UTC)
        raise TicketExpired("This ticket expired on {when:%Y-%m-%d %H:%M} UTC. Ask for a new one.", when=when)


def meeting_secret(secret: bytes) -> bytes:
    """32 bytes that serve inviter and joiner as a mandate's discovery secret serves its members.

    What is seen of it in announcements and TLS says nothing about the ticket's secret.
    """
    return blake3(secret, derive_key_context="p2psync ticket 1 meeting").digest()


def canonical_address(text: str) -> str:
    """`host:port` in the form that a ticket carries. Raises TicketMalformed for anything else."""
    host, _, port = text.strip().lower().rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 1 << 16):
        raise TicketMalformed("{text!r} is no address. Write HOST:PORT.", text=text)
    literal = _literal(host)
    if literal is not None:
        return host_and_port(str(literal), int(port))
    if len(host) > HOST_CHARACTERS_MAX or not _HOST_NAME.fullmatch(host):
        raise TicketMalformed("{text!r} is no address. Write HOST:PORT.", text=text)
    return f"{host}:{int(port)}"


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a host is; an IPv6 zone is refused, for it means nothing on another PC."""
    try:
        if host.startswith("[") and host.endswith("]") and "%" not in host:
            return ipaddress.IPv6Address(host[1:-1])
        return ipaddress.IPv4Address(host)
    except ValueError:
        return None


def _pack_address(address: str) -> bytes:
    """Length and host, then the port; a length of 0 or 1 stands for an IPv4 or IPv6 address."""
    host, _, port = address.rpartition(":")
    literal = _literal(host)
    if literal is not None:
        packed = bytes([0 if literal.version == 4 else 1]) + literal.packed
    else:
        packed = bytes([len(host) + 1]) + host.encode("ascii")
    return packed + int(port).to_bytes(2, "big")


def _pack_rendezvous(rendezvous: Rendezvous | None) -> bytes:
    if rendezvous is None:
        return b"\0"
    pin = rendezvous.pin or b""
    return bytes([len(rendezvous.url)]) + rendezvous.url.encode("ascii") + bytes([len(pin)]) + pin


def _pack_about(said: About | None) -> bytes:
    if said is None:
        return b""
    names = (name.encode() for name in (said.mandate, said.inviter))
    role = _ROLES.index(said.role) + 1 | (_ADMIN if said.admin else 0)
    return bytes([role]) + b"".join(bytes([len(name)]) + name for name in names)


def _fitting(name: str) -> str:
    """A name without what cannot be shown, and cut with a sign where it is too long."""
    plain = "".join(c for c in name if c not in NOTE_REFUSED).strip() or _MORE
    if len(plain.encode()) <= NAME_BYTES_MAX:
        return plain
    return plain.encode()[: NAME_BYTES_MAX - len(_MORE.encode())].decode(errors="ignore").rstrip() + _MORE


def _check_rendezvous(rendezvous: Rendezvous) -> None:
    if not _URL.fullmatch(rendezvous.url) or len(rendezvous.url) > RENDEZVOUS_CHARACTERS_MAX:
        raise _damaged("an impossible rendezvous address")
    if rendezvous.pin is not None and len(rendezvous.pin) != PIN_BYTES:
        raise _damaged("its rendezvous pin has the wrong length")


class _Reader:
    """Takes a ticket's body apart. Raises TicketMalformed when it ends too early."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def take(self, count: int) -> bytes:
        if len(self._body) < count:
            raise _damaged("it ends too early")
        taken, self._body = self._body[:count], self._body[count:]
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def text(self, count: int) -> str:
        try:
            return self.take(count).decode("ascii")
        except UnicodeDecodeError:
            raise _damaged("an impossible address") from None

    def name(self) -> str:
        try:
            return self.take(self.number(1)).decode()
        except UnicodeDecodeError:
            raise _damaged("an impossible name") from None

    @property
    def is_at_end(self) -> bool:
        return not self._body

    def end(self) -> None:
        if self._body:
            raise _damaged("something stands after its end")


def _unpack(body: bytes) -> Ticket:
    reader = _Reader(body)
    mandate, ticket_id = MandateId(reader.take(MANDATE_ID_BYTES)), TicketId(reader.take(TICKET_ID_BYTES))
    secret, inviter = reader.take(SECRET_BYTES), DeviceId(reader.take(DEVICE_ID_BYTES))
    expires_s = reader.number(4)
    addresses = tuple(_unpack_address(reader) for _ in range(reader.number(1)))
    rendezvous = _unpack_rendezvous(reader)
    said = None if reader.is_at_end else _unpack_about(reader)
    reader.end()
    return Ticket(mandate, ticket_id, secret, inviter, expires_s, addresses, rendezvous, said)


def _unpack_address(reader: _Reader) -> str:
    kind = reader.number(1)
    if kind == 0:
        host = str(ipaddress.IPv4Address(reader.take(4)))
    elif kind == 1:
        host = f"[{ipaddress.IPv6Address(reader.take(16))}]"
    else:
        host = reader.text(kind - 1)
    return f"{host}:{reader.number(2)}"


def _unpack_rendezvous(reader: _Reader) -> Rendezvous | None:
    length = reader.number(1)
    if length == 0:
        return None
    return Rendezvous(reader.text(length), reader.take(reader.number(1)) or None)


def _unpack_about(reader: _Reader) -> About:
    code = reader.number(1)
    number = code & ~_ADMIN
    if not 0 < number <= len(_ROLES):
        raise _newer()
    return About(reader.name(), reader.name(), _ROLES[number - 1], bool(code & _ADMIN))


def _verified_body(prefix: str, characters: str) -> bytes:
    raw = base32.decode(characters)
    if raw is not None and len(raw) > CHECK_BYTES:
        body, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
        if check == _check(prefix, body):
            return body
    raise TicketMalformed("This ticket was copied incompletely or with a typing error. Copy it again, whole.")


def _check(prefix: str, body: bytes) -> bytes:
    return blake3(b"p2psync ticket\0" + prefix.encode() + body).digest()[:CHECK_BYTES]


def _newer() -> TicketMalformed:
    return TicketMalformed("This ticket was made by a newer version of p2psync. Update p2psync on this PC.")


def _damaged(detail: str) -> TicketMalformed:
    """Its check is right, so it was made so: nobody mistyped it."""
    return TicketMalformed("This ticket is damaged ({detail}). Ask for a new one.", detail=detail)

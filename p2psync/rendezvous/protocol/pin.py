"""The public key in a certificate, found without understanding the rest: what a member pins of a meeting host.

A certificate is DER (X.690): nested pieces of one tag, one length and a content. Only lengths in their one right form
are read, so there are no two ways to take the same bytes apart. `cryptography.x509` could do it too, and would cost
every daemon 18 MB.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from p2psync.errors import CodecError

CERTIFICATE_BYTES_MAX: Final = 64 * 1024

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_VERSION: Final = 0xA0
_BEFORE_KEY: Final = (_VERSION, _INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE)
"""Version, serial number, algorithm, issuer, validity, subject: what stands in front of the key (RFC 5280, 4.1)."""


def pin_of(certificate: bytes) -> bytes:
    """SHA-256 of the public key (SubjectPublicKeyInfo) in a DER certificate. Raises CodecError for anything else."""
    return sha256(public_key_of(certificate)).digest()


def public_key_of(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo, DER. Raises CodecError for anything but a certificate of version 3."""
    if len(certificate) > CERTIFICATE_BYTES_MAX:
        raise CodecError("a certificate that is too long")
    whole, end = _content(certificate, 0, len(certificate), _SEQUENCE)
    if end != len(certificate):
        raise CodecError("something stands after the certificate")
    at, end = _content(certificate, whole, end, _SEQUENCE)
    for tag in _BEFORE_KEY:
        _, at = _content(certificate, at, end, tag)
    _, after = _content(certificate, at, end, _SEQUENCE)
    return certificate[at:after]


def _content(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of the piece at `at` begins, and where it ends."""
    if end - at < 2 or data[at] != tag:
        raise CodecError("not a certificate")
    length, begin = data[at + 1], at + 2
    if length >= 0x80:
        count = length - 0x80
        digits = data[begin : min(begin + count, end)]
        length, begin = int.from_bytes(digits, "big"), begin + count
        if not 1 <= count <= 3 or len(digits) != count or digits[0] == 0 or length < 0x80:
            raise CodecError("not a certificate")
    if begin + length > end:
        raise CodecError("a certificate that ends too early")
    return begin, begin + length

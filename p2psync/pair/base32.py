"""Crockford's base32: bytes as characters that people can copy, without I, L, O and U."""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
VALUES = {c: value for value, c in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
"""What each character means, those among them that people mistake for another."""


def encode(raw: bytes) -> str:
    """8 characters for every 5 bytes begun; no padding."""
    count = -(-len(raw) * 8 // 5)
    number = int.from_bytes(raw, "big") << (count * 5 - len(raw) * 8)
    return "".join(ALPHABET[number >> 5 * at & 31] for at in reversed(range(count)))


def decode(characters: str) -> bytes | None:
    """The bytes of upper-case characters; None unless `encode` could have made them, up to O for 0 and I or L for 1."""
    if any(c not in VALUES for c in characters):
        return None
    number = 0
    for c in characters:
        number = number << 5 | VALUES[c]
    size, spare = divmod(len(characters) * 5, 8)
    if spare >= 5 or number & ((1 << spare) - 1):
        return None
    return (number >> spare).to_bytes(size, "big")

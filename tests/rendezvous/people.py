"""Members with keys, for the tests of signalling."""

from __future__ import annotations

from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2psync.core.ids import DeviceId

ROOM = b"m" * 16
SECRET = b"s" * 32
NOW_S = 1_750_000_000.0
"""Some moment of the wall clock: 15:06 in UTC."""


class Person:
    """A device's key, always the same for the same number."""

    def __init__(self, number: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(Random(number).randbytes(32))
        self.device = DeviceId(self._key.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


ALICE, BOB, CAROL, MALLORY = (Person(number) for number in range(4))
EVERYBODY = frozenset({ALICE.device, BOB.device, CAROL.device})

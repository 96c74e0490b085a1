"""Short fingerprints that people compare on two screens, or read to each other on the telephone.

It has 80 bits: to make a key that shows the same one as a given device takes about 2**80 attempts.
"""

from __future__ import annotations

from blake3 import blake3

from p2psync.core.ids import DeviceId
from p2psync.pair import base32

GROUP_CHARACTERS = 4
DEVICE_BYTES = 10


def device_fingerprint(device: DeviceId) -> str:
    """Like `7K2M-4QDX-0R9B-ZT3H`."""
    return _grouped(blake3(b"p2psync device fingerprint\0" + device).digest()[:DEVICE_BYTES])


def _grouped(raw: bytes) -> str:
    text = base32.encode(raw)
    return "-".join(text[at : at + GROUP_CHARACTERS] for at in range(0, len(text), GROUP_CHARACTERS))

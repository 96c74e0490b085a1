"""Short fingerprints that people compare on two screens, or read to each other on the telephone.

A device's fingerprint has 80 bits: to make a key that shows the same one as a given device takes about 2**80
attempts. The fingerprint of a pair has 120 bits, since an attacker in the middle may choose both keys that he shows
and needs only some two that agree: about 2**60 attempts, all of them before the two people look.
"""

from __future__ import annotations

from blake3 import blake3

from p2psync.core.ids import DeviceId
from p2psync.pair import base32

GROUP_CHARACTERS = 4
DEVICE_BYTES = 10
PAIR_BYTES = 15


def device_fingerprint(device: DeviceId) -> str:
    """Like `7K2M-4QDX-0R9B-ZT3H`."""
    return _grouped(blake3(b"p2psync device fingerprint\0" + device).digest()[:DEVICE_BYTES])


def pair_fingerprint(one: DeviceId, other: DeviceId) -> str:
    """Six groups that are the same on both screens, whichever device is named first."""
    both = min(one, other) + max(one, other)
    return _grouped(blake3(b"p2psync pair fingerprint\0" + both).digest()[:PAIR_BYTES])


def _grouped(raw: bytes) -> str:
    text = base32.encode(raw)
    return "-".join(text[at : at + GROUP_CHARACTERS] for at in range(0, len(text), GROUP_CHARACTERS))

"""Blinded topics: under which name the holders of a secret meet at a host today.

A topic is an HMAC under the secret over the number of a day: a host cannot tell whose it is, nor that today's and next
month's belong together. Everybody is in two topics, of the days that it was 12 hours ago and will be in 12 hours: so
two PCs always share one as long as their clocks differ by less than a day.
"""

from __future__ import annotations

import hmac
from typing import Final

TOPIC_BYTES: Final = 32
DAY_S: Final = 86_400
CLOCKS_DIFFER_MAX_S: Final = DAY_S
"""From here on two PCs may not meet."""

_TOPIC: Final = b"p2psync rendezvous topic\0"
_SEAL: Final = b"p2psync rendezvous seal\0"


def topics_at(secret: bytes, wall_time_s: float) -> tuple[bytes, bytes]:
    """The two topics of a secret; the one that stays longer comes first. `wall_time_s`: seconds since 1970."""
    day = day_at(wall_time_s)
    return _topic(secret, day + 1), _topic(secret, day)


def day_at(wall_time_s: float) -> int:
    """Changes whenever `topics_at` does."""
    return int((wall_time_s - DAY_S / 2) // DAY_S)


def sealing_key(secret: bytes, topic: bytes) -> bytes:
    """32 bytes that seal what is said in a topic; a key for each day, so that random nonces do not run out."""
    return hmac.digest(secret, _SEAL + topic, "sha256")


def _topic(secret: bytes, day: int) -> bytes:
    return hmac.digest(secret, _TOPIC + day.to_bytes(8, "big", signed=True), "sha256")

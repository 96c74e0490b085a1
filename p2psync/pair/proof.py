"""What is proved in pairing: one statement that names all that matters, under the ticket's secret and by a device key.

Each use of the statement begins with a purpose of its own, so that no proof can be shown in another's place.
"""

from __future__ import annotations

import hmac
from dataclasses import field

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import value
from p2psync.pair.messages import JoinRequest

JOINER = b"p2psync pairing 1 joiner\0"
DEVICE_KEY = b"p2psync pairing 1 device key\0"
INVITER = b"p2psync pairing 1 inviter\0"


@value
class Statement:
    """Who joins what, invited by whom, in this one conversation."""

    mandate: MandateId
    secret: bytes = field(repr=False)
    """Of the ticket."""
    inviter: DeviceId
    request: JoinRequest
    challenge: bytes
    """The inviter's nonce."""

    def joiner_mac(self) -> bytes:
        """Shows that the joiner knows the secret."""
        return hmac.digest(self.secret, JOINER + self._bytes(), "sha256")

    def to_sign(self) -> bytes:
        """What the joiner signs, to show that the device is its own."""
        return DEVICE_KEY + self._bytes()

    def inviter_mac(self, payload: bytes) -> bytes:
        """Shows that the inviter knows the secret, and that the payload is its answer to this joiner."""
        return hmac.digest(self.secret, INVITER + self._bytes() + payload, "sha256")

    def _bytes(self) -> bytes:
        """Fields of fixed length first; the others say theirs."""
        request = self.request
        fixed = self.mandate + request.ticket + self.inviter + request.device + request.nonce + self.challenge
        texts = (request.certificate, request.name.encode())
        return fixed + b"".join(len(text).to_bytes(4, "big") + text for text in texts)

"""The mandate's numbered discovery secrets: the newest announces, older ones are recognised.

A revocation brings a new secret. It travels only inside links; the log holds its digest. An older one is
forgotten when every remaining member has shown that it knows the newest, so that nobody who was offline is
lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from blake3 import blake3

from p2psync.core.ids import DeviceId
from p2psync.core.statement import SetSecret
from p2psync.engine.state import MandateState

SECRET_BYTES = 32


class Secrets:
    def __init__(self, state: MandateState):
        self._state = state
        stored: Any = state.get("secrets") or []
        self._known: dict[int, bytes] = {number: secret for number, secret in stored}
        acknowledged: Any = state.get("secret_known_by") or {}
        self._known_by: dict[bytes, int] = dict(acknowledged)

    @property
    def newest(self) -> tuple[int, bytes] | None:
        return max(self._known.items()) if self._known else None

    @property
    def recognised(self) -> tuple[bytes, ...]:
        """Newest first."""
        return tuple(secret for _, secret in sorted(self._known.items(), reverse=True))

    def all(self) -> list[tuple[int, bytes]]:
        return sorted(self._known.items())

    def make_next(self, rng: Random, above: int = 0) -> SetSecret:
        """A new secret, newer than all that are known and than number `above`, of which the log may know more."""
        number = max(above, self.newest[0] if self.newest else 0) + 1
        secret = rng.randbytes(SECRET_BYTES)
        self.add(number, secret)
        return SetSecret(number, blake3(secret).digest())

    def add(self, number: int, secret: bytes) -> bool:
        """Returns whether it is news."""
        if self._known.get(number) == secret:
            return False
        self._known[number] = secret
        self._save()
        return True

    def shown_by(self, device: DeviceId, number: int, members: Iterable[DeviceId]) -> None:
        """A member proved to know this one; older ones go when every member has proved a newer."""
        if self._known_by.get(device, 0) >= number:
            return
        self._known_by[device] = number
        oldest = min((self._known_by.get(m, 0) for m in members), default=0)
        newest = self.newest
        self._known = {n: s for n, s in self._known.items() if n >= oldest or (newest and n == newest[0])}
        self._save()

    def _save(self) -> None:
        self._state.put("secrets", [[n, s] for n, s in sorted(self._known.items())])
        self._state.put("secret_known_by", self._known_by)

"""The mandate's numbered discovery secrets: the newest announces, older ones are recognised.

A revocation brings a new secret. It travels only inside links; the log holds its digest. An older one is recognised
until every remaining member has shown that it knows the newest, so that nobody who was offline is lost. After that it
opens no door any more: it only serves to find who was removed and does not know that yet.
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
OUTDATED_MAX = 8


class Secrets:
    def __init__(self, state: MandateState):
        self._state = state
        stored: Any = state.get("secrets") or []
        self._known: dict[int, bytes] = {number: secret for number, secret in stored}
        outdated: Any = state.get("outdated_secrets") or []
        self._outdated: dict[int, bytes] = {number: secret for number, secret in outdated}
        acknowledged: Any = state.get("secret_known_by") or {}
        self._known_by: dict[bytes, int] = dict(acknowledged)

    @property
    def newest(self) -> tuple[int, bytes] | None:
        return max(self._known.items()) if self._known else None

    @property
    def recognised(self) -> tuple[bytes, ...]:
        """Newest first."""
        return tuple(secret for _, secret in sorted(self._known.items(), reverse=True))

    @property
    def outdated(self) -> tuple[bytes, ...]:
        """Newest first: those that members know no longer, but perhaps somebody who was removed."""
        return tuple(secret for _, secret in sorted(self._outdated.items(), reverse=True))

    def forget_outdated(self) -> None:
        """Nobody is left who would have to be found by them."""
        if self._outdated:
            self._outdated = {}
            self._save()

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
        known = {n: s for n, s in self._known.items() if n >= oldest or (newest and n == newest[0])}
        outdated = self._outdated | {n: s for n, s in self._known.items() if n not in known}
        self._known, self._outdated = known, dict(sorted(outdated.items())[-OUTDATED_MAX:])
        self._save()

    def _save(self) -> None:
        self._state.put("secrets", [[n, s] for n, s in sorted(self._known.items())])
        self._state.put("outdated_secrets", [[n, s] for n, s in sorted(self._outdated.items())])
        self._state.put("secret_known_by", self._known_by)

"""Telling a device that it belongs no more, and why: the part of the log that says so, and nothing newer.

Who was removed is refused by everybody. Without a word it would try again and again, and its user would look for
a fault of the network. So whoever knows of the removal tells it on the first link that there is: the authority blocks
up to the one that removed it, which it can verify. It answers by what it has, and then it is not told again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from p2psync.core.clock import Tip
from p2psync.core.ids import DeviceId, MandateId
from p2psync.engine.effects import Send
from p2psync.engine.ledger import Ledger
from p2psync.engine.peer import UPDATE_BYTES_MAX
from p2psync.engine.scope import Scope
from p2psync.engine.state import MandateState
from p2psync.wire.messages import BLOCKS_MAX, Have, IndexUpdate


class Farewells:
    """Of one mandate."""

    def __init__(self, mandate: MandateId, state: MandateState, ledger: Ledger, scope: Scope):
        self._mandate = mandate
        self._state = state
        self._ledger = ledger
        self._scope = scope
        stored: Any = state.get("told") or []
        self._told = {DeviceId(device) for device in stored}

    @property
    def untold(self) -> set[DeviceId]:
        """Who was removed by others and has not shown yet that it knows."""
        authority = self._ledger.authority
        return authority.former.keys() - authority.left - self._told

    def tell(self, link: int, device: DeviceId) -> None:
        """Say goodbye to a former member on a link to it."""
        removal = self._ledger.constitution.removal_of(device)
        if removal is not None:
            for batch in _batches(self._ledger.raw_blocks(removal.blocks)):
                self._scope.emit(Send(link, IndexUpdate(self._mandate, batch)))

    def answered(self, device: DeviceId, have: Have) -> bool:
        """A device that is no member says what it has; whether it knows by now that it was removed."""
        removal = self._ledger.constitution.removal_of(device)
        row = self._state.block(removal.blocks[-1]) if removal is not None else None
        if row is None or not self._ledger.covered(have.tips, row.log, Tip(row.seq, row.hash)):
            return False
        self._told.add(device)
        self._save()
        return True

    def forget_members(self) -> None:
        """Who is a member again may have to be told another time."""
        if not self._told <= self._ledger.authority.former.keys():
            self._told &= self._ledger.authority.former.keys()
            self._save()

    def _save(self) -> None:
        self._state.put("told", sorted(self._told))


def _batches(blocks: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """What fits an IndexUpdate each, in order."""
    batch: list[bytes] = []
    for raw in blocks:
        if batch and (len(batch) == BLOCKS_MAX or sum(map(len, batch)) + len(raw) > UPDATE_BYTES_MAX):
            yield tuple(batch)
            batch = []
        batch.append(raw)
    if batch:
        yield tuple(batch)

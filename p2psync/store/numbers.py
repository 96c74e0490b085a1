"""The numbers by which rows name blocks and logs: the hashes stand once, in the tables of those."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from p2psync.core.ids import BlockHash, ChangeId
from p2psync.store.memo import Memo

INDEX_BITS = 16
INDEX_MASK = (1 << INDEX_BITS) - 1
NUMBERS = "SELECT number, log FROM block WHERE mandate = ? AND hash = ?"

BlockNumbers = Mapping[BlockHash, tuple[int, int]]
"""The numbers of blocks and of their logs."""


class Numbers:
    """Of one mandate. A block keeps its number, so whoever reads committed rows may remember them, too."""

    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate
        self._memo: Memo[BlockHash, tuple[int, int]] = Memo()

    def of(self, blocks: Iterable[BlockHash]) -> BlockNumbers:
        """Blocks that are not here are left out."""
        found: dict[BlockHash, tuple[int, int]] = {}
        fresh: dict[BlockHash, tuple[int, int]] = {}
        for block in blocks:
            if block in self._memo:
                found[block] = self._memo[block]
            elif numbers := self._connection.execute(NUMBERS, (self._mandate, block)).fetchone():
                found[block] = fresh[block] = numbers
        self._memo.put(fresh)
        return found

    def note(self, block: BlockHash, number: int, log: int) -> None:
        """This block was added."""
        self._memo.put({block: (number, log)})

    def forget(self) -> None:
        """A transaction was undone: numbers may stand for other blocks now."""
        self._memo.forget()


def change_number(change: ChangeId, blocks: BlockNumbers) -> int:
    """Raises KeyError if its block is not among those given."""
    block, index = change
    return blocks[block][0] << INDEX_BITS | index

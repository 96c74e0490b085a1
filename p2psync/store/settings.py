"""Small values that belong to a mandate, by their names."""

from __future__ import annotations

import sqlite3

from p2psync.store.memo import Memo
from p2psync.store.packing import pack_value, unpack_value


class SettingRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate
        self._memo: Memo[str, bytes | None] = Memo()

    def forget(self) -> None:
        """A transaction was undone: what it wrote was remembered too."""
        self._memo.forget()

    def get(self, name: str) -> object:
        """None for what was never put."""
        if name not in self._memo:
            found = self._connection.execute(
                "SELECT value FROM setting WHERE mandate = ? AND name = ?", (self._mandate, name)
            ).fetchone()
            self._memo.put({name: found[0] if found else None})
        packed = self._memo[name]
        return None if packed is None else unpack_value(packed)

    def put(self, name: str, value: object) -> None:
        packed = pack_value(value)
        if name in self._memo and self._memo[name] == packed:
            return
        self._connection.execute(
            "INSERT OR REPLACE INTO setting (mandate, name, value) VALUES (?, ?, ?)", (self._mandate, name, packed)
        )
        self._memo.put({name: packed})

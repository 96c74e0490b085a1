"""What needs attention, one row per path and code."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from p2psync.core.problem import Code, Problem
from p2psync.store.packing import any_text, text_of

PROBLEMS_MAX = 10_000
"""How many are shown; all are kept."""


class ProblemRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate
        self._none = False
        """It is known that there are none."""

    def forget(self) -> None:
        """A transaction was undone: what it removed is there again."""
        self._none = False

    def put(self, problems: Iterable[Problem]) -> None:
        self._none = False
        self._connection.executemany(
            "INSERT OR REPLACE INTO problem (mandate, path, code, detail) VALUES (?, ?, ?, ?)",
            [(self._mandate, any_text(p.path), p.code, any_text(p.detail)) for p in problems],
        )

    def clear(self, paths: Iterable[str], codes: Iterable[str] | None) -> None:
        """Cheap where there are none, which is nearly always."""
        if not self._are_any():
            return
        if codes is None:
            sql = "DELETE FROM problem WHERE mandate = ? AND path = ?"
            self._connection.executemany(sql, [(self._mandate, any_text(path)) for path in paths])
        else:
            sql = "DELETE FROM problem WHERE mandate = ? AND path = ? AND code = ?"
            some = list(codes)
            self._connection.executemany(
                sql, [(self._mandate, any_text(path), code) for path in paths for code in some]
            )

    def _are_any(self) -> bool:
        if not self._none:
            found = self._connection.execute("SELECT 1 FROM problem WHERE mandate = ? LIMIT 1", (self._mandate,))
            self._none = found.fetchone() is None
        return not self._none

    def all(self) -> Sequence[Problem]:
        found = self._connection.execute(
            "SELECT path, code, detail FROM problem WHERE mandate = ? ORDER BY path, code LIMIT ?",
            (self._mandate, PROBLEMS_MAX),
        )
        return [Problem(text_of(path), Code(code), text_of(detail)) for path, code, detail in found]

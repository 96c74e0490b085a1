"""Many rows with few steps of a statement.

Each step gives up the interpreter's lock and asks for it again. While other threads work, rows that are written one by
one take up to forty times as long as together, and four times the processor's time.

A statement that may fail halfway first copies each page that it changes, to undo them alone; many rows in random order
change many pages, and more than sixteen of them go to a file. What says INSERT OR FAIL copies none. It leaves behind
what it wrote, but here every failure undoes the whole transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

TOGETHER = 32
"""Rows of one step: with more of them, binding takes longer than is saved."""


def execute_many(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Execute a statement for all rows, which are of one width: it selects from `{rows}`, a table of `column1`, ..."""
    whole = len(rows) - len(rows) % TOGETHER
    for start in range(0, whole, TOGETHER):
        values = tuple(chain.from_iterable(rows[start : start + TOGETHER]))
        connection.execute(_spelled(statement, TOGETHER, len(rows[0])), values)
    if whole < len(rows):
        connection.executemany(_spelled(statement, 1, len(rows[0])), rows[whole:])


@cache
def _spelled(statement: str, rows: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.replace("{rows}", f"(VALUES {', '.join([row] * rows)}) AS given")

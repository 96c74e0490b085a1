"""The numbered SQL files under ``sql/``, applied one by one; the database remembers the number of the last."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from p2psync.errors import SchemaTooNew


@cache
def steps() -> Mapping[int, str]:
    """Every step's SQL by its number, from 1 without a gap."""
    found = {
        int(file.name.partition("_")[0]): file.read_text("utf-8")
        for file in Path(__file__).with_name("sql").iterdir()
        if file.name.endswith(".sql")
    }
    assert sorted(found) == list(range(1, len(found) + 1)), "the numbers of the SQL files have a gap"
    return found


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the steps that are missing, each in a transaction of its own. Raises SchemaTooNew."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps()):
        raise SchemaTooNew(
            "The database was written by a newer p2psync (schema {version}). Update p2psync on this PC.",
            version=version,
        )
    for number in range(version + 1, len(steps()) + 1):
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {steps()[number]} PRAGMA user_version = {number}; COMMIT;")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

"""The programs' own files that are linked to mandates, written together with what was announced of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from p2psync.core.ids import ContentId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.engine.bridge import Attachment, Delivery, Mode, Stage
from p2psync.store.database import Database
from p2psync.store.packing import any_text, pack_ids, pack_value, text_of, unpack_ids, unpack_value

COLUMNS = "mandate, path, file, mode, role, agreed, heads, mtime_ns, published_ms, delivered_ms, delivery"


class Attachments:
    """To be used inside of `Database.transaction`, by the thread that is in it."""

    def __init__(self, database: Database):
        self._connection = database.connection

    def all(self) -> Sequence[Attachment]:
        """Of all mandates, sorted by mandate and path."""
        return [_row(row) for row in self._connection.execute(f"SELECT {COLUMNS} FROM attachment ORDER BY 1, 2")]

    def get(self, mandate: MandateId, path: RelPath) -> Attachment | None:
        found = self._connection.execute(
            f"SELECT {COLUMNS} FROM attachment WHERE mandate = ? AND path = ?", (mandate, path)
        ).fetchone()
        return _row(found) if found else None

    def of_file(self, file: str) -> Attachment | None:
        """What a program's file is linked to, by its absolute path."""
        found = self._connection.execute(
            f"SELECT {COLUMNS} FROM attachment WHERE file = ?", (any_text(file),)
        ).fetchone()
        return _row(found) if found else None

    def put(self, one: Attachment) -> None:
        """Add it, or take it in the place of the one of that path."""
        columns = (one.mandate, one.path, any_text(one.file), one.mode.value, one.role)
        agreed = (one.agreed, pack_ids(one.heads), one.mtime_ns, one.published_ms, one.delivered_ms)
        delivery = _packed(one.delivery) if one.delivery is not None else None
        self._connection.execute(
            f"INSERT OR REPLACE INTO attachment ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*columns, *agreed, delivery),
        )
        self._connection.execute("DELETE FROM declined WHERE file = ?", (any_text(one.file),))

    def drop(self, mandate: MandateId, path: RelPath) -> None:
        """Forget one; its file does not join by itself any more."""
        dropped = self.get(mandate, path)
        self._connection.execute("DELETE FROM attachment WHERE mandate = ? AND path = ?", (mandate, path))
        if dropped is not None:
            self._connection.execute("INSERT OR IGNORE INTO declined VALUES (?)", (any_text(dropped.file),))

    def declined(self) -> Sequence[str]:
        """Files that a person detached, and did not attach again since."""
        return [text_of(file) for (file,) in self._connection.execute("SELECT file FROM declined ORDER BY file")]


def _row(row: Sequence[Any]) -> Attachment:
    mandate, path, file, mode, role, agreed, heads, mtime_ns, published_ms, delivered_ms, delivery = row
    return Attachment(
        *(MandateId(mandate), RelPath(path), text_of(file), Mode(mode), role),
        *(ContentId(agreed) if agreed is not None else None, unpack_ids(heads), mtime_ns, published_ms, delivered_ms),
        _unpacked(delivery) if delivery is not None else None,
    )


def _packed(one: Delivery) -> bytes:
    return pack_value(
        [one.stage.value, any_text(one.part), one.content, pack_ids(one.heads), one.before, pack_ids(one.stood)]
    )


def _unpacked(packed: bytes) -> Delivery:
    stage, part, content, heads, before, stood = unpack_value(packed)
    known = ContentId(before) if before is not None else None
    return Delivery(Stage(stage), text_of(part), ContentId(content), unpack_ids(heads), known, unpack_ids(stood))

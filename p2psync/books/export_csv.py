"""The master export as CSV: a head of field names, then a record in each line, of any kind, in any order.

The column "record" says what a line is ("account", "payment-term"), "number" and "name.fr" are as in the XML. A field
that its kind does not have stays empty. Semicolon, comma or tab, whichever the head has most of, stands between them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from p2psync.books.export import EXPORT_BYTES_MAX, RECORDS_MAX, Builder, Export, RecordKind, is_field
from p2psync.books.finding import Collector, Trouble, shown
from p2psync.books.text import decoded
from p2psync.errors import CodecError

SEPARATORS = ";,\t"
COLUMNS_MAX = 100
RECORD = "record"
NUMBER = "number"


def read_csv_export(data: bytes) -> Export:
    """Take a CSV export apart. Raises CodecError if it is none."""
    rows = _rows(decoded(data, EXPORT_BYTES_MAX))
    _, head = next(rows, (1, []))
    columns = [name.strip().lower() for name in head]
    _check_columns(columns)
    collector = Collector()
    builder = Builder(collector)
    for count, (line, cells) in enumerate(rows):
        if count == RECORDS_MAX:
            raise CodecError("A master export has at most {limit} records; this one has more.", limit=RECORDS_MAX)
        _read_row(line, columns, cells, builder, collector)
    return builder.export()


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with the line that each begins in."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    separator = max(SEPARATORS, key=lines[0].count)
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True)
    begin = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise CodecError("Line {line}: this is no whole CSV: {reason}.", line=begin, reason=str(error)) from None


def _check_columns(columns: list[str]) -> None:
    if RECORD not in columns or NUMBER not in columns:
        raise CodecError("Line 1: it must name the columns record and number.")
    if len(columns) > COLUMNS_MAX:
        raise CodecError("Line 1: there are more than {limit} columns.", limit=COLUMNS_MAX)
    for name in columns:
        if columns.count(name) > 1:
            raise CodecError("Line 1: there are two columns {name!r}.", name=shown(name))
        if name not in (RECORD, NUMBER) and not any(is_field(kind, name) for kind in RecordKind):
            raise CodecError("Line 1: the column {name!r} is not known.", name=shown(name))


def _read_row(line: int, columns: list[str], cells: list[str], builder: Builder, collector: Collector) -> None:
    if len(cells) > len(columns):
        collector.add(line, Trouble.LINE_NOT_UNDERSTOOD, text=cells[len(columns)])
        return
    raw = dict(zip(columns, cells, strict=False))
    name = raw.pop(RECORD, "").strip().lower()
    if name not in list(RecordKind):
        collector.add(line, Trouble.RECORD_UNKNOWN, text=name or "?")
        return
    kind = RecordKind(name)
    builder.add(kind, {key: text for key, text in raw.items() if text.strip() or is_field(kind, key)}, line)

"""Measure reading, comparing and checking big bookkeeping files: `python -m benchmarks.books`; no network, no root."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date
from random import Random

from p2psync.books.crp import read_chart
from p2psync.books.entries import read_entries
from p2psync.books.export_xml import read_xml_export
from p2psync.books.master import MasterData, imported, merged
from p2psync.books.pending import pending, side_of
from p2psync.books.synthetic import chart, edited_entries, entries
from p2psync.books.synthetic_master import master_records, master_xml
from p2psync.books.validation import books_of_chart, validate
from p2psync.core.ids import device_id
from p2psync.core.period import Period

LINES = 50_000
RUNS = 5
YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))
_DEVICE = device_id(bytes(32))


def main() -> int:
    posted = entries("ECF", LINES, Random(1))
    edited = edited_entries(posted, Random(2), new=300, changed=200, removed=100)
    other = entries("ECF", LINES, Random(3))
    crp = chart(2025, 5700, Random(1))
    export = master_xml(master_records(5000, Random(1)))
    read, books = read_entries(posted), books_of_chart(read_chart(crp))
    records = read_xml_export(export).records
    assert books is not None
    data = imported(MasterData(), records, _DEVICE)
    measures: list[tuple[str, Callable[[], object]]] = [
        (f"read {LINES:,} lines of bookings", lambda: read_entries(posted)),
        ("read a chart of 5,700 accounts", lambda: read_chart(crp)),
        ("compare, 600 lines differ (both read)", _comparison(posted, edited)),
        ("compare, every line differs (both read)", _comparison(posted, other)),
        ("read both and compare, 600 lines differ", lambda: pending(side_of(posted), side_of(edited), [YEAR])),
        (f"check {LINES:,} lines against the chart", lambda: validate(read, [books], YEAR)),
        ("read an XML export of 6,500 records", lambda: read_xml_export(export)),
        ("merge 6,500 records", lambda: merged(data, data)),
    ]
    for name, measure in measures:
        print(f"{name:<45} {min(_taken(measure) for _ in range(RUNS)) * 1000:6.0f} ms")
    return 0


def _comparison(posted: bytes, current: bytes) -> Callable[[], object]:
    before, after = side_of(posted), side_of(current)
    return lambda: pending(before, after, [YEAR])


def _taken(measure: Callable[[], object]) -> float:
    begin = time.perf_counter()
    measure()
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())

"""What master data of another accounting program allow to post."""

from __future__ import annotations

from datetime import date

from p2psync.books.export import Record, RecordKind
from p2psync.books.master_view import books_of_master
from p2psync.books.validation import ALWAYS, Books, Span

FULL_CENTRE = {"name.fr": "Atelier", "postable-from": "2025-01-01", "postable-to": "2025-12-31", "blocked": "true"}


def test_they_say_what_can_be_posted() -> None:
    records = [
        Record(RecordKind.ACCOUNT, "1", {}),
        Record(RecordKind.ACCOUNT, "2", {"blocked": "true"}),
        Record(RecordKind.ACCOUNT, "3", {"deleted-by-master": "true"}),
        Record(RecordKind.ACCOUNT, "4", {"blocked-from": "2025-07-01"}),
        Record(RecordKind.COST_CENTRE, "10", FULL_CENTRE),
        Record(RecordKind.COST_CENTRE, "20", {"deleted-by-master": "true"}),
        Record(RecordKind.COST_OBJECT, "30", {}),
    ]
    assert books_of_master(records) == Books(
        None,
        {"1": None, "2": ALWAYS, "3": ALWAYS, "4": date(2025, 7, 1)},
        None,
        {"10": Span(date(2025, 1, 1), date(2025, 12, 31), blocked=True), "20": Span(blocked=True)},
    )


def test_without_accounts_they_say_nothing() -> None:
    assert books_of_master([Record(RecordKind.COST_CENTRE, "10", {})]) is None
    without_centres = books_of_master([Record(RecordKind.ACCOUNT, "1", {})])
    assert without_centres is not None
    assert without_centres.cost_centres is None

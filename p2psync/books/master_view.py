"""What master data of another accounting program allow to post."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from p2psync.books.export import DELETED, Record, RecordKind
from p2psync.books.master import TRUE
from p2psync.books.validation import ALWAYS, Books, Span


def books_of_master(records: Iterable[Record]) -> Books | None:
    """What serves where there is no chart of accounts; None if they name no account."""
    accounts: dict[str, date | None] = {}
    spans: dict[str, Span] = {}
    for one in records:
        closed = TRUE in (one.fields.get("blocked"), one.fields.get(DELETED))
        if one.kind is RecordKind.ACCOUNT:
            accounts[one.number] = ALWAYS if closed else _day(one, "blocked-from")
        elif one.kind is RecordKind.COST_CENTRE:
            spans[one.number] = Span(_day(one, "postable-from"), _day(one, "postable-to"), closed)
    return Books(period=None, accounts=accounts, cost_centres=spans or None) if accounts else None


def _day(record: Record, name: str) -> date | None:
    text = record.fields.get(name)
    return date.fromisoformat(text) if text else None

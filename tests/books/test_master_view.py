"""Master data with values of their types, and what they allow to post."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

from p2psync.books.export import Record, RecordKind
from p2psync.books.master_view import (
    Discount,
    MasterAccount,
    MasterCentre,
    PaymentTerm,
    accounts,
    books_of_master,
    centres,
    payment_terms,
)
from p2psync.books.synthetic_master import master_records
from p2psync.books.validation import ALWAYS, Books, Span

FULL_ACCOUNT = {
    "name.de": "Kasse",
    "name.fr": "Caisse",
    "type": "A",
    "collective": "debtor",
    "cost-type": "4",
    "blocked-from": "2025-07-01",
    "default-cost-centre": "10",
    "cash": "true",
    "blocked": "false",
    "deleted-by-master": "true",
}
FULL_CENTRE = {
    "name.fr": "Atelier",
    "unit": "h",
    "quantity": "1.5",
    "postable-from": "2025-01-01",
    "postable-to": "2025-12-31",
    "project": "true",
    "blocked": "true",
}
FULL_TERM = {
    "side": "creditor",
    "net-days": "30",
    "discount-1-days": "10",
    "discount-1-percent": "2",
    "discount-2-days": "20",
    "blocked": "true",
}


def test_an_account_has_all_its_fields() -> None:
    assert accounts([Record(RecordKind.ACCOUNT, "1000", FULL_ACCOUNT)]) == [
        MasterAccount(
            number="1000",
            names=(("de", "Kasse"), ("fr", "Caisse")),
            type="A",
            collective="debtor",
            cost_type="4",
            blocked_from=date(2025, 7, 1),
            default_cost_centre="10",
            cash=True,
            blocked=False,
            deleted=True,
        )
    ]


def test_a_cost_centre_has_all_its_fields() -> None:
    (found,) = centres([Record(RecordKind.COST_OBJECT, "P7", FULL_CENTRE)])
    assert found == MasterCentre(
        kind=RecordKind.COST_OBJECT,
        number="P7",
        names=(("fr", "Atelier"),),
        unit="h",
        quantity=Decimal("1.5"),
        postable_from=date(2025, 1, 1),
        postable_to=date(2025, 12, 31),
        project=True,
        blocked=True,
        deleted=False,
    )


def test_a_payment_term_has_all_its_fields_and_whole_discounts_only() -> None:
    (found,) = payment_terms([Record(RecordKind.PAYMENT_TERM, "30N", FULL_TERM)])
    assert found == PaymentTerm("30N", (), "creditor", 30, (Discount(10, Decimal(2)),), blocked=True, deleted=False)


def test_a_payment_term_has_two_discounts() -> None:
    (found,) = payment_terms([Record(RecordKind.PAYMENT_TERM, "30N", {**FULL_TERM, "discount-2-percent": "1.5"})])
    assert found.discounts == (Discount(10, Decimal(2)), Discount(20, Decimal("1.5")))


def test_what_is_not_stated_is_empty() -> None:
    assert accounts([Record(RecordKind.ACCOUNT, "1", {})])[0].blocked_from is None
    assert centres([Record(RecordKind.COST_CENTRE, "1", {})])[0].quantity is None
    assert payment_terms([Record(RecordKind.PAYMENT_TERM, "1", {})])[0].net_days is None


def test_each_list_takes_its_own_records() -> None:
    records = master_records(40, Random(1))
    assert (len(accounts(records)), len(centres(records)), len(payment_terms(records))) == (40, 8, 4)


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

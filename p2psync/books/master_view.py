"""Master data as people and programs read them: accounts, cost centres, payment terms with values of their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from p2psync.books.export import DELETED, NAME, Record, RecordKind
from p2psync.books.master import TRUE
from p2psync.books.validation import ALWAYS, Books, Span
from p2psync.core.value import value

Names = tuple[tuple[str, str], ...]
"""Names by language: ("fr", "Caisse")."""


@value
class MasterAccount:
    """An account, as the master's accounting program states it."""

    number: str
    names: Names
    type: str
    """A, L, R, E or C; "" if it is not stated. So with all that follows."""
    collective: str
    """"debtor" or "creditor" for the collective account of these."""
    cost_type: str
    blocked_from: date | None
    default_cost_centre: str
    cash: bool
    blocked: bool
    deleted: bool


@value
class MasterCentre:
    """A cost centre or cost object."""

    kind: RecordKind
    number: str
    names: Names
    unit: str
    quantity: Decimal | None
    postable_from: date | None
    postable_to: date | None
    project: bool
    blocked: bool
    deleted: bool


@value
class Discount:
    """What may be deducted by those who pay within some days."""

    days: int
    percent: Decimal


@value
class PaymentTerm:
    """A payment term."""

    number: str
    names: Names
    side: str
    """"debtor" or "creditor"."""
    net_days: int | None
    discounts: tuple[Discount, ...]
    """At most two; one without days or percent is none."""
    blocked: bool
    deleted: bool


def accounts(records: Iterable[Record]) -> list[MasterAccount]:
    """The accounts among records, in their order."""
    return [_account(record) for record in records if record.kind is RecordKind.ACCOUNT]


def centres(records: Iterable[Record]) -> list[MasterCentre]:
    """The cost centres and cost objects among records, in their order."""
    kinds = (RecordKind.COST_CENTRE, RecordKind.COST_OBJECT)
    return [_centre(record) for record in records if record.kind in kinds]


def payment_terms(records: Iterable[Record]) -> list[PaymentTerm]:
    """The payment terms among records, in their order."""
    return [_term(record) for record in records if record.kind is RecordKind.PAYMENT_TERM]


def books_of_master(records: Iterable[Record]) -> Books | None:
    """What master data allow to post, where there is no chart of accounts; None if they name no account."""
    everything = list(records)
    known = accounts(everything)
    if not known:
        return None
    spans = {
        one.number: Span(one.postable_from, one.postable_to, one.blocked or one.deleted)
        for one in centres(everything)
        if one.kind is RecordKind.COST_CENTRE
    }
    return Books(
        period=None,
        accounts={one.number: ALWAYS if one.blocked or one.deleted else one.blocked_from for one in known},
        cost_centres=spans or None,
    )


def _account(record: Record) -> MasterAccount:
    get = record.fields.get
    return MasterAccount(
        number=record.number,
        names=_names(record.fields),
        type=get("type", ""),
        collective=get("collective", ""),
        cost_type=get("cost-type", ""),
        blocked_from=_day(get("blocked-from", "")),
        default_cost_centre=get("default-cost-centre", ""),
        cash=get("cash") == TRUE,
        blocked=get("blocked") == TRUE,
        deleted=get(DELETED) == TRUE,
    )


def _centre(record: Record) -> MasterCentre:
    get = record.fields.get
    return MasterCentre(
        kind=record.kind,
        number=record.number,
        names=_names(record.fields),
        unit=get("unit", ""),
        quantity=_decimal(get("quantity", "")),
        postable_from=_day(get("postable-from", "")),
        postable_to=_day(get("postable-to", "")),
        project=get("project") == TRUE,
        blocked=get("blocked") == TRUE,
        deleted=get(DELETED) == TRUE,
    )


def _term(record: Record) -> PaymentTerm:
    get = record.fields.get
    discounts = ((get(f"discount-{at}-days", ""), get(f"discount-{at}-percent", "")) for at in (1, 2))
    return PaymentTerm(
        number=record.number,
        names=_names(record.fields),
        side=get("side", ""),
        net_days=int(days) if (days := get("net-days", "")) else None,
        discounts=tuple(Discount(int(days), Decimal(percent)) for days, percent in discounts if days and percent),
        blocked=get("blocked") == TRUE,
        deleted=get(DELETED) == TRUE,
    )


def _names(fields: Mapping[str, str]) -> Names:
    prefix = f"{NAME}."
    return tuple(sorted((key.removeprefix(prefix), text) for key, text in fields.items() if key.startswith(prefix)))


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None

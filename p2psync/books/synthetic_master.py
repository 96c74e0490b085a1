"""Invented master exports of an invented accounting program, as XML and as CSV: for tests and benchmarks.

The same `Random` state gives the same records, in both spellings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from p2psync.books.export import FIELDS, NAME, Record, RecordKind

LINE_END = "\r\n"
_NAMES = ("Caisse", "Banque", "Débiteurs", "Loyer <Bern>", "Übriger Aufwand", 'Frais "divers"', "Café & Tee; Milch")
_LANGUAGES = ("fr", "de", "it")


def master_records(count: int, rng: Random) -> list[Record]:
    """So many accounts, and a tenth of that number of cost centres, cost objects and payment terms each."""
    some = count // 10
    return [
        *(Record(RecordKind.ACCOUNT, str(1000 + at), _account(rng)) for at in range(count)),
        *(Record(RecordKind.COST_CENTRE, str(10 + at), _centre(rng)) for at in range(some)),
        *(Record(RecordKind.COST_OBJECT, f"P{at}", _centre(rng)) for at in range(some)),
        *(Record(RecordKind.PAYMENT_TERM, f"{at}N", _term(rng)) for at in range(some)),
    ]


def master_xml(records: Sequence[Record]) -> bytes:
    """These records as an XML export."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<master-export version="1">']
    for kind in RecordKind:
        lines += [f"  <{kind}s>", *(_element(record) for record in records if record.kind is kind), f"  </{kind}s>"]
    return "".join(f"{line}{LINE_END}" for line in [*lines, "</master-export>"]).encode()


def master_csv(records: Sequence[Record], separator: str = ";", encoding: str = "cp1252") -> bytes:
    """These records as a CSV export."""
    names = [f"{NAME}.{language}" for language in _LANGUAGES]
    columns = list(dict.fromkeys([*names, *(field.name for fields in FIELDS.values() for field in fields)]))
    rows = [["record", "number", *columns]]
    rows += [[one.kind, one.number, *(one.fields.get(column, "") for column in columns)] for one in records]
    return "".join(separator.join(map(_quoted, row)) + LINE_END for row in rows).encode(encoding)


def _element(record: Record) -> str:
    """Attributes for fields, elements for names."""
    plain = {"number": record.number, **{k: v for k, v in record.fields.items() if not k.startswith(f"{NAME}.")}}
    attributes = " ".join(f'{name}="{_escaped(value)}"' for name, value in plain.items())
    names = "".join(
        f'<{NAME} lang="{key.removeprefix(f"{NAME}.")}">{_escaped(value)}</{NAME}>'
        for key, value in record.fields.items()
        if key.startswith(f"{NAME}.")
    )
    return f"    <{record.kind} {attributes}>{names}</{record.kind}>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if any(c in text for c in ';,\t"') else text


def _account(rng: Random) -> dict[str, str]:
    fields = {**_names(rng), "type": rng.choice("ALREC"), "cash": _flag(rng), **_standing(rng)}
    if rng.random() < 0.1:
        fields |= {"collective": rng.choice(("debtor", "creditor")), "cost-type": "4", "default-cost-centre": "10"}
    if rng.random() < 0.1:
        fields["blocked-from"] = _day(rng)
    return fields


def _centre(rng: Random) -> dict[str, str]:
    begin = _day(rng)
    return {
        **_names(rng),
        "unit": rng.choice(("h", "m²", "Stück")),
        "quantity": f"{rng.randint(1, 99)}.5",
        "postable-from": begin,
        "postable-to": (date.fromisoformat(begin) + timedelta(days=365)).isoformat(),
        "project": _flag(rng),
        **_standing(rng),
    }


def _term(rng: Random) -> dict[str, str]:
    fields = {"side": rng.choice(("debtor", "creditor")), "net-days": str(rng.choice((10, 30, 60))), **_standing(rng)}
    if rng.random() < 0.5:
        fields |= {
            "discount-1-days": "10",
            "discount-1-percent": "2",
            "discount-2-days": "20",
            "discount-2-percent": "1.5",
        }
    return fields


def _names(rng: Random) -> dict[str, str]:
    return {f"{NAME}.{language}": rng.choice(_NAMES) for language in rng.sample(_LANGUAGES, rng.randint(1, 3))}


def _standing(rng: Random) -> dict[str, str]:
    return {"blocked": _flag(rng), "deleted-by-master": "true" if rng.random() < 0.05 else "false"}


def _flag(rng: Random) -> str:
    return "true" if rng.random() < 0.2 else "false"


def _day(rng: Random) -> str:
    return (date(2025, 1, 1) + timedelta(days=rng.randrange(365))).isoformat()

"""Invented books of invented companies, in the layout that bookkeeping programs write: for demo, tests, benchmarks.

Windows-1252, CRLF, tabs, end marks and the CR CR LF inside comments are as in real files; names, numbers and amounts
are made up. The same `Random` state gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from random import Random

from p2psync.core.value import value

ENCODING = "cp1252"
LINE_END = "\r\n"
COMMENT_LINE_END = "\r\r\n"
ACCOUNTS_MAX = 8000
SPLIT_LINES = 3
AMOUNT_FIELD = 5
NUMBER_FIELD = 13
"""Where a booking's amount and its running number stand in its line."""

_CLASSES = (
    # first digit, CAT, French and German title, what accounts there are called
    (1, 2, "Actifs", "Aktiven", ("Caisse", "Compte postal", "Banque", "Débiteurs", "Stock de café", "Véhicule")),
    (2, 4, "Passifs", "Passiven", ("Créanciers", "TVA due", "Prêt hypothécaire", "Capital-actions", "Réserve légale")),
    (3, 16, "Produits", "Betriebsertrag", ("Ventes de café", "Prestations", "Transports", "Intérêts reçus")),
    (4, 8, "Matières", "Materialaufwand", ("Achat de café", "Emballages", "Sous-traitance", "Douane")),
    (5, 8, "Personnel", "Personalaufwand", ("Salaires", "AVS/AC", "LPP", "Frais de repas", "Formation")),
    (6, 8, "Autres charges", "Übriger Aufwand", ("Loyer", "Électricité", "Assurances", "Téléphone", "Publicité")),
    (7, 16, "Annexes", "Nebenbetriebe", ("Loyers reçus", "Kiosque", "Parking")),
    (8, 8, "Exceptionnel", "Ausserordentliches", ("Impôts directs", "Différences de change")),
)
_ALWAYS_THERE = {1: (20, 100), 2: (200,), 3: (0, 200, 400), 5: (0,)}
"""Accounts that bookings and VAT codes name, by class: 1020, 1100, 2200 and so on."""
_EXTRA_CAT_BIT = 16384
_PEOPLE = ("Müller & Cie", "Dupré SA", "Zürcher GmbH", "Café Rossi Sàrl", "Bébié & fils", "Ängeli AG", "Çelik Import")
_STAFF = ("Anaïs Favre", "Jürg Wälti", "Zoé Python", "Beat Oñate", "Françoise Rey", "Lukas Bärtschi")
_REMARKS = ("à vérifier à la clôture", "voir le contrat du fournisseur", "gemäss Vereinbarung", "justificatif demandé")
_VAT_CODES = (
    # code, its German equivalent, percent, account, what it is for
    ("TVA", "UST", "8.1", "2200", ("Livraisons et prestations de services au taux normal",)),
    ("TVARED", "USTRED", "2.6", "2200", ("Livraisons au taux réduit",)),
    ("TVAHEB", "USTHEB", "3.8", "2200", ("Code à vérifier.", "Secteur de l'hébergement, NOTE=taux spécial")),
    ("IPM", "VSM", "8.1", "1170", ("Impôt préalable sur l'achat de marchandises",)),
    ("IPIRED", "VSIRED", "2.6", "1171", ("Impôt préalable sur les investissements",)),
    ("EXO", "EXO", "0.0", "2200", ("Prestations exonérées",)),
)


@value
class Listed:
    """One line of an index."""

    tag: str
    """"ECF", "ECS", "ECA"."""
    name: str
    """Of the entries file."""
    written: datetime
    uid: int


def chart(year: int, accounts: int, rng: Random, title: str = "Cargo SA") -> bytes:
    """A `.crp`: the chart of accounts and what belongs to it.

    About 1.6 KB and 120 bytes an account, so 350 accounts make 45 KB and 5,700 make 700 KB; at most ACCOUNTS_MAX.
    From 20 accounts on, those that `entries` uses are among them.
    """
    assert 0 <= accounts <= ACCOUNTS_MAX
    head = ["MAJREV=9", "MINREV=5", "PROGMAJREV=9", f"DATEBEG=01.01.{year}", f"DATEEND=31.12.{year}", "FLAGS=0"]
    lines = [*head, f"TITLE={title}"]
    lines += _block("PATHS", rows=[f"C:\\Documents\\Comptabilité\\{title} {year}.cre"])
    languages = (("0", "Français", "fr"), ("1", "Deutsch", "de"))
    lines += _block(
        "LANGUAGES",
        [[f"NUM={number}", f"NAME={name}", f"ISOCODE={code}"] for number, name, code in languages],
        ["NBLANGUAGES=2"],
    )
    lines += _block("JOURNAUX", [["NUM=0", "NAME=principal"], ["NUM=1", "NAME=Clôture"]])
    lines += _block("VATRATES", rows=[f"{rate}00000\t{rate}00000" for rate in ("8.1", "3.8", "2.6", "0.0")])
    lines += _block("TVACODES", [_vat_code(number, *one) for number, one in enumerate(_VAT_CODES, 1)])
    lines += _block("CURRENCIES", [["NUM=1", "NAME=EUR", f"COURS={rng.uniform(0.92, 0.99):.6f}", "UNITE=1"]])
    lines += _block("CENTERS", [["NUM=10", "NAME=Atelier"], ["NUM=20", "NAME=Büro Bern"]])
    lines += _block("VATEQUIV", rows=[f"{french}\t{german}" for french, german, *_ in _VAT_CODES])
    lines += _block("PERIODES")
    lines += _block("COMPTES", _accounts(accounts, rng))
    return _encoded([*lines, "ENDOFFILE"]).removesuffix(LINE_END.encode())


def add_account(crp: bytes, number: str, name: str) -> bytes:
    """The chart after accounting added an account."""
    end = _encoded(["END=COMPTES"])
    before, found, after = crp.rpartition(end)
    assert found, "a chart as `chart` makes it"
    return (
        before
        + _encoded(_record([f"NUM={number}", f"NAME={name}", f"NAME.0={name}", "CAT=2", "STATUS=0"]))
        + end
        + after
    )


def entries(tag: str, lines: int, rng: Random, year: int = 2025, uid: int = 1) -> bytes:
    """An entries file with so many bookings, from January to December: "ECF" for sales, "ECS" for salaries.

    About 80 bytes a line; some bookings are split over several lines.
    """
    head = [f"#FSC\t9.5.0\t{tag}", f"#ECC\t1; 1; {datetime(year, 12, 31, 9):%d.%m.%Y %H:%M:%S}; {uid}"]
    days = sorted(date(year, 1, 1) + timedelta(days=rng.randrange(365)) for _ in range(lines))
    return _encoded([*head, *_bookings(tag, days, 1, rng)])


def more_entries(data: bytes, lines: int, rng: Random) -> bytes:
    """The same file after so many more bookings on its last day, written a minute later."""
    first, second, *bookings = data.decode(ENCODING).removesuffix(LINE_END).split(LINE_END)
    mark, lots, written, uid = second.split("; ")
    later = datetime.strptime(written, "%d.%m.%Y %H:%M:%S") + timedelta(minutes=1)
    last = bookings[-1].split("\t") if bookings else None
    day = datetime.strptime(last[0], "%d.%m.%Y").date() if last else date(later.year, 1, 1)
    number = int(last[NUMBER_FIELD]) + 1 if last else 1
    head = [first, f"{mark}; {lots}; {later:%d.%m.%Y %H:%M:%S}; {uid}"]
    return _encoded([*head, *bookings, *_bookings(first.rpartition("\t")[2], [day] * lines, number, rng)])


def edited_entries(data: bytes, rng: Random, new: int = 0, changed: int = 0, removed: int = 0) -> bytes:
    """The same file after somebody corrected, took back and added so many lines; there must be enough of them."""
    first, second, *bookings = data.decode(ENCODING).removesuffix(LINE_END).split(LINE_END)
    touched = rng.sample(range(len(bookings)), changed + removed)
    gone = set(touched[changed:])
    for at in touched[:changed]:
        fields = bookings[at].split("\t")
        fields[AMOUNT_FIELD] = f"{float(fields[AMOUNT_FIELD]) + 1:.2f}"
        bookings[at] = "\t".join(fields)
    kept = _encoded([first, second, *(line for at, line in enumerate(bookings) if at not in gone)])
    number = 1 + max((int(line.split("\t")[NUMBER_FIELD]) for line in bookings), default=0)
    day = date(int(second.split(".")[2][:4]), 12, 31)
    return kept + _encoded(list(_bookings(first.rpartition("\t")[2], [day] * new, number, rng)))


def index(files: Sequence[Listed]) -> bytes:
    """An `.ecc`: the index of these entries files."""
    lines = [f"#{one.tag}\t1; {one.written:%d/%m/%Y %H:%M:%S}; {one.name}; {one.uid}" for one in files]
    return _encoded(["#FSC\t9.3\tECC", *lines, "#END"])


def entries_name(name: str, year: int, suffix: str) -> str:
    """Like `Cargo (01-01-2025 ~ 31-12-2025).ecf`."""
    return f"{name} (01-01-{year} ~ 31-12-{year}).{suffix}"


def mandate_files(name: str, year: int, rng: Random, accounts: int = 120, lines: int = 40) -> dict[str, bytes]:
    """A mandate's files of one year by name: a chart, invoices, salaries, and the index of both."""
    invoices, salaries = entries_name(name, year, "ecf"), entries_name(f"{name} Löhne", year, "ecs")
    written = datetime(year, 12, 31, 9)
    return {
        f"{name} {year}.crp": chart(year, accounts, rng, title=name),
        invoices: entries("ECF", lines, rng, year, uid=1),
        salaries: entries("ECS", lines, rng, year, uid=2),
        f"{name} {year}.ecc": index([Listed("ECF", invoices, written, 1), Listed("ECS", salaries, written, 2)]),
    }


def _encoded(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}{LINE_END}" for line in lines).encode(ENCODING)


def _block(name: str, records: Sequence[Sequence[str]] = (), rows: Sequence[str] = ()) -> list[str]:
    return [f"BEGIN={name}", *rows, *(line for fields in records for line in _record(fields)), f"END={name}", ""]


def _record(fields: Sequence[str]) -> list[str]:
    return ["", "ENTRY", *fields]


def _vat_code(number: int, code: str, _: str, rate: str, account: str, remarks: Sequence[str]) -> list[str]:
    comment = COMMENT_LINE_END.join(remarks)
    return [f"NUM={number}", f"NAME={code}", f"TAUX={rate}00000", f"COMPTE={account}", f"COMMENT={comment}", "FLAGS=1"]


def _accounts(count: int, rng: Random) -> list[list[str]]:
    """Records of accounts, spread over the classes, each class under its title and group."""
    records = []
    for at, (digit, cat, french, german, names) in enumerate(_CLASSES):
        share = count // len(_CLASSES) + (at < count % len(_CLASSES))
        if share == 0:
            continue
        records.append([f"NUM={digit}/999", "NAME= ", f"CAT={cat}", "STATUS=8"])
        records.append(
            [f"NUM={digit}", f"NAME={french}", f"NAME.0={french}", f"NAME.1={german}", f"CAT={cat}", "STATUS=17"]
        )
        first = _ALWAYS_THERE.get(digit, ())[:share]
        others = rng.sample([number for number in range(1000) if number not in first], share - len(first))
        for number in sorted([*first, *others]):
            records.append(_account(f"{digit}{number:03}", cat, rng.choice(names), rng))
    return records


def _account(number: str, cat: int, name: str, rng: Random) -> list[str]:
    full = f"{name} {rng.choice(_PEOPLE)}"
    fields = [f"NUM={number}", f"NAME={full}", f"NAME.0={full}", "STATUS=0", f"GROUP={number[0]}"]
    fields.append(f"CAT={cat | _EXTRA_CAT_BIT if rng.random() < 0.05 else cat}")
    if rng.random() < 0.3:
        fields.append(f"VATCODE={rng.choice(_VAT_CODES)[0]}")
    if rng.random() < 0.15:
        fields.append("COMMENT=" + COMMENT_LINE_END.join(rng.sample(_REMARKS, rng.randint(2, 3))))
    return fields


def _bookings(tag: str, days: Sequence[date], number: int, rng: Random) -> Iterator[str]:
    """As many lines as days; about one booking in five takes three lines, on the first one's day."""
    at = 0
    while at < len(days):
        if rng.random() < 0.2 and len(days) - at >= SPLIT_LINES:
            yield from _split_booking(tag, days[at], number + at, rng)
            at += SPLIT_LINES
        else:
            yield _booking(tag, days[at], number + at, rng)
            at += 1


def _split_booking(tag: str, day: date, number: int, rng: Random) -> Iterator[str]:
    """The first line for the whole amount; `...` stands where the other lines have the account."""
    parts = [rng.randint(500, 90_000) for _ in range(SPLIT_LINES - 1)]
    debit, credit, voucher, text = _what(tag, day, number, rng)
    yield _line(day, (debit, "..."), voucher, text, sum(parts), number, split=number)
    for at, part in enumerate(parts, 1):
        yield _line(day, ("...", credit), voucher, text, part, number + at, split=number)


def _booking(tag: str, day: date, number: int, rng: Random) -> str:
    debit, credit, voucher, text = _what(tag, day, number, rng)
    return _line(day, (debit, credit), voucher, text, rng.randint(500, 900_000), number)


def _what(tag: str, day: date, number: int, rng: Random) -> tuple[str, str, str, str]:
    """Debit, credit, voucher and text."""
    if tag == "ECS":
        return "5000", "1020", f"S-{number:03}", f"Salaire {day:%m.%Y} {rng.choice(_STAFF)}"
    return "1100", rng.choice(("3000", "3200", "3400")), f"F-{number:03}", rng.choice(_PEOPLE)


def _line(
    day: date, accounts: tuple[str, str], voucher: str, text: str, cents: int, number: int, split: int | None = None
) -> str:
    vat = "TVA" if voucher.startswith("F") else ""
    group = "" if split is None else str(split)
    amount = f"{cents // 100}.{cents % 100:02}"
    fields = [f"{day:%d.%m.%Y}", *accounts, voucher, text, amount, "", "0", group, "0", "0", "0", "", str(number), vat]
    return "\t".join([*fields, "", "", "", "", "", "0"])

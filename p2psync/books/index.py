"""The `.ecc` index, the one file with several writers: which entries files lie beside an accounting file.

Each producer reads it, adds or renews its own line, and writes it whole, so two that were apart leave two versions.
`merge` shows them as one: every line of any version, the newest per file. Lines are kept as the bytes that their
program wrote; text is looked at only to know which lines speak of the same file. Nothing here depends on the order of
the versions: every device shows the same bytes, and to merge again changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from p2psync.books.text import BOM, PADDING, text_of
from p2psync.core.value import value
from p2psync.errors import CodecError

INDEX_BYTES_MAX = 1 << 20
LINE_BYTES_MAX = 4096
UID_DIGITS_MAX = 18
FIRST = b"#FSC"
LAST = b"#END"

Moment = tuple[int, int, int, int, int, int]
"""Year, month, day, hour, minute, second, by the writer's clock."""
UNKNOWN_MOMENT: Moment = (0, 0, 0, 0, 0, 0)

_LINE_END = re.compile(rb"\r*\n|\r")
_DATE = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?", re.ASCII)


@value
class IndexLine:
    """One entries file, as the index names it."""

    tag: str
    """"ECF", "ECS", "ECA" or another of their kind."""
    name: str
    """The file's name, without quotes, in Unicode's composed form."""
    moment: Moment
    """When its program wrote it; UNKNOWN_MOMENT if that cannot be read."""
    uid: int
    raw: bytes
    """The line as it was written, without its end."""

    @property
    def key(self) -> tuple[str, str]:
        """What a line is about: of two with the same key, one is older."""
        return self.tag, self.name


@value
class Index:
    """An index file taken apart."""

    header: bytes
    """The first line."""
    lines: tuple[IndexLine, ...]
    others: tuple[bytes, ...]
    """Lines that are not understood, as they are."""
    bom: bool = False
    """True if the file began with the mark of UTF-8."""


@value
class MergeResult:
    """Several versions of one index as one."""

    data: bytes
    problems: tuple[str, ...]
    """What a person should look at: one uid for several files."""


def merge(versions: Sequence[bytes]) -> MergeResult:
    """One index that has every line of any version, for each file the newest.

    Raises CodecError if one of them is no whole index; then one version must be chosen.
    """
    indexes = [parse(version) for version in versions]
    newest: dict[tuple[str, str], IndexLine] = {}
    for line in (line for index in indexes for line in index.lines):
        known = newest.get(line.key)
        if known is None or (line.moment, line.raw) > (known.moment, known.raw):
            newest[line.key] = line
    lines = sorted(newest.values(), key=lambda line: (line.uid, line.key))
    merged = Index(
        header=max((index.header for index in indexes), key=lambda header: (_numbers(header), header)),
        lines=tuple(lines),
        others=tuple(sorted({other for index in indexes for other in index.others})),
        bom=any(index.bom for index in indexes),
    )
    return MergeResult(_written(merged), tuple(shared_uids(lines)))


def parse(data: bytes) -> Index:
    """Take an index apart, however its program spells dates, quotes and line ends.

    Raises CodecError if it does not begin and end as an index does: it is torn, or something else.
    """
    if len(data) > INDEX_BYTES_MAX:
        raise CodecError(f"an index of more than {INDEX_BYTES_MAX} bytes")
    text = data.removeprefix(BOM).rstrip(PADDING)
    if b"\0" in text:
        raise CodecError("an index with zero bytes")
    rows = [row for row in _LINE_END.split(text) if row.strip()]
    if not rows or not rows[0].startswith(FIRST):
        raise CodecError("an index that does not begin with #FSC")
    if len(rows) < 2 or rows[-1].strip() != LAST:
        raise CodecError("an index that does not end with #END")
    if any(len(row) > LINE_BYTES_MAX for row in rows):
        raise CodecError(f"an index with a line of more than {LINE_BYTES_MAX} bytes")
    read = [(row, _read_line(row)) for row in rows[1:-1]]
    return Index(
        header=rows[0],
        lines=tuple(line for _, line in read if line is not None),
        others=tuple(row for row, line in read if line is None),
        bom=data.startswith(BOM),
    )


def shared_uids(lines: Iterable[IndexLine]) -> list[str]:
    """Each uid that two programs gave to different files while they were apart, with their names."""
    names: dict[int, set[str]] = {}
    for line in lines:
        names.setdefault(line.uid, set()).add(line.name)
    return [f"{uid} ({', '.join(sorted(files))})" for uid, files in sorted(names.items()) if len(files) > 1]


def moment_of(text: str) -> Moment:
    """What a program meant by a date and time: day first, as in Switzerland, unless the year or an impossible month
    says otherwise. UNKNOWN_MOMENT for anything else.
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return UNKNOWN_MOMENT
    first, second, third, *clock = (int(number or 0) for number in found.groups())
    year, month, day = (first, second, third) if len(found[1]) == 4 else (third, second, first)
    if month > 12 >= day:
        month, day = day, month
    hour, minute, second = clock
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return UNKNOWN_MOMENT
    return (year + 2000 if year < 100 else year, month, day, hour, minute, second)


def _written(index: Index) -> bytes:
    rows = [index.header, *(line.raw for line in index.lines), *index.others, LAST]
    return (BOM if index.bom else b"") + b"".join(row + b"\r\n" for row in rows)


def _read_line(raw: bytes) -> IndexLine | None:
    """`#ECF<tab>1; <date time>; <file name>; <uid>`; a name may have semicolons of its own. None for anything else."""
    tag, _, rest = text_of(raw).partition("\t")
    fields = [field.strip() for field in rest.split(";")]
    if not (tag.startswith("#EC") and tag.isascii() and tag[1:].isalnum() and len(fields) >= 4):
        return None
    name = _plain_name(rest.split(";", 2)[2].rpartition(";")[0])
    uid = fields[-1]
    if not name or not (uid.isascii() and uid.isdigit() and len(uid) <= UID_DIGITS_MAX):
        return None
    return IndexLine(tag[1:], name, moment_of(fields[1]), int(uid), raw)


def _plain_name(text: str) -> str:
    name = text.strip()
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = name[1:-1].strip()
    return unicodedata.normalize("NFC", name)


def _numbers(header: bytes) -> tuple[int, ...]:
    """The version numbers of a header, so that 10.0 comes after 9.3."""
    return tuple(int(digits) for digits in re.findall(rb"\d{1,18}", header))

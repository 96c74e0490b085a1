"""Text as bookkeeping programs write it: their encodings, line ends, dates and numbers.

Nothing is guessed: what is no date or no number is None, and the reader of the file says in which line.
"""

from __future__ import annotations

import codecs
import re
from datetime import date
from decimal import Decimal
from functools import lru_cache

from p2psync.core.period import Period
from p2psync.errors import CodecError

BOM = b"\xef\xbb\xbf"
PADDING = b"\0\x1a"
"""What old programs and interrupted writes leave after the end."""
NUMBER_DIGITS_MAX = 18

_WINDOWS = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256))
"""Windows-1252 as Windows reads it: the five bytes that stand for nothing are controls."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_END = re.compile(r"\r*\n|\r")
_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?", re.ASCII)
_THOUSANDS = str.maketrans("", "", "'\u2019")


def decoded(data: bytes, bytes_max: int) -> str:
    """A whole file as text, without the mark of UTF-8.

    Raises CodecError if it has more than `bytes_max` bytes, or zero bytes: then it is no text of these programs.
    """
    if len(data) > bytes_max:
        raise CodecError("The file has more than {limit} bytes, which is the limit.", limit=bytes_max)
    if data.startswith(_UTF16):
        raise CodecError("The file is written in UTF-16. Save it as UTF-8 or Windows-1252.")
    if b"\0" in data:
        raise CodecError("The file has zero bytes in it: it is no text.")
    return text_of(data.removeprefix(BOM))


def text_of(raw: bytes) -> str:
    """What a program meant by bytes: UTF-8 where they are, else Windows-1252; always something."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return codecs.charmap_decode(raw, "strict", _WINDOWS)[0]


def rows_of(text: str) -> list[str]:
    """The lines of a text, whichever line ends it has; the one after the last line end is empty."""
    if "\r\r\n" in text:
        return _LINE_END.split(text)
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # a tenth of the time of the expression


@lru_cache(maxsize=4096)
def read_date(text: str) -> date | None:
    """`31.12.2025`, `31-12-2025`, `31/12/2025` or `2025-12-31`; None for anything else, two-digit years too."""
    if found := _DAY_FIRST.fullmatch(text):
        day, _, month, year = found.groups()
    elif found := _YEAR_FIRST.fullmatch(text):
        year, month, day = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def read_period(begin: str, end: str) -> Period | None:
    """A period from the text of its first and last day; None unless both are dates in this order."""
    first, last = read_date(begin.strip()), read_date(end.strip())
    return Period(first, last) if first and last and first <= last else None


def read_number(text: str) -> Decimal | None:
    """`1234.50`, also with apostrophes between the thousands; None for anything else."""
    plain = text.translate(_THOUSANDS)
    return Decimal(plain) if _NUMBER.fullmatch(plain) else None


def read_integer(text: str) -> int | None:
    """Decimal digits, at most NUMBER_DIGITS_MAX, without a sign; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX else None

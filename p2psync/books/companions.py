"""Which files belong together: what to attach in the place of a live database, an index's files, a new period's.

Names tell: programs call the files of one accounting alike, and put the period between parentheses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from datetime import timedelta

from p2psync.books.completeness import ENTRIES, INDEX, MASTER, suffix_of
from p2psync.books.index import parse
from p2psync.core.period import Period, period_in_name
from p2psync.core.relpath import RelPath
from p2psync.core.relpath import parse as parse_path
from p2psync.errors import CodecError, InvalidPath

INSTEAD = {
    **dict.fromkeys((".cre", ".nmc"), MASTER),
    ".fac": ".ecf",
    **dict.fromkeys((".salx", ".sal6", ".sal", ".sav"), ".ecs"),
}
"""Databases that a running program writes in place all day, and the file by which that program tells the others."""

_PERIOD = re.compile(r"\s*\(\d{2}-\d{2}-\d{4} ~ \d{2}-\d{2}-\d{4}\)")
_ELSEWHERE = re.compile(r"[/\\:]")
"""What a name has on some system that leads out of its folder."""
_ROLES = {MASTER: "accounting", INDEX: "accounting", ".ecf": "invoicing", ".ecs": "payroll", ".crbank": "banking"}


def instead_of(name: str) -> str | None:
    """The extension of the file to attach in the place of a live database; None for any other file."""
    return INSTEAD.get(suffix_of(RelPath(name)))


def role_of(name: str) -> str:
    """The role that usually produces such a file; "" if none does."""
    return _ROLES.get(suffix_of(RelPath(name)), "")


def named_by(index: bytes, present: Iterable[str]) -> list[str]:
    """The files that an index names, as they are called where they lie, sorted; none if it is torn."""
    named = _named(index)
    return sorted(name for name in present if unicodedata.normalize("NFC", name) in named)


def absent_of(index: bytes, present: Iterable[str]) -> list[str]:
    """The entries files that an index names and that do not lie beside it, sorted.

    Other devices write in an index, too: a name that leads to another folder is left out.
    """
    known = {unicodedata.normalize("NFC", name).casefold() for name in present}
    return sorted(name for name in _named(index) if _is_entries_name(name) and name.casefold() not in known)


def follower_of(name: str, attached: Collection[str]) -> str | None:
    """The attached entries file whose next period this one is: called alike but for a later period; None if none."""
    period = period_in_name(name)
    if suffix_of(RelPath(name)) not in ENTRIES or period is None:
        return None
    alike = {one: known for one in attached if (known := _alike(one, name)) is not None}
    if not alike or any(period.begin <= known.begin for known in alike.values()):
        return None
    return max(alike, key=lambda one: (alike[one].begin, one))


def unlike_follower_of(name: str, attached: Collection[str]) -> str | None:
    """The attached entries file whose next period this one is though it is called otherwise; None if none.

    Programs put the year into the name, too: only a person can tell.
    """
    period, suffix = period_in_name(name), suffix_of(RelPath(name))
    if suffix not in ENTRIES or period is None or any(_alike(one, name) is not None for one in attached):
        return None
    same = {one: known for one in attached if suffix_of(RelPath(one)) == suffix and (known := period_in_name(one))}
    if not is_next(period, same.values()):
        return None
    return min(one for one, known in same.items() if is_next(period, [known]))


def is_next(period: Period, attached: Collection[Period]) -> bool:
    """Whether an accounting period follows an attached one, and overlaps none of them."""
    overlaps = any(one.begin <= period.end and period.begin <= one.end for one in attached)
    return not overlaps and any(one.end + timedelta(days=1) == period.begin for one in attached)


def index_beside(name: str) -> str:
    """What the index of a chart of accounts is called."""
    return name[: -len(MASTER)] + INDEX


def _named(index: bytes) -> set[str]:
    try:
        return {line.name for line in parse(index).lines}
    except CodecError:
        return set()


def _is_entries_name(name: str) -> bool:
    try:
        return not _ELSEWHERE.search(name) and suffix_of(parse_path(name)) in ENTRIES
    except InvalidPath:
        return False


def _alike(one: str, other: str) -> Period | None:
    """The period in the name of one, if that is the other's but for the period."""
    return period_in_name(one) if _without_period(one) == _without_period(other) else None


def _without_period(name: str) -> str:
    return unicodedata.normalize("NFC", _PERIOD.sub("", name)).casefold()

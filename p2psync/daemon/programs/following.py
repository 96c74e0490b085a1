"""Finds the files of a new accounting period beside attached ones: they join the mandate by themselves.

So do files of bookings that an attached index names once the mandate has them: accounting's program looks there.
Whether one belongs to it that is of the next period and called otherwise, a person is asked.

A directory is listed only when something came or went in it; a file that is no follower is read again only when it
was saved again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from p2psync.books import completeness
from p2psync.books.companions import absent_of, follower_of, index_beside, is_next, unlike_follower_of
from p2psync.books.crp import CHART_BYTES_MAX, read_chart
from p2psync.core.entry import FileStat
from p2psync.core.ids import MandateId
from p2psync.core.period import Period
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.daemon.programs.attaching import is_held, read_index
from p2psync.engine.bridge import Attachment
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import CodecError, UsageError
from p2psync.fs.reading import open_shared
from p2psync.fs.traits import SYSTEMS_OWN
from p2psync.store.packing import any_text

NAMED_MAX = 500
"""Files of one index that are looked for."""

ASKED = "asked_about"
"""Of a mandate: files that a person was asked about."""
SETTING = "joins_not"
"""Of a mandate: whether files of a new period are left alone on this PC until a person attaches them."""

Follower = tuple[Attachment, Path]
"""An attached file, and the one that follows it."""


class Following:
    """Of one mandate; for one thread at a time."""

    def __init__(self) -> None:
        self._candidates: dict[Path, tuple[object, list[str]]] = {}
        """By directory: what it was when it was listed last, and the names in it that may be followers."""
        self._judged: dict[Path, FileStat] = {}
        """Files that were found to follow nothing, or were told, as they were then."""
        self._indexes: dict[Path, tuple[FileStat, list[str]]] = {}
        """What an index was when it was read last, and the files of bookings that it names."""

    def find(self, attached: Sequence[Attachment], declined: Iterable[str]) -> list[Follower]:
        """Files that follow attached ones and are not attached; each is told once, until it changes."""
        known = {one.file for one in attached} | set(declined)
        found = []
        for directory, by_name in _by_directory(attached).items():
            for file in (directory / name for name in self._names(directory, by_name)):
                like = self._judge(file, by_name) if str(file) not in known else None
                if like is not None:
                    found.append((like, file))
        return found

    def unlike(
        self, attached: Sequence[Attachment], elsewhere: Iterable[Attachment], declined: Iterable[str]
    ) -> list[Follower]:
        """Files of bookings of the next period that are called otherwise than the attached ones.

        Not where files of another mandate lie, too (`elsewhere`): they may be of that one.
        """
        mixed = {Path(one.file).parent for one in elsewhere}
        known = {one.file for one in attached} | set(declined)
        found = []
        for directory, by_name in _by_directory(attached).items():
            for name in self._names(directory, by_name) if directory not in mixed else ():
                like = unlike_follower_of(name, by_name)
                if like is not None and str(directory / name) not in known:
                    found.append((by_name[like], directory / name))
        return found

    def absent(self, attached: Sequence[Attachment], declined: Iterable[str]) -> list[Follower]:
        """Files of bookings that an attached index names, and that are neither beside it nor attached."""
        known = {one.file for one in attached} | set(declined)
        found = []
        for one in attached:
            file = Path(one.file)
            if file.suffix.lower() == completeness.INDEX:
                wanted = (file.with_name(name) for name in self._named(file))
                found += [(one, other) for other in wanted if str(other) not in known and not os.path.lexists(other)]
        return found

    def _named(self, index: Path) -> list[str]:
        """Read again only when it was saved again."""
        try:
            stat = SYSTEMS_OWN.stat(index.stat())
        except OSError:
            return []
        if self._indexes.get(index, (None, []))[0] != stat:
            self._indexes[index] = stat, absent_of(read_index(index), ())[:NAMED_MAX]
        return self._indexes[index][1]

    def _names(self, directory: Path, by_name: Mapping[str, Attachment]) -> list[str]:
        """Of files that may be followers, sorted."""
        try:
            state = directory.stat().st_mtime_ns, frozenset(by_name)
            if self._candidates.get(directory, (None, []))[0] != state:
                names = sorted(name for name in os.listdir(directory) if _may_follow(name, by_name))
                self._candidates[directory] = state, names
        except OSError:
            return []
        return self._candidates[directory][1]

    def _judge(self, file: Path, by_name: Mapping[str, Attachment]) -> Attachment | None:
        """The attached file that this one follows; None while it follows none, or was judged already."""
        try:
            stat = SYSTEMS_OWN.stat(file.stat())
        except OSError:
            return None
        if self._judged.get(file) == stat:
            return None
        self._judged[file] = stat
        match file.suffix.lower():
            case completeness.INDEX:
                return _index_like(file.name, by_name)
            case completeness.MASTER:
                return _chart_like(file, by_name)
            case _:
                return by_name.get(follower_of(file.name, by_name.keys()) or "")


def alone(device: Device, _now: Now) -> frozenset[MandateId]:
    """The mandates that no file of a new period joins by itself."""
    return frozenset(one.id for one in device.mandates.values() if one.state.get(SETTING))


def expected(mandate: MandateId, followers: Sequence[Follower], device: Device, _now: Now) -> list[Follower]:
    """Of files that an index names and that are not there, those that accounting's program will look for."""
    known = device.mandates.get(mandate)
    if known is None or known.own_role is not Role.ACCOUNTING:
        return []
    return [one for one in followers if is_held(known, parse(one[1].name))]


def ask(mandate: MandateId, unlike: Sequence[Follower], device: Device, _now: Now) -> None:
    """Ask about files that may belong to a mandate, once about each."""
    known = device.mandates.get(mandate)
    if known is None:
        return
    asked: Any = known.state.get(ASKED) or []
    fresh = [file for _, file in unlike if any_text(str(file)) not in asked]
    if fresh:
        known.state.put(ASKED, [*asked, *(any_text(str(file)) for file in fresh)])
        known.state.put_problems([Problem(parse(file.name), Code.NAMED_OTHERWISE, str(file)) for file in fresh])


def _by_directory(attached: Iterable[Attachment]) -> dict[Path, dict[str, Attachment]]:
    found: dict[Path, dict[str, Attachment]] = {}
    for one in attached:
        file = Path(one.file)
        found.setdefault(file.parent, {})[file.name] = one
    return found


def _may_follow(name: str, by_name: Mapping[str, Attachment]) -> bool:
    """Judged by names alone."""
    if name in by_name:
        return False
    if name.lower().endswith(completeness.MASTER):
        return any(one.lower().endswith(completeness.MASTER) for one in by_name)
    entries = follower_of(name, by_name.keys()) or unlike_follower_of(name, by_name.keys())
    return _index_like(name, by_name) is not None or entries is not None


def _index_like(name: str, by_name: Mapping[str, Attachment]) -> Attachment | None:
    """An attached index, if this name is that of the index of an attached chart."""
    charts = {index_beside(one).casefold() for one in by_name if one.lower().endswith(completeness.MASTER)}
    indexes = [one for other, one in sorted(by_name.items()) if other.lower().endswith(completeness.INDEX)]
    return indexes[-1] if indexes and name.casefold() in charts else None


def _chart_like(file: Path, by_name: Mapping[str, Attachment]) -> Attachment | None:
    """The chart of the period before."""
    charts = {name: period for name, one in by_name.items() if (period := _period(Path(one.file))) is not None}
    period = _period(file) if charts else None
    if period is None or not is_next(period, list(charts.values())):
        return None
    return by_name[max(charts, key=lambda name: charts[name])]


def _period(file: Path) -> Period | None:
    """Of a whole chart of accounts; None for anything else."""
    if file.suffix.lower() != completeness.MASTER:
        return None
    try:
        with open_shared(file) as reader:
            return read_chart(reader.read(CHART_BYTES_MAX + 1)).period
    except (OSError, CodecError, UsageError):
        return None

"""The accounting periods of one mandate: which are frozen and since when, what came too late, how far the books are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from p2psync.core.changelog import Stated
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, ContentId, DeviceId
from p2psync.core.period import Period, period_in_name
from p2psync.core.relpath import RelPath, name
from p2psync.core.rules import DATED, Mode, fold
from p2psync.core.statement import FROZEN_MAX, Closed, Freeze, SetCurrent, Unfreeze
from p2psync.core.value import value
from p2psync.engine.refusals import REFUSED_SEEN_MAX
from p2psync.engine.site import Site
from p2psync.engine.state import TodoKind
from p2psync.errors import NotAllowed, UsageError


@value
class Freezing:
    """A period that is frozen."""

    period: Period
    device: DeviceId
    """Whose admin froze it."""
    time_ms: int
    """Its clock then, for people."""
    files: tuple[Closed, ...]
    """Those that are named, sorted."""


@value
class Current:
    """What accounting said last of how far the books are."""

    until: date
    note: str
    """For all members; "" for none."""
    device: DeviceId
    time_ms: int


class Periods:
    def __init__(self, site: Site, device: DeviceId):
        self._site = site
        self._device = device
        self._told = self._books()

    def _books(self) -> tuple[tuple[date | None, str], frozenset[Period]]:
        authority = self._site.ledger.authority
        return (authority.current_until, authority.current_note), frozenset(authority.frozen)

    def tell(self) -> None:
        """Let the person here know of another day up to which the books are complete, of a note, of frozen periods."""
        (said, frozen), self._told = self._told, self._books()
        if self._told[0] != said:
            self._site.scope.notice("books.current", self._site.mandate, until=str(self._told[0][0] or "-"))
        if self._told[1] != frozen:
            periods = ", ".join(map(str, sorted(self._told[1]))) or "-"
            self._site.scope.notice("books.frozen", self._site.mandate, periods=periods)

    def frozen(self) -> list[Freezing]:
        """Sorted by period; the same on every device that has the same log."""
        found: dict[Period, Freezing] = {}
        for statement, author, time_ms in self._site.ledger.constitution.stated(Freeze, Unfreeze):
            period = statement.period
            if isinstance(statement, Unfreeze):
                found.pop(period, None)
                continue
            one = found.get(period, Freezing(period, author, time_ms, ()))
            files = {*one.files, *statement.files}
            found[period] = replace(one, files=tuple(sorted(files, key=lambda file: (file.path, file.version))))
        return [found[period] for period in sorted(found)]

    def current(self) -> Current | None:
        """None if nobody has said anything."""
        said = list(self._site.ledger.constitution.stated(SetCurrent))
        return Current(said[-1][0].until, said[-1][0].note, *said[-1][1:]) if said else None

    def late(self) -> list[tuple[Period, Stated]]:
        """Changes of files of a period that is or was frozen which count nowhere, and what they say has not come back.

        Sorted; of a mandate's whole life only the last REFUSED_SEEN_MAX refused ones are looked at.
        """
        named: dict[Period, frozenset[str]] = {}
        for freeze, _, _ in self._site.ledger.constitution.stated(Freeze):
            named[freeze.period] = named.get(freeze.period, frozenset()) | {fold(one.path) for one in freeze.files}
        ever = replace(self._site.ledger.authority, frozen=named)
        refused = self._site.state.refused(REFUSED_SEEN_MAX) if named else ()
        found = [(period, one) for one in refused if (period := ever.frozen_period(one.path)) is not None]
        return sorted(
            (both for both in found if not self._came_back(both[1])), key=lambda b: (b[0], b[1].path, b[1].id)
        )

    def _came_back(self, refused: Stated) -> bool:
        content = refused.entry.content
        return content is not None and bool(self._site.state.with_content(refused.path, content))

    def require_changeable(self, path: RelPath) -> None:
        """Raises NotAllowed if nobody may change the file: its period is frozen, or it is written once."""
        authority = self._site.ledger.authority
        period, rule = authority.frozen_period(path), authority.rules.rule_for(path)
        if period is not None:
            raise NotAllowed(
                "{path} belongs to the period {period}, which is frozen. An admin can open it: "
                "p2psync period {mandate} --unfreeze PERIOD",
                path=path,
                period=period,
                mandate=authority.name,
            )
        if rule.mode == Mode.ONCE:
            raise NotAllowed(
                "{path} is written once, and stays as it is. An admin can let it be changed: "
                "p2psync rules {mandate} --set {setting!r}",
                path=path,
                mandate=authority.name,
                setting=f"{rule.pattern}={Mode.NEWEST}",
            )

    def freeze(self, period: Period, versions: Mapping[RelPath, ContentId]) -> Freeze:
        """What an admin says to freeze a period with these files, by what each holds.

        Raises UsageError if it is frozen, or if a file holds something else by now, has an open conflict, is still
        arriving, or may not be named before all members.
        """
        if period in self._site.ledger.authority.frozen:
            raise UsageError("The period {period} is frozen already.", period=period)
        if len(versions) > FROZEN_MAX:
            raise UsageError("A period with more than {limit} files cannot be frozen.", limit=FROZEN_MAX)
        named = sorted(path for path in versions if not self._goes_without_saying(path, period))
        self._require_nameable(named)
        closed = tuple(Closed(path, self._standing(path, versions[path])) for path in named)
        for path in versions.keys() - set(named):
            self._standing(path, versions[path])
        return Freeze(period, closed, self._site.ledger.cut())

    def unfreeze(self, period: Period) -> Unfreeze:
        """Raises UsageError if it is not frozen."""
        if period not in self._site.ledger.authority.frozen:
            raise UsageError("The period {period} is not frozen.", period=period)
        return Unfreeze(period)

    def _goes_without_saying(self, path: RelPath, period: Period) -> bool:
        """Whether a restricted file, which no statement names, belongs to the period by the days in its name."""
        rules = self._site.ledger.authority.rules
        stated = period_in_name(name(path)) if rules.rule_for(path).file_class in DATED else None
        return rules.class_id(path) is not None and stated is not None and period.includes(stated)

    def _require_nameable(self, paths: Sequence[RelPath]) -> None:
        rules = self._site.ledger.authority.rules
        secret = next((path for path in paths if rules.class_id(path) is not None), None)
        if secret is not None:
            raise UsageError(
                "{path} cannot be frozen: members who may not see this file would read its name.", path=secret
            )

    def _standing(self, path: RelPath, content: ContentId) -> ChangeId:
        """The change whose content stands, as the person who freezes saw it."""
        state = self._site.state
        heads = state.heads([path]).get(path, ())
        verdict = self._site.ledger.verdict(path, heads)
        if verdict.losers or verdict.merged:
            raise UsageError("{path} has an open conflict. Decide it first: p2psync conflicts", path=path)
        winner = verdict.winner
        if winner is None or winner.entry.kind != Kind.FILE or winner.entry.content != content:
            raise UsageError("{path!r} was changed meanwhile. Look at it again: p2psync period MANDATE", path=path)
        if state.todo_rows(TodoKind.PLACE, [path]):
            raise UsageError("{path} is still arriving. Try again in a moment.", path=path)
        return winner.id

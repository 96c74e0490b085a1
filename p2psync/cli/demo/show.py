"""What happens in the demo, act by act, with its figures measured from outside; and what of it held."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from random import Random
from typing import Any

from p2psync.books.synthetic import add_account, entries_name, mandate_files, more_entries
from p2psync.cli.demo.stage import Pc, waited_s
from p2psync.cli.exits import CommandFailed
from p2psync.cli.values import files, short, size
from p2psync.core.value import mutable, value
from p2psync.i18n import _, later, ngettext, spoken

MANDATE = "Cargo"
YEAR = 2025
SEED = 2025
CHART = f"{MANDATE} {YEAR}.crp"
SAVES = 7
"""Saves on each PC whose way to the others is measured."""
MDNS_S = 5.0
"""How long the first PC to join looks by mDNS alone."""
WAIT_S = 12.0

Say = Callable[[str], None]


@value
class Check:
    """Something the demo promised."""

    promise: str
    """In English; a template for `facts`."""
    held: bool
    facts: Mapping[str, object]

    def told(self) -> dict[str, object]:
        """The same in whatever language, for programs."""
        return {"promise": self.promise.format(**self.facts), "held": self.held}

    def said(self) -> str:
        return spoken(self.promise).format(**self.facts)


@mutable
class Outcome:
    """What the demo promised, and whether it held."""

    checks: list[Check] = field(default_factory=list)
    saves_ms: list[float] = field(default_factory=list)
    """How long each save took to be on all other PCs."""

    def check(self, promise: str, held: bool, **facts: object) -> bool:
        self.checks.append(Check(promise, held, facts))
        return held

    @property
    def held(self) -> bool:
        return bool(self.checks) and all(check.held for check in self.checks)

    def figures(self) -> dict[str, float]:
        """For programs."""
        if not self.saves_ms:
            return {}
        median_ms, slowest_ms = statistics.median(self.saves_ms), max(self.saves_ms)
        return {"saves": len(self.saves_ms), "median_ms": round(median_ms, 1), "slowest_ms": round(slowest_ms, 1)}


class Show:
    """One performance."""

    def __init__(self, pcs: Sequence[Pc], say: Say) -> None:
        self._pcs = pcs
        self._say = say
        self._rng = Random(SEED)
        self._mdns_works = True
        self.outcome = Outcome()

    def play(self) -> Outcome:
        """All acts. Raises CommandFailed where one cannot go on."""
        acts = (
            (_("The PCs start, each with its own p2psync"), self.start),
            (_("Accounting makes a mandate of its folder, and shares it"), self.found),
            (_("The others join, each with a ticket that works once"), self.join),
            (_("All folders become the same"), self.spread),
            (_("What is saved on one PC is on the others at once"), self.propagate),
            (_("Two PCs change the chart of accounts at the same time"), self.conflict),
            (_("A PC loses its power, and comes back"), self.power_cut),
            (_("Everybody can check who changed what"), self.verify),
        )
        for number, (title, act) in enumerate(acts, 1):
            self._say(f"\n{number}. {title}")
            act()
        return self.outcome

    def start(self) -> None:
        for pc in self._pcs:
            pc.begin()
        for pc in self._pcs:
            took_s = pc.await_ready()
            number = pc.process.pid if pc.process is not None else 0
            self._note(
                _("{pc}: process {number}, ready after {seconds:.1f} s").format(
                    pc=pc.name, number=number, seconds=took_s
                )
            )

    def found(self) -> None:
        first = self._pcs[0]
        first.folder.mkdir()
        for name, data in mandate_files(MANDATE, YEAR, self._rng).items():
            (first.folder / name).write_bytes(data)
        first.call("mandate.create", name=MANDATE, folder=str(first.folder), role=first.role)
        first.call("share", mandate=MANDATE)
        for name, data in first.files().items():
            self._note(f"{size(len(data)):>8}  {name}")

    # -- joining ---------------------------------------------------------------------------------------

    def join(self) -> None:
        for pc in self._pcs[1:]:
            ticket = self._pcs[0].call("invite", mandate=MANDATE, role=pc.role)["ticket"]
            way, answer, took_s = self._join_somehow(pc, ticket)
            told = _("{pc} found {first} {way}: admitted as {role} after {seconds:.1f} s").format(
                pc=pc.name, first=self._pcs[0].name, way=way, role=answer.get("role"), seconds=took_s
            )
            self._note(told)
            self.outcome.check(later("{pc} was admitted by a ticket"), answer.get("role") == pc.role, pc=pc.name)
            if pc is self._pcs[1]:
                self._try_again(ticket)

    def _join_somehow(self, pc: Pc, ticket: str) -> tuple[str, Any, float]:
        """By mDNS alone if it can be: with a ticket from which the addresses were taken out."""
        if self._mdns_works:
            answer, took_s = self._timed_join(pc, without_addresses(ticket), MDNS_S)
            if "role" in answer:
                return _("by mDNS"), answer, took_s
            self._mdns_works = False
            self._note(_("no answer by mDNS on this machine; the addresses in the ticket are used"))
        answer, took_s = self._timed_join(pc, ticket, WAIT_S)
        return _("by the ticket's address"), answer, took_s

    def _timed_join(self, pc: Pc, ticket: str, timeout_s: float) -> tuple[Any, float]:
        answers: list[Any] = []

        def ask() -> bool:
            answers.append(pc.call("join", ticket=ticket, folder=str(pc.folder), timeout_s=timeout_s))
            return True

        took_s = waited_s(ask, timeout_s)
        return answers[-1], took_s or 0.0

    def _try_again(self, ticket: str) -> None:
        """The same ticket, by somebody else who found it."""
        last = self._pcs[-1]
        if last is self._pcs[1]:
            return
        try:
            answer = last.call("join", ticket=ticket, folder=str(last.folder), timeout_s=MDNS_S)
            refused = "role" not in answer
            why = str(answer.get("message", ""))
        except CommandFailed as failure:
            refused, why = True, str(failure)
        self._note(_("{pc} tries the same ticket: {why}").format(pc=last.name, why=why))
        self.outcome.check(later("a used ticket is refused"), refused)

    def spread(self) -> None:
        wanted = self._pcs[0].files()
        took_s = waited_s(lambda: all(pc.files() == wanted for pc in self._pcs), WAIT_S)
        total = sum(map(len, wanted.values()))
        same = _("{files}, {size}, identical on {n} PCs").format(
            files=files(len(wanted)), size=size(total), n=len(self._pcs)
        )
        self._note(same if took_s is not None else _("the folders differ"))
        self.outcome.check(later("all folders were the same"), took_s is not None)

    # -- saving ----------------------------------------------------------------------------------------

    def propagate(self) -> None:
        for pc in self._pcs:
            pc.call("wait", timeout_s=WAIT_S)
            times = [self._save_and_measure(pc) for _save in range(SAVES)]
            arrived = [1000 * seconds for seconds in times if seconds is not None]
            self.outcome.saves_ms += arrived
            self.outcome.check(later("every save on {pc} arrived"), len(arrived) == SAVES, pc=pc.name)
            if arrived:
                self._note(
                    _(
                        "{pc}: {n} saves, on all other PCs after {median:.0f} ms (median), {most:.0f} ms (slowest)"
                    ).format(pc=pc.name, n=SAVES, median=statistics.median(arrived), most=max(arrived))
                )

    def _save_and_measure(self, pc: Pc) -> float | None:
        name, data = self._next_save(pc)
        pc.save(name, data)
        others = [other for other in self._pcs if other is not pc]
        return waited_s(lambda: all(other.holds(name, data) for other in others), WAIT_S)

    def _next_save(self, pc: Pc) -> tuple[str, bytes]:
        """What a program of that role would write next."""
        names = {
            "payroll": entries_name(f"{MANDATE} Löhne", YEAR, "ecs"),
            "invoicing": entries_name(MANDATE, YEAR, "ecf"),
        }
        name = names.get(pc.role)
        if name is None:
            return CHART, self._next_chart(pc)
        return name, more_entries((pc.folder / name).read_bytes(), 2, self._rng)

    def _next_chart(self, pc: Pc) -> bytes:
        number = str(self._rng.randint(9000, 9999))
        return add_account((pc.folder / CHART).read_bytes(), number, f"Compte {number}")

    # -- a conflict ------------------------------------------------------------------------------------

    def conflict(self) -> None:
        first, second = self._pcs[:2]
        second.stop()
        self._note(_("{pc} is off, and somebody edits its {file} meanwhile").format(pc=second.name, file=CHART))
        theirs = add_account((second.folder / CHART).read_bytes(), "9998", _("made by payroll"))
        (second.folder / CHART).write_bytes(theirs)
        ours = add_account((first.folder / CHART).read_bytes(), "9999", _("made by accounting"))
        first.save(CHART, ours)
        second.begin()
        second.await_ready()
        took_s = waited_s(lambda: all(pc.holds(CHART, ours) for pc in self._pcs), WAIT_S)
        self.outcome.check(later("in a conflict over the .crp accounting's version won everywhere"), took_s is not None)
        self._note(_("back again: the version of {pc} stands on all PCs").format(pc=first.name))
        self._show_loser(theirs)

    def _show_loser(self, theirs: bytes) -> None:
        agreed = waited_s(self._all_list_the_same, WAIT_S) is not None
        listed = self._conflicts(self._pcs[0])
        self.outcome.check(later("all PCs list the same conflict"), agreed and len(listed) == 1)
        for one in listed:
            loser = one["losers"][0]
            self._note(_("kept aside: version {id} by {device}").format(id=short(loser["id"]), device=loser["name"]))
            target = self._pcs[0].home.parent / "loser"
            restored = self._bring_back(loser["id"], str(target))
            same = restored and target.read_bytes() == theirs
            self.outcome.check(later("the version that lost was kept, byte by byte"), same)

    def _bring_back(self, version: str, target: str) -> bool:
        def ask() -> bool:
            try:
                self._pcs[0].call("restore", mandate=MANDATE, path=CHART, version=version, to=target)
            except CommandFailed:
                return False  # its bytes are still on their way
            return True

        return waited_s(ask, WAIT_S) is not None

    def _all_list_the_same(self) -> bool:
        lists = [[(c["path"], [loser["id"] for loser in c["losers"]]) for c in self._conflicts(pc)] for pc in self._pcs]
        return bool(lists[0]) and all(one == lists[0] for one in lists)

    def _conflicts(self, pc: Pc) -> Any:
        return pc.call("conflicts", mandate=MANDATE)

    # -- a power cut -----------------------------------------------------------------------------------

    def power_cut(self) -> None:
        first, last = self._pcs[0], self._pcs[-1]
        data = self._rng.randbytes(8 << 20)
        first.save("annual report.pdf", data)
        last.kill()
        self._note(_("{pc} is killed while a file of {size} is on its way").format(pc=last.name, size=size(len(data))))
        last.begin()
        back_s = last.await_ready()
        whole = waited_s(lambda: all(pc.holds("annual report.pdf", data) for pc in self._pcs), WAIT_S)
        self.outcome.check(later("after a power cut the PC caught up"), whole is not None)
        if whole is not None:
            self._note(
                _("ready again after {ready:.1f} s, and the file is whole {seconds:.1f} s later").format(
                    ready=back_s, seconds=whole
                )
            )
        same = waited_s(lambda: all(pc.files() == first.files() for pc in self._pcs), WAIT_S)
        self.outcome.check(later("in the end all folders are the same"), same is not None)

    def verify(self) -> None:
        answers = [pc.call("log.verify", mandate=MANDATE) for pc in self._pcs]
        whole = all(answer["ok"] for answer in answers)
        self.outcome.check(later("every signature in every PC's log is right"), whole)
        if whole:
            count = answers[0]["blocks"]
            text = ngettext("{n} signed entry", "{n} signed entries", count).format(n=count)
            self._note(_("{entries} on each PC, every signature verified").format(entries=text))

    def _note(self, text: str) -> None:
        self._say(f"   {text}")


def without_addresses(ticket: str) -> str:
    """The same ticket for somebody who has to find its issuer by himself."""
    from p2psync.pair.ticket import encode, parse

    return encode(replace(parse(ticket), addresses=()))


def summary(outcome: Outcome, took_s: float) -> str:
    """What held, what did not, and the figures."""
    lines = ["", _("Summary, after {seconds:.0f} s").format(seconds=took_s)]
    lines += [f"   {'ok  ' if check.held else 'NOT '}  {check.said()}" for check in outcome.checks]
    if outcome.saves_ms:
        text = _("saved on one PC, visible on all others: {median:.0f} ms in the median of {n} saves")
        lines.append("   " + text.format(median=statistics.median(outcome.saves_ms), n=len(outcome.saves_ms)))
    lines.append("")
    lines.append(_("Everything held.") if outcome.held else _("Not everything held: see NOT above."))
    return "\n".join(lines)

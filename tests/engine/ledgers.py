"""Ledgers of several devices without links: what one wrote, the others read when they are told to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

from p2psync.core.block import Block, Opening, log_id_of, parse_block, sign_block
from p2psync.core.change import Change
from p2psync.core.changelog import Stated
from p2psync.core.clock import Tip
from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import ChangeId, DeviceId, LogId, MandateId, content_of
from p2psync.core.mark import POSTED, Mark
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable, parse_restriction
from p2psync.core.statement import Admit
from p2psync.engine.admin import Founding, found
from p2psync.engine.ledger import Ledger, MissingBlock, Taken
from p2psync.engine.postings import standing
from p2psync.sim.state import MemoryDeviceState, MemoryMandateState
from tests.engine.village import fake_keys

RESTRICTED_RULES = DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=accounting,payroll"))


def entry(text: str | None) -> Entry:
    if text is None:
        return ABSENT
    return Entry(Kind.FILE, len(text), 1_700_000_000_000_000_000, 0, content_of(text.encode()))


class Desk:
    """One device's ledger of one mandate."""

    def __init__(self, name: str, mandate: MandateId, device: MemoryDeviceState | None = None, run: str = ""):
        self.name = name
        self.mandate = mandate
        self.keys = fake_keys(name)
        self.device = device or MemoryDeviceState()
        if mandate not in self.device.mandates():
            self.device.add_mandate(mandate)
        self.ledger = Ledger(mandate, self.state, self.keys, Random(f"{name} {run}"))
        self._run = run
        self._seen: set[bytes] = set()

    @property
    def id(self) -> DeviceId:
        return self.keys.device

    @property
    def state(self) -> MemoryMandateState:
        return self.device.mandate(self.mandate)

    # -- write -----------------------------------------------------------------------------------------

    def save(self, path: str, text: str | None, *, naming: Iterable[ChangeId] | None = None) -> ChangeId:
        """Write a change into the log of its class; it names the heads, if not said otherwise."""
        where = parse(path)
        parents = tuple(head.id for head in self.heads(path)) if naming is None else tuple(naming)
        [taken] = self.ledger.append([Change(where, entry(text), parents)], self.ledger.class_of(where), 1_000)
        return ChangeId(taken.row.hash, 0)

    def mark(self, path: str, text: str | None, *, kind: str = POSTED, naming: Iterable[ChangeId] = ()) -> ChangeId:
        """Write a mark into the log of its file's class, whether this device may or not."""
        where, content = parse(path), None if text is None else content_of(text.encode())
        mark = Mark(kind, where, content, tuple(naming))
        [taken] = self.ledger.mark([mark], self.ledger.class_of(where), 1_000)
        return ChangeId(taken.row.hash, 0)

    def marks(self, path: str) -> list[ChangeId]:
        """Accepted or not."""
        return [one.id for one, _ in self.state.marks([parse(path)])]

    def say(self, *statements: Any) -> Taken:
        return self.ledger.state_authority(statements, 1_000)

    def admit(self, *others: Desk, role: Role = Role.INVOICING, admin: bool = False) -> None:
        for other in others:
            self.say(Admit(other.id, b"cert", other.name, role, admin, b""))

    # -- read ------------------------------------------------------------------------------------------

    def blocks(self) -> list[bytes]:
        """All that this device has, each after what it names."""
        rows = [row for log in self.ledger.tips for row in self.state.blocks_of(log, 0)]
        return list(self.state.raw_blocks(sorted(row.intake for row in rows)))

    def read(self, *others: Desk) -> list[Taken]:
        """Take in all that the others have."""
        return self.take(raw for other in others for raw in other.blocks())

    def take(self, blocks: Iterable[bytes]) -> list[Taken]:
        """Take blocks in, each as soon as what it names is here."""
        taken: list[Taken] = []
        waiting = [raw for raw in blocks if raw not in self._seen]
        self._seen.update(waiting)
        while waiting:
            left: list[bytes] = []
            for raw in waiting:
                try:
                    one = self.ledger.join(raw)
                except MissingBlock:
                    left.append(raw)
                else:
                    taken += [one] if one is not None else []
            if len(left) == len(waiting):
                raise AssertionError(f"{len(left)} blocks name others that are not there")
            waiting = left
        return taken

    # -- look ------------------------------------------------------------------------------------------

    def heads(self, path: str) -> list[Stated]:
        return list(self.state.heads([parse(path)]).get(parse(path), ()))

    def texts(self, path: str) -> set[str | None]:
        """What the heads of a path say, by the texts saved in these tests."""
        known = {content_of(text.encode()): text for text in TEXTS}
        return {None if head.entry.content is None else known[head.entry.content] for head in self.heads(path)}

    def logs(self, file_class: str = "") -> list[LogId]:
        return [log for log in self.ledger.tips if self.ledger.file_class(log) == file_class]

    def own(self, file_class: str = "") -> LogId:
        """The one log of a class that this device wrote."""
        [log] = (log for log in self.logs(file_class) if self.ledger.author(log) == self.id)
        return log

    def tip(self, file_class: str = "") -> Tip:
        """The end of this device's log."""
        return self.ledger.tips[self.own(file_class)][-1]

    def accepted(self, change: ChangeId) -> bool:
        return self.state.is_accepted(change)

    def outcome(self) -> object:
        """All that follows from the blocks, but for the order in which they came."""
        changes = {c.id: (c, self.state.is_accepted(c.id)) for c in self.state.all_changes()}
        paths = {c.path for c in self.state.all_changes()}
        heads = {path: {h.id for h in many} for path, many in self.state.heads(paths).items()}
        marks = self.state.marks()
        known = self.ledger.authority, self.ledger.tips, self.ledger.constitution.unknown
        return *known, changes, heads, marks, standing(marks)

    # -- accidents -------------------------------------------------------------------------------------

    def restarted(self) -> Desk:
        """The same device in its next run."""
        return Desk(self.name, self.mandate, self.device, self._run + " again")

    def backup(self, name: str = "backup") -> Desk:
        """The same device, as a backup of its database would go on."""
        return Desk(self.name, self.mandate, self.device.copy(), f"{self._run} {name}")


TEXTS = ["one", "two", "three", "four", "five", "mine", "yours", "old", "new", "before", "after", "during"]


def office(
    *names: str, rules: RuleTable = DEFAULT_RULES, role: Role = Role.INVOICING, admin: bool = False
) -> list[Desk]:
    """A mandate that the first founded, where all others were admitted and know it."""
    founding = Founding("Cargo", Role.ACCOUNTING, b"cert", names[0], rules)
    mandate, genesis = found(fake_keys(names[0]).device, founding, Random("office"))
    first, *others = (Desk(name, mandate) for name in names)
    first.say(genesis)
    first.admit(*others, role=role, admin=admin)
    for other in others:
        other.read(first)
    return [first, *others]


def two() -> tuple[Desk, Desk]:
    """Two members that wrote and know of each other."""
    a, b = office("a", "b")
    a.save("theirs", "one")
    b.read(a)
    b.save("b's", "one")
    a.read(b)
    return a, b


def forged(desk: Desk, block: Block) -> bytes:
    """A block signed by this device that its own ledger never wrote."""
    return sign_block(desk.mandate, block, desk.keys.sign).raw


def blocks_of(desk: Desk, log: LogId) -> list[Block]:
    parsed = [parse_block(desk.mandate, raw).block for raw in desk.blocks()]
    return [block for block in parsed if block.log == log]


def new_block(author: Desk, *changes: Change, number: int = 0, file_class: str = "", **fields: object) -> Block:
    """The first block of a new log, but for what is said otherwise; the number tells such logs apart."""
    clock = tuple((log, tips[0]) for log, tips in sorted(author.ledger.tips.items()))
    made = changes or (Change(parse("x"), entry("mine"), ()),)
    opening = Opening(author.id, file_class, bytes([number // 256, number % 256]))
    block = Block(log_id_of(opening), 1, None, 0, clock, opening, made)
    return replace(block, **fields)  # type: ignore[arg-type]


def next_block(author: Desk, **fields: object) -> Block:
    """The next block of the author's log, but for what is said otherwise."""
    end = author.tip()
    return replace(new_block(author, log=author.own(), seq=end.seq + 1, prev=end.hash, opening=None), **fields)  # type: ignore[arg-type]

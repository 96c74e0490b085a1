"""The mandate's signed logs on this device: append own blocks, join those of others, say who may what.

A block is taken in when everything its clock names is here. Whether its changes count is a function of the
authority alone; when the authority changes in a way that may touch older blocks, all are judged again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import compress
from random import Random
from typing import TypeVar

from p2psync.core.authority import Authority
from p2psync.core.block import (
    AUTHORITY,
    CHANGES_MAX,
    ORDINARY,
    PAYLOAD_BYTES_AIM,
    SALT_BYTES,
    SEQ_MAX,
    Block,
    Opening,
    Sign,
    SignedBlock,
    Verify,
    log_id_of,
    parse_block,
    sign_block,
)
from p2psync.core.change import NAMED_MAX, Change
from p2psync.core.changelog import Stated, covers_block, differing, stamp, with_block
from p2psync.core.clock import Tip, Tips
from p2psync.core.conflict import Verdict, judge
from p2psync.core.constitution import Constitution
from p2psync.core.cut import Cut, cut_of
from p2psync.core.entry import Kind
from p2psync.core.ids import BlockHash, ChangeId, DeviceId, LogId, MandateId
from p2psync.core.mark import MARKS_MAX, RECEIVED, Mark, StatedMark
from p2psync.core.relpath import RelPath
from p2psync.core.rules import RESTRICTED
from p2psync.core.statement import Statement, pack_statements, unpack_statements
from p2psync.core.value import value
from p2psync.engine.ancestry import Ancestry
from p2psync.engine.state import BlockRow, LogRow, MandateState
from p2psync.errors import CodecError, RemoteProtocolError, UsageError
from p2psync.wire.messages import TIPS_PER_LOG_MAX

CHANGE_BYTES_GUESS = 160
"""What a change costs in a block beside its path; only to split batches before they grow too large."""
BRANCHES_MAX = 16
"""Tips of one log that its author may tell a device; each restored backup of it makes one more."""
TIPS_PER_DEVICE_MAX = 256
"""Tips of all its logs that a device may tell another."""
TIPS_OF_DEVICE_MAX = 4096
"""The same of a device by way of others. What one honest member has taken in from a device, all others must be able
to take in too, or they would refuse each other: so the two limits above hold for the author alone. This one is out
of its reach: it could tell so much only to as many members that are all apart from each other, or by an accomplice."""

T = TypeVar("T", Change, Mark)


@value
class Keys:
    """Who this device is."""

    device: DeviceId
    sign: Sign
    verify: Verify


@value
class Taken:
    """A block that is in the log now."""

    row: BlockRow
    file_class: str
    paths: tuple[RelPath, ...]
    """Those whose heads may have changed; all paths touched when older blocks were judged again."""
    authority_changed: bool
    forked: bool
    """The block is a second branch of its log."""
    marks: tuple[Mark, ...] = ()
    """Those that count, but for receipts."""
    receipts: tuple[StatedMark, ...] = ()


class MissingBlock(Exception):
    """A block names one that is not here: its log has to be sent again."""

    def __init__(self, log: LogId):
        self.log = log


class Ledger:
    def __init__(self, mandate: MandateId, state: MandateState, keys: Keys, rng: Random):
        self.mandate = mandate
        self._state = state
        self._keys = keys
        self._rng = rng
        self._logs: dict[LogId, LogRow] = {row.log: row for row in state.logs()}
        self.tips: dict[LogId, tuple[Tip, ...]] = dict(state.tips())
        self._trunks = {log: _trunk(state.blocks_of(log, 0)) for log, tips in self.tips.items() if len(tips) > 1}
        """For each log that has forked, the number of the last block before."""
        self._ancestry = Ancestry(state)
        self._named: dict[LogId, Tips] = {}
        """For each own log, what its blocks of this run have named; a new run names everything once more."""
        self._unsealed: dict[tuple[tuple[bytes, ...], LogId], tuple[Tip, ...]] = {}
        """What cuts say of logs that they do not name openly: opening costs more than looking up."""
        self.constitution = Constitution(mandate)
        for row, block in state.parsed_blocks(AUTHORITY):
            self.constitution.add(row.hash, block, self._logs[row.log].device, row.authority_tips)

    @property
    def authority(self) -> Authority:
        return self.constitution.current

    def file_class(self, log: LogId) -> str:
        return self._logs[log].file_class

    def author(self, log: LogId) -> DeviceId:
        return self._logs[log].device

    def verdict(self, path: RelPath, heads: Sequence[Stated], base_heads: Sequence[ChangeId] = ()) -> Verdict:
        """Which of these heads wins, by the authority of now."""
        return judge(path, heads, self.authority, self._state.founders, base_heads)

    def may_write(self, path: RelPath, kind: Kind = Kind.FILE) -> bool:
        """Whether a change of this path by this device, to that kind of entry, would be accepted."""
        return self.authority.may_write(self._keys.device, path, self.makers_here, kind, self._replaces_here)

    def makers_here(self, path: RelPath) -> Set[DeviceId]:
        return self._ancestry.makers(tuple(head.id for head in self._state.heads([path]).get(path, ())))

    def _replaces_here(self, path: RelPath) -> bool:
        """Whether there is a file, by the log or on this disk, whose place a change of the path would take."""
        heads = [head.id for head in self._state.heads([path]).get(path, ())]
        base = self._state.bases([path]).get(path)
        return self._ancestry.has_file((*heads, *(base.heads if base is not None else ())))

    def class_of(self, path: RelPath) -> str:
        """The class of the log that a change of this path belongs in."""
        return self.authority.rules.class_id(path) or ORDINARY

    def readable_tips(self, device: DeviceId) -> dict[LogId, tuple[Tip, ...]]:
        """The tips of the logs that a member may read."""
        return {log: tips for log, tips in self.tips.items() if self.may_read(device, log)}

    def raw_blocks(self, blocks: Sequence[BlockHash]) -> Sequence[bytes]:
        """The signed bytes of blocks that are here, in the order asked for."""
        rows = [row for block in blocks if (row := self._state.block(block)) is not None]
        return self._state.raw_blocks([row.intake for row in rows])

    def may_read(self, device: DeviceId, log: LogId) -> bool:
        return self._is_open(self.file_class(log)) or self.authority.may_read(device, self.file_class(log))

    def parent(self, digest: BlockHash) -> tuple[int, BlockHash | None]:
        """A known block's number and predecessor; raises KeyError."""
        row = self._state.block(digest)
        if row is None:
            raise KeyError(digest)
        return row.seq, row.prev

    def covered(self, tips: Tips, log: LogId, tip: Tip) -> bool:
        """Whether a block that is here is among or before `tips`."""
        if tip.seq <= self._trunks.get(log, SEQ_MAX):
            return any(top.seq > tip.seq or top == tip for top in tips.get(log, ()))
        return covers_block(tips, log, tip, self.parent)

    def cut(self) -> Cut:
        """Everything this device has accepted, for a statement that takes a right."""
        restricted = {log: tips for log, tips in self.tips.items() if self.file_class(log).startswith(RESTRICTED)}
        tips = {log: t for log, t in self.tips.items() if log not in restricted and self.file_class(log) != AUTHORITY}
        return cut_of(tips, restricted, self._rng)

    def _cut_in(self, cut: Cut, log: LogId) -> tuple[Tip, ...]:
        if log in cut.tips or not cut.sealed:
            return cut.tips.get(log, ())
        if (cut.sealed, log) not in self._unsealed:
            self._unsealed[cut.sealed, log] = cut.of(log)
        return self._unsealed[cut.sealed, log]

    # -- append ----------------------------------------------------------------------------------------

    def append(self, changes: Sequence[Change], file_class: str, now_ms: int) -> list[Taken]:
        """Write changes of one class into this device's log: as few blocks as their limits allow.

        A change that would name more others than it may names some of them; the rest go on being heads.
        """
        return [
            self._append(file_class, now_ms, changes=part) for part in _parts(map(_within_limits, changes), CHANGES_MAX)
        ]

    def mark(self, marks: Sequence[Mark], file_class: str, now_ms: int) -> list[Taken]:
        """Write marks of files of one class into this device's log."""
        return [self._append(file_class, now_ms, marks=part) for part in _parts(marks, MARKS_MAX)]

    def state_authority(self, statements: Sequence[Statement], now_ms: int) -> Taken:
        """Write statements into this device's authority log.

        Raises UsageError for what no member could read, this device included: a name that is too long.
        """
        try:
            unpack_statements(pack_statements(tuple(statements)))
        except CodecError as error:
            raise UsageError(str(error)) from error
        return self._append(AUTHORITY, now_ms, statements=tuple(statements))

    def _append(
        self,
        file_class: str,
        now_ms: int,
        changes: tuple[Change, ...] = (),
        statements: tuple[Statement, ...] = (),
        marks: tuple[Mark, ...] = (),
    ) -> Taken:
        log, opening = self._own_log(file_class)
        top = self.tips[log][-1] if opening is None else None
        named = {i.block for c in changes for i in c.named} | {i.block for m in marks for i in m.named}
        block = Block(
            log,
            top.seq + 1 if top else 1,
            top.hash if top else None,
            now_ms,
            self._clock_for(log, file_class, named),
            opening,
            changes,
            statements,
            marks,
        )
        return self._take(sign_block(self.mandate, block, self._keys.sign), self._keys.device, told_by=None)

    def _own_log(self, file_class: str) -> tuple[LogId, Opening | None]:
        """The log to go on in; a new one, to be opened so, where there is none or where the old one has forked."""
        name = f"own log {file_class}"
        current = self._state.get(name)
        if isinstance(current, bytes) and len(self.tips.get(LogId(current), ())) == 1:
            return LogId(current), None
        opening = Opening(self._keys.device, file_class, self._rng.randbytes(SALT_BYTES))
        fresh = log_id_of(opening)
        self._state.put(name, fresh)
        return fresh, opening

    def _clock_for(self, log: LogId, file_class: str, named: Set[BlockHash]) -> tuple[tuple[LogId, Tip], ...]:
        """Only logs that every reader of this one may read, and only what changed since its last block.

        Authority names authority alone: who belongs can be told without any file's history. Of a device that opened
        logs or branches without end, only the blocks whose changes are `named` here: a clock has to fit a block.
        """
        classes = {AUTHORITY} if file_class == AUTHORITY else {ORDINARY, AUTHORITY, file_class}
        overgrown = self._overgrown()
        readable = {
            other: tips
            for other, tips in self.tips.items()
            if other != log and self.file_class(other) in classes and other not in overgrown
        }
        clock = differing(readable, self._named.get(log, {}))
        self._named[log] = readable
        rows = [row for block in sorted(named) if (row := self._state.block(block)) is not None] if overgrown else []
        clock += [(row.log, Tip(row.seq, row.hash)) for row in rows if row.log in overgrown and row.log != log]
        return tuple(clock)

    def _overgrown(self) -> Set[LogId]:
        """The logs of files of devices that have more tips than they may tell anybody."""
        tips = Counter[DeviceId]()
        for log, several in self.tips.items():
            tips[self.author(log)] += len(several)
        many = {device for device, count in tips.items() if count > TIPS_PER_DEVICE_MAX}
        return {log for log in self.tips if self.author(log) in many and self.file_class(log) != AUTHORITY}

    # -- join ------------------------------------------------------------------------------------------

    def join(self, raw: bytes, told_by: DeviceId | None = None) -> Taken | None:
        """Take in a block from anybody; None if it is here already. `told_by`: which device it came from.

        Raises CodecError, SignatureInvalid or RemoteProtocolError for a block that no honest device sends,
        MissingBlock if one it names is not here.
        """
        signed = parse_block(self.mandate, raw)
        if self._state.block(signed.hash) is not None:
            return None
        author = self._author_of(signed.block)
        signed.verify(self.mandate, author, self._keys.verify)
        self._check_chain(signed.block)
        self._check_author(author)  # now that its admission, which it names, is here
        return self._take(signed, author, told_by)

    def _author_of(self, block: Block) -> DeviceId:
        if block.opening is None:
            if block.log not in self._logs:
                raise MissingBlock(block.log)
            return self._logs[block.log].device
        if block.log != log_id_of(block.opening):
            raise RemoteProtocolError("a log that was opened under the id of another")
        return block.opening.device

    def _check_author(self, author: DeviceId) -> None:
        """Strangers cannot fill our disk: only whom a member made a member, though another may have undone it."""
        if self.authority.is_founded and not self.constitution.has_named(author):
            raise RemoteProtocolError("a block by a device that was never a member")

    def _check_chain(self, block: Block) -> None:
        if block.prev is not None:
            before = self._state.block(block.prev)
            if before is None:
                raise MissingBlock(block.log)
            if before.log != block.log or before.seq != block.seq - 1:
                raise RemoteProtocolError("a block follows one of another log or number")
        own = block.opening.file_class if block.opening else self.file_class(block.log)
        for log, tip in block.clock:
            named = self._state.block(tip.hash)
            if named is None:
                raise MissingBlock(log)
            if named.log != log or named.seq != tip.seq:
                raise RemoteProtocolError("a block's clock names a block wrongly")
            if self.file_class(log) != own and self.file_class(log).startswith(RESTRICTED):
                raise RemoteProtocolError("a block's clock names a log that not all of its readers may read")

    # -- both ------------------------------------------------------------------------------------------

    def _take(self, signed: SignedBlock, author: DeviceId, told_by: DeviceId | None) -> Taken:
        block = signed.block
        file_class = block.opening.file_class if block.opening else self._logs[block.log].file_class
        tips = with_block(self.tips, block.log, Tip(block.seq, signed.hash), block.prev)
        self._check_branches(block.log, author, tips, told_by)
        named = self.constitution.maximal({*self._authority_before(block), *self._authority_in(block)})
        if block.statements and file_class != AUTHORITY:
            raise CodecError("statements outside an authority log")
        if block.marks and file_class == AUTHORITY:
            raise CodecError("marks in an authority log")
        stated, marks = self._stated(signed, author), self._stated_marks(signed, author)
        if block.opening is not None and block.log not in self._logs:
            self._logs[block.log] = LogRow(block.log, author, file_class)
            self._state.add_log(self._logs[block.log])
        forked = len(tips[block.log]) > len(self.tips.get(block.log, ())) > 0
        if forked:
            self._trunks[block.log] = min(self._trunks.get(block.log, SEQ_MAX), block.seq - 1)
        self.tips = tips
        self._state.put_tips(tips, block.log)
        if file_class == AUTHORITY:
            return self._take_authority(signed, author, named, forked)
        row = self._state.add_block(signed, named)
        accepted = self._judge(row, block, author, file_class)
        counted = tuple(compress(marks, accepted))
        if marks:  # receipts lie in the log alone: there may be more of them than of anything else
            self._state.add_marks([p for p in zip(marks, accepted, strict=True) if p[0].mark.kind != RECEIVED])
        else:
            self._state.add_changes(list(zip(stated, accepted, strict=True)))
        paths = [c.path for c in block.changes]
        if len(tips[block.log]) > 1 and self._is_cut_at(row):
            paths += sorted(self.judge_all().difference(paths))
        receipts = tuple(one for one in counted if one.mark.kind == RECEIVED)
        rest = tuple(one.mark for one in counted if one.mark.kind != RECEIVED)
        return Taken(row, file_class, tuple(paths), False, forked, rest, receipts)

    def _is_cut_at(self, row: BlockRow) -> bool:
        """Whether a cut names this block: until it came, the cut was taken to cover both branches of the log."""
        tip = Tip(row.seq, row.hash)
        return any(tip in self._cut_in(cut, row.log) for cut in self.constitution.cuts)

    def _check_branches(self, log: LogId, author: DeviceId, tips: Tips, told_by: DeviceId | None) -> None:
        """What an author tells too much of is refused; what others took in of it already counts."""
        if len(tips[log]) <= len(self.tips.get(log, ())):
            return
        of_log, of_device = TIPS_PER_LOG_MAX, TIPS_OF_DEVICE_MAX
        if told_by == author:
            of_log, of_device = BRANCHES_MAX, TIPS_PER_DEVICE_MAX
        if len(tips[log]) > of_log:
            raise RemoteProtocolError("a log with too many branches")
        others = sum(len(tips[row.log]) for row in self._logs.values() if row.device == author and row.log != log)
        if others + len(tips[log]) > of_device:
            raise RemoteProtocolError("a device with too many logs")

    def _take_authority(
        self, signed: SignedBlock, author: DeviceId, named: tuple[BlockHash, ...], forked: bool
    ) -> Taken:
        row = self._state.add_block(signed, named)
        reaches_back = self.constitution.add(signed.hash, signed.block, author, named)
        paths = tuple(sorted(self.judge_all())) if reaches_back else ()
        return Taken(row, AUTHORITY, paths, True, forked)

    def judge_all(self) -> set[RelPath]:
        """Judge every block again by the authority of now; returns the paths whose heads may differ."""
        classes = {row.file_class for row in self._logs.values()} - {AUTHORITY}
        return self._state.judge_again(
            (row.hash, self._judge(row, block, self.author(row.log), file_class))
            for file_class in sorted(classes)
            for row, block in self._state.parsed_blocks(file_class)
        )

    def _judge(self, row: BlockRow, block: Block, author: DeviceId, file_class: str) -> list[bool]:
        """For each change or mark of a block, whether it counts."""
        view = self.constitution.view(row.authority_tips)
        tip = Tip(row.seq, row.hash)
        authority = self.constitution.at(
            view, lambda cut: not self.covered({row.log: self._cut_in(cut, row.log)}, row.log, tip)
        )

        class_id = authority.rules.class_id

        def belongs(path: RelPath) -> bool:
            return (class_id(path) or ORDINARY) == file_class

        def named(path: RelPath) -> tuple[ChangeId, ...]:
            return next(c.named for c in block.changes if c.path == path)

        def makers(path: RelPath) -> Set[DeviceId]:
            return self._ancestry.makers(named(path))

        def replaces(path: RelPath) -> bool:
            return self._ancestry.has_file(named(path))

        if block.marks:
            return [belongs(m.path) and (m.kind == RECEIVED or authority.may_post(author, m.path)) for m in block.marks]
        may_write = authority.may_write
        return [belongs(c.path) and may_write(author, c.path, makers, c.entry.kind, replaces) for c in block.changes]

    def _authority_before(self, block: Block) -> Sequence[BlockHash]:
        if block.prev is None:
            return ()
        if block.prev in self.constitution:
            return (block.prev,)
        before = self._state.block(block.prev)
        assert before is not None, "the chain was checked, or is our own"
        return before.authority_tips

    def _authority_in(self, block: Block) -> Iterable[BlockHash]:
        return (tip.hash for _, tip in block.clock if tip.hash in self.constitution)

    def _stated(self, signed: SignedBlock, author: DeviceId) -> list[Stated]:
        """The block's changes with their stamps; raises RemoteProtocolError if they name what they may not."""
        named = {i for c in signed.block.changes for i in c.named}
        known = self._state.changes(named) if named else {}
        digest, time_ms = signed.hash, signed.block.time_ms
        return [
            Stated(
                *(ChangeId(digest, index), author, c.path, c.entry),
                *(c.parents, c.settled, _stamp(c, known), time_ms),
            )
            for index, c in enumerate(signed.block.changes)
        ]

    def _stated_marks(self, signed: SignedBlock, author: DeviceId) -> list[StatedMark]:
        """The block's marks with their stamps; raises RemoteProtocolError if they name what they may not."""
        marks = signed.block.marks
        if not marks:
            return []
        known = self._state.marks_by_id({i for mark in marks for i in mark.named})
        if any(i not in known or known[i].mark.path != mark.path for mark in marks for i in mark.named):
            raise RemoteProtocolError("a mark names a mark of another path, or one that does not exist")
        return [
            StatedMark(
                *(ChangeId(signed.hash, index), author, mark),
                *(stamp(known[i].stamp for i in mark.named), signed.block.time_ms),
            )
            for index, mark in enumerate(marks)
        ]

    @staticmethod
    def _is_open(file_class: str) -> bool:
        return file_class in (ORDINARY, AUTHORITY)


def _trunk(rows: Iterable[BlockRow]) -> int:
    """The number up to which the blocks of one log are one chain."""
    count = Counter(row.seq for row in rows)
    return min((seq - 1 for seq, blocks in count.items() if blocks > 1), default=SEQ_MAX)


def _stamp(change: Change, known: Mapping[ChangeId, Stated]) -> int:
    """Raises RemoteProtocolError if the change names what it may not."""
    named = change.named
    for i in named:
        if i not in known or known[i].path != change.path:
            raise RemoteProtocolError("a change names a change of another path, or one that does not exist")
    return stamp([known[i].stamp for i in named] if named else ())


def _within_limits(change: Change) -> Change:
    if len(change.parents) <= NAMED_MAX and len(change.settled) <= NAMED_MAX:
        return change
    return replace(change, parents=change.parents[:NAMED_MAX], settled=change.settled[:NAMED_MAX])


def _parts(changes: Iterable[T], count_max: int) -> Iterable[tuple[T, ...]]:
    """Batches that fit a block, in the order given."""
    part: list[T] = []
    size = 0
    for change in changes:
        cost = CHANGE_BYTES_GUESS + len(change.path.encode()) + 40 * len(change.named)
        if part and (len(part) == count_max or size + cost > PAYLOAD_BYTES_AIM):
            yield tuple(part)
            part, size = [], 0
        part.append(change)
        size += cost
    if part:
        yield tuple(part)

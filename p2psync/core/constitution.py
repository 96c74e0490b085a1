"""The authority blocks that are here, in their turn: what they mean, at any view of them.

The statements fold in one total order: causal; among concurrent ones the senior author first (the recovery
key, the creator, then by admission), then by hash. A statement whose author had not the right at its turn is void.
A statement that *gives* a right counts for blocks whose clock names it; one that *takes* a right carries a
cut, and counts for every block outside the cut. Neither arrival nor wall clocks matter.

Sets of authority blocks are bit masks over the order in which this device took them in, so that "what had
this block's author read" is one integer, and states at different views are cached under it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from p2psync.core.authority import RANK_CREATOR, RANK_STRANGER, Authority, Member, mandate_id_of
from p2psync.core.block import Block
from p2psync.core.cut import Cut
from p2psync.core.ids import BlockHash, DeviceId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.core.rules import Role, fold
from p2psync.core.statement import (
    TAKING,
    Admit,
    CancelIssue,
    Freeze,
    Genesis,
    Give,
    Issue,
    Leave,
    Rename,
    Revoke,
    SetAttach,
    SetCurrent,
    SetHosts,
    SetOwner,
    SetPerson,
    SetPrimary,
    SetRole,
    SetRules,
    SetSecret,
    Share,
    Unfreeze,
    UnknownStatement,
)
from p2psync.core.value import value


@value
class Turn:
    """One statement in the total order."""

    index: int
    """Of the block that carries it, in intake order: its bit in the masks."""
    author: DeviceId
    statement: Any
    void: bool
    """True if its author had not the right at its turn: it has no effect."""


@value
class Removal:
    """Why a device belongs no more."""

    by: DeviceId
    """The admin who revoked it, or itself if it left."""
    time_ms: int
    """The clock of that device then, for people."""
    blocks: tuple[BlockHash, ...]
    """The block that says so, the last, and before it all that its author had read: nothing newer."""


class Constitution:
    """The authority blocks taken in so far, and what they mean at any view.

    Grows only by `add`; everything else is a function of the set of blocks.
    """

    def __init__(self, mandate: MandateId):
        self.mandate = mandate
        self.current = Authority()
        self.turns: tuple[Turn, ...] = ()
        self.unknown: str | None = None
        """A kind of statement that this version does not know: the mandate has to stop."""
        self._blocks: list[tuple[BlockHash, DeviceId, Block]] = []
        self._index: dict[BlockHash, int] = {}
        self._ancestors: list[int] = []
        self._read: list[frozenset[int]] = []
        """The blocks that each one's author had read last; all its ancestors follow from them."""
        self._takings: list[tuple[int, Any]] = []
        """Positions and statements of the turns that count outside of a cut."""
        self._in_views: dict[int, int] = {}
        self._states: dict[int, Authority] = {}
        self._admitted: set[DeviceId] = set()

    def __contains__(self, block: BlockHash) -> bool:
        return block in self._index

    def has_named(self, device: DeviceId) -> bool:
        """Whether the device is or was a member, or somebody tried to make it one, whether that counted or not."""
        return self.current.rank(device) != RANK_STRANGER or device in self._admitted

    def add(self, digest: BlockHash, block: Block, author: DeviceId, tips: Collection[BlockHash]) -> bool:
        """Take in a block whose author had read the authority blocks `tips`.

        Returns whether blocks accepted or refused before may now be judged otherwise.
        """
        index = len(self._blocks)
        self._read.append(frozenset(self._index[tip] for tip in tips))
        self._ancestors.append(self.view(tips))
        self._index[digest] = index
        self._blocks.append((digest, author, block))
        self._admitted.update(s.device for s in block.statements if isinstance(s, Admit))
        before, takings = self.turns, len(self._takings)
        if self._ancestors[index] == (1 << index) - 1:
            self._take_turns(index)
            return len(self._takings) > takings
        self._fold()
        return self.turns[: len(before)] != before or len(self._takings) > takings

    def removal_of(self, device: DeviceId) -> Removal | None:
        """What took the place of a former member away; None for any other device."""
        if device not in self.current.former:
            return None
        gone: Turn | None = None
        for turn in (turn for turn in self.turns if not turn.void):
            match turn.statement:
                case Revoke(revoked) if revoked == device:
                    gone = gone or turn
                case Leave() if turn.author == device:
                    gone = gone or turn
                case Admit(admitted) if admitted == device:
                    gone = None
        assert gone is not None, "who is a former member went by a turn that counted"
        before = (at for at in range(gone.index + 1) if self._ancestors[gone.index] >> at & 1)
        blocks = (*(self._blocks[at][0] for at in before), self._blocks[gone.index][0])
        return Removal(gone.author, self._blocks[gone.index][2].time_ms, blocks)

    def stated(self, *kinds: type[Any]) -> Iterable[tuple[Any, DeviceId, int]]:
        """The statements of some kinds that count, in their turn: with author, and its clock then in milliseconds."""
        for turn in self.turns:
            if isinstance(turn.statement, kinds) and not turn.void:
                yield turn.statement, turn.author, self._blocks[turn.index][2].time_ms

    @property
    def cuts(self) -> list[Cut]:
        """Of all statements that take a right and count."""
        return [statement.cut for _, statement in self._takings]

    def view(self, tips: Iterable[BlockHash]) -> int:
        """The mask of all authority blocks that are among or before `tips`."""
        mask = 0
        for tip in tips:
            index = self._index[tip]
            mask |= self._ancestors[index] | 1 << index
        return mask

    def maximal(self, tips: Iterable[BlockHash]) -> tuple[BlockHash, ...]:
        """Those tips that no other one descends from, sorted: the same view in the fewest names."""
        many = set(tips)
        if len(many) < 2:
            return tuple(many)
        below = 0
        for tip in many:
            below |= self._ancestors[self._index[tip]]
        return tuple(sorted(t for t in many if not below >> self._index[t] & 1))

    def at(self, view: int, outside: Callable[[Cut], bool]) -> Authority:
        """The state by which a block is judged whose author had read `view`.

        `outside(cut)` says whether the block lies outside a cut.
        """
        return self.judged_by(self.in_force(view, outside))

    def in_force(self, view: int, outside: Callable[[Cut], bool]) -> int:
        """The mask of turns that count for a block; equal masks mean equal states."""
        mask = self._in_view(view)
        for position, statement in self._takings:
            if not mask >> position & 1 and outside(statement.cut):
                mask |= 1 << position
        return mask

    def _in_view(self, view: int) -> int:
        if view not in self._in_views:
            seen = (1 << at for at, turn in enumerate(self.turns) if not turn.void and view >> turn.index & 1)
            self._in_views[view] = sum(seen)
        return self._in_views[view]

    def judged_by(self, mask: int) -> Authority:
        """The state that the turns of a mask (see `in_force`) make."""
        if mask not in self._states:
            state = Authority()
            for position, turn in enumerate(self.turns):
                if mask >> position & 1:
                    state = _apply(state, turn.author, turn.statement)
            self._states[mask] = state
        return self._states[mask]

    def _fold(self) -> None:
        self.current = Authority()
        self.unknown = None
        self.turns = ()
        self._takings.clear()
        self._in_views.clear()
        self._states.clear()
        for index in self._total_order():
            self._take_turns(index)

    def _take_turns(self, index: int) -> None:
        """The turns of a block that comes after all blocks folded so far."""
        _, author, block = self._blocks[index]
        turns: list[Turn] = []
        for statement in block.statements:
            void = not self._counts(self.current, author, block, statement)
            turns.append(Turn(index, author, statement, void))
            if isinstance(statement, UnknownStatement) and self.current.is_admin(author):
                self.unknown = statement.kind
            if not void:
                self.current = _apply(self.current, author, statement)
                if isinstance(statement, TAKING):
                    self._takings.append((len(self.turns) + len(turns) - 1, statement))
        self.turns += tuple(turns)

    def _total_order(self) -> Iterable[int]:
        """Blocks after all they name; of those ready the senior author's first, then the lower hash.

        Seniority is read from the state folded so far: an admission takes effect for the turns after it.
        """
        waiting = [len(read) for read in self._read]
        followers: list[list[int]] = [[] for _ in waiting]
        for index, read in enumerate(self._read):
            for before in read:
                followers[before].append(index)
        ready = [index for index, count in enumerate(waiting) if count == 0]
        while ready:
            index = min(ready, key=lambda i: (self.current.rank(self._blocks[i][1]), self._blocks[i][0]))
            ready.remove(index)
            yield index
            for follower in followers[index]:
                waiting[follower] -= 1
                if waiting[follower] == 0:
                    ready.append(follower)

    def _counts(self, state: Authority, author: DeviceId, block: Block, statement: Any) -> bool:
        if isinstance(statement, UnknownStatement):
            return False
        if isinstance(statement, Genesis):
            first = not state.is_founded and block.seq == 1
            return first and mandate_id_of(statement.salt, author) == self.mandate
        if isinstance(statement, Leave):
            return author in state.members
        if isinstance(statement, SetCurrent):
            return author in state.members and state.members[author].role == Role.ACCOUNTING
        if isinstance(statement, Give):
            return state.may_give(author, RelPath(statement.path), statement.device)
        if isinstance(statement, SetPerson) and author == statement.device:
            return author in state.members
        return state.is_admin(author)


def _apply(state: Authority, author: DeviceId, statement: Any) -> Authority:
    match statement:
        case Genesis():
            return _begin(state, author, statement)
        case Admit():
            return _admit(state, statement)
        case Revoke(device):
            return _revoke(state, device)
        case Leave():
            return replace(_revoke(state, author), left=state.left | {author})
        case SetRole(device, role, admin) if device in state.members:
            changed = replace(state.members[device], role=role, admin=admin)
            return replace(state, members={**state.members, device: changed})
        case SetRules(rules):
            return replace(state, rules=rules)
        case SetPerson(device, person) if device in state.members:
            called = replace(state.members[device], person=person)
            return replace(state, members={**state.members, device: called})
        case SetOwner(path, device):
            given = {p: claims for p, claims in state.given.items() if p != path}
            return replace(state, owners={**state.owners, path: device}, given=given)
        case Give(path, device):
            return _give(state, author, path, device)
        case SetAttach(admins):
            return replace(state, attach_admins=admins)
        case SetPrimary(device):
            return replace(state, primary=device)
        case Rename(name):
            return replace(state, name=name)
        case Share():
            return replace(state, shared=True)
        case SetSecret(number, digest) if number > state.secret_number:
            return replace(state, secret_number=number, secret_digest=digest, secret_is_stale=False)
        case Issue(ticket):
            return replace(state, issued={**state.issued, ticket: statement})
        case CancelIssue(ticket):
            return replace(state, issued={t: i for t, i in state.issued.items() if t != ticket})
        case Freeze(period, files):
            named = state.frozen.get(period, frozenset()) | {fold(one.path) for one in files}
            return replace(state, frozen={**state.frozen, period: named})
        case Unfreeze(period):
            return replace(state, frozen={p: files for p, files in state.frozen.items() if p != period})
        case SetCurrent(until, note):
            return replace(state, current_until=until, current_note=note)
        case SetHosts(hosts):
            return replace(state, hosts=hosts)
        case _:
            return state


def _begin(state: Authority, author: DeviceId, genesis: Genesis) -> Authority:
    creator = Member(author, genesis.certificate, genesis.device_name, genesis.role, True, RANK_CREATOR)
    return replace(
        state,
        name=genesis.name,
        members={author: creator},
        rules=genesis.rules,
        primary=author if genesis.role == Role.ACCOUNTING else None,
        recovery=genesis.recovery,
        recovery_certificate=genesis.recovery_certificate,
        next_rank=RANK_CREATOR + 1,
    )


def _admit(state: Authority, admit: Admit) -> Authority:
    known = state.members.get(admit.device) or state.former.get(admit.device)
    rank = known.rank if known else state.next_rank
    person = known.person if known else ""
    member = Member(admit.device, admit.certificate, admit.name, admit.role, admit.admin, rank, person)
    by_ticket = dict(state.admitted_by_ticket)
    if admit.ticket:
        by_ticket[admit.ticket] = (*by_ticket.get(admit.ticket, ()), admit.device)
    return replace(
        state,
        members={**state.members, admit.device: member},
        former={d: m for d, m in state.former.items() if d != admit.device},
        left=state.left - {admit.device},
        admitted_by_ticket=by_ticket,
        next_rank=state.next_rank + (known is None),
    )


def _give(state: Authority, author: DeviceId, path: str, device: DeviceId) -> Authority:
    """A file that is the author's by an admin's word; else what it has of it: its own claim, and those it was given."""
    if path in state.owners:
        return replace(state, owners={**state.owners, path: device}) if state.owners[path] == author else state
    before = state.given.get(path, {})
    claims = {maker: device if holder == author else holder for maker, holder in before.items()}
    return replace(state, given={**state.given, path: {author: device, **claims}})


def _revoke(state: Authority, device: DeviceId) -> Authority:
    if device not in state.members:
        return state
    return replace(
        state,
        members={d: m for d, m in state.members.items() if d != device},
        former={**state.former, device: state.members[device]},
        secret_is_stale=True,
    )

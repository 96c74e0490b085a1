"""Which of several heads wins: the same on every device, from the heads and the authority alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from p2psync.core.authority import Authority
from p2psync.core.changelog import Stated
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, DeviceId
from p2psync.core.relpath import RelPath
from p2psync.core.rules import OWNER, Mode, Role, Rule
from p2psync.core.value import value


@value
class Verdict:
    """The outcome for one path."""

    winner: Stated | None
    """None if no head is left."""
    losers: tuple[Stated, ...]
    """Heads with other content than the winner, best first."""
    merged: tuple[Stated, ...] = ()
    """For `merge`: all heads whose bytes make the view, in canonical order."""


def judge(
    path: RelPath,
    heads: Sequence[Stated],
    authority: Authority,
    founders: Callable[[RelPath], Set[DeviceId]],
    base_heads: Sequence[ChangeId] = (),
) -> Verdict:
    """Order the heads of a path and name the winner.

    `founders` gives the authors of the accepted changes that made the file; asked only where it matters.
    `base_heads` are the heads that stand on this disk; only `manual` looks at them: there nothing is
    replaced until a person decides.
    """
    if len(heads) < 2:  # the common case, and cheap
        return Verdict(heads[0] if heads else None, ())
    rule = authority.rules.rule_for(path)
    owner = _owner(path, rule, authority, founders)
    order = sorted(heads, key=lambda h: _merit(path, h, rule, authority, owner), reverse=True)
    winner = order[0]
    if rule.mode == Mode.MANUAL:
        standing = [h for h in order if h.id in base_heads]
        winner = standing[0] if standing else winner
    losers = tuple(h for h in order if not h.entry.same_as(winner.entry))
    if rule.mode == Mode.MERGE and losers:
        files = tuple(sorted((h for h in order if h.entry.kind == Kind.FILE), key=lambda h: h.id))
        if len({h.entry.content for h in files}) > 1:
            return Verdict(winner, (), files)
    return Verdict(winner, losers)


def _owner(
    path: RelPath, rule: Rule, authority: Authority, founders: Callable[[RelPath], Set[DeviceId]]
) -> DeviceId | None:
    return authority.owner_of(path, rule, founders) if rule.master == OWNER else None


def _merit(path: RelPath, head: Stated, rule: Rule, authority: Authority, owner: DeviceId | None) -> tuple[object, ...]:
    """A key under which the better head is greater; total, since ids differ.

    A removal loses to any content: bytes that somebody wrote are worth more than their absence. A change
    without parents loses to any that has some: it knew nothing of the file.
    """
    is_master = rule.mode in (Mode.PREFER, Mode.ENFORCE) and authority.is_master(head.author, path, rule)
    is_first = is_master and head.author in (authority.primary, owner)
    member = authority.members.get(head.author)
    fallback = rule.master == "owner" and member is not None and member.role == Role.ACCOUNTING
    return (
        *(is_master, is_first, fallback and rule.mode == Mode.PREFER),
        head.entry.kind != Kind.ABSENT,
        bool(head.named),
        *(head.stamp, head.author, head.id),
    )

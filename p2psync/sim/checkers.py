"""What must hold: some of it after every step, the rest when everything healed and came to rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from blake3 import blake3

from p2psync.core.changelog import Stated
from p2psync.core.changelog import heads as heads_among
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, ContentId
from p2psync.core.relpath import RelPath, fold, parse
from p2psync.core.rules import Mode
from p2psync.engine.admin import Conflict
from p2psync.engine.aim import Aim
from p2psync.engine.effects import Effect, Fetch, Place
from p2psync.engine.events import LateWrite
from p2psync.engine.mandate import Mandate
from p2psync.engine.placement import IN_FLIGHT_MAX
from p2psync.errors import InvalidPath
from p2psync.sim.state import MemoryMandateState

if TYPE_CHECKING:
    from p2psync.sim.host import Host
    from p2psync.sim.world import World


class Failure(Exception):
    """Something did not hold."""

    def __init__(self, checker: str, what: str, seed: int | None = None):
        super().__init__(checker, what)
        self.checker = checker
        self.what = what
        self.seed = seed

    def __str__(self) -> str:
        return f"{self.checker}: {self.what} (python -m p2psync.sim --seed {self.seed})"


def require(condition: object, checker: str, what: str) -> None:
    if not condition:
        raise Failure(checker, what)


# -- after every step ----------------------------------------------------------------------------------


def check_always(world: World, host: Host, effects: Sequence[Effect]) -> None:
    for effect in effects:
        if isinstance(effect, Place):
            for item in effect.items:
                require(_is_contained(item.path), "Contained", f"{host.name} places {item.path!r}")
        if isinstance(effect, Fetch):
            require(len(effect.wanted) <= IN_FLIGHT_MAX * 2, "Bounded", f"{host.name} fetches too much at once")
    if host.device is not None and host.mandate is not None and host.mandate in host.device.mandates:
        placement = host.device.mandates[host.mandate].replica.placement
        require(placement.in_flight <= 2 * IN_FLIGHT_MAX, "Bounded", f"{host.name} has too much in flight")


def _is_contained(path: RelPath) -> bool:
    try:
        parse(path)
    except InvalidPath:
        return False
    return True


def check_late_writes(host: Host, writes: Sequence[LateWrite]) -> None:
    """What a program wrote into a file of the mandate after it was replaced is an edit for all to see."""
    if host.device is None or host.mandate not in host.device.mandates:
        return
    mandate, state = _mandate(host), _state(host)
    for write in writes:
        mine = mandate.ledger.may_write(write.path) and state.changes(write.stood)
        told = any(c.entry.content == write.entry.content and c.path == write.path for c in state.all_changes())
        require(told or not mine, "NoLostWrite", f"{host.name} tells nobody what was written late at {write.path!r}")


# -- at rest -------------------------------------------------------------------------------------------


def check_at_rest(world: World) -> None:
    members = [h for h in world.hosts if not h.revoked]
    for host in members:
        require(
            host.device is not None and host.mandate in host.device.mandates, "Converged", f"{host.name} is not there"
        )
    _same_log(members)
    _same_heads(members)
    _pure_heads(members)
    _same_folders(world, members)
    _in_sync(world, members)
    _same_conflicts(members)
    _same_marks(members)
    _frozen_stand(members)
    _master_rules(members)
    _losers_kept(world, members)
    _no_lost_write(world, members)
    _removed_know(world, members)
    _same_secret(members)


def _mandate(host: Host) -> Mandate:
    assert host.device is not None
    assert host.mandate is not None
    return host.device.mandates[host.mandate]


def _state(host: Host) -> MemoryMandateState:
    state = _mandate(host).state
    assert isinstance(state, MemoryMandateState)
    return state


def _aims(host: Host) -> dict[RelPath, Aim]:
    """What this host means to show at every path that was ever named."""
    return _mandate(host).replica.plan.aims(_paths(host))


def _conflicts(host: Host) -> list[Conflict]:
    assert host.device is not None
    assert host.mandate is not None
    return host.device.admin(host.mandate).conflicts()


def _paths(host: Host) -> list[RelPath]:
    return sorted({c.path for c in _state(host).all_changes()})


def _same_log(members: Sequence[Host]) -> None:
    first = members[0]
    for other in members[1:]:
        require(
            _mandate(other).ledger.tips == _mandate(first).ledger.tips,
            "Converged",
            f"{first.name} and {other.name}: logs differ",
        )
        require(
            _mandate(other).authority == _mandate(first).authority,
            "Converged",
            f"{first.name} and {other.name}: not the same rights and owners",
        )
        same = _mandate(other).authority.members == _mandate(first).authority.members
        require(same, "Converged", f"{first.name} and {other.name}: members differ")


def _same_marks(members: Sequence[Host]) -> None:
    first = members[0]
    marks, standing = _state(first).marks(), _mandate(first).postings.standing()
    for other in members[1:]:
        require(_state(other).marks() == marks, "Converged", f"{first.name} and {other.name}: marks differ")
        same = _mandate(other).postings.standing() == standing
        require(same, "Converged", f"{first.name} and {other.name}: other marks stand")


def _frozen_stand(members: Sequence[Host]) -> None:
    """What a freeze names stands as it stood, and nobody's later word of it counts."""
    frozen = _mandate(members[0]).periods.frozen()
    for host in members:
        same = _mandate(host).periods.frozen() == frozen
        require(same, "Converged", f"{host.name} and {members[0].name}: other periods are frozen")
    for host in members:
        state = _state(host)
        for closed in (file for one in frozen for file in one.files):
            if state.is_accepted(closed.version):  # else its author's right was taken from before
                heads = {head.id for head in state.heads([closed.path])[closed.path]}
                require(closed.version in heads, "Frozen", f"{host.name}: {closed.path!r} was changed after its freeze")


def _same_heads(members: Sequence[Host]) -> None:
    first = members[0]
    paths = _paths(first)
    expected = {p: {h.id for h in hs} for p, hs in _state(first).heads(paths).items()}
    for other in members[1:]:
        found = {p: {h.id for h in hs} for p, hs in _state(other).heads(paths).items()}
        require(found == expected, "Converged", f"{first.name} and {other.name}: heads differ")


def _pure_heads(members: Sequence[Host]) -> None:
    """The heads are those that the definition gives for all changes at once."""
    for host in members:
        state = _state(host)
        changes = state.all_changes()
        for path in _paths(host):
            own = [c for c in changes if c.path == path]
            pure = heads_among(own, state.is_accepted)
            found = {h.id for h in state.heads([path]).get(path, ())}
            require(pure == found, "Converged", f"{host.name}: the heads of {path!r} are not what they should be")


def _same_folders(world: World, members: Sequence[Host]) -> None:
    """Every folder shows what its device means it to show, but where two names are one to this disk."""
    for host in members:
        shown = {p: f.content for p, f in host.disk.files.items()}
        aims = _aims(host)
        live = {p: a.put.content for p, a in aims.items() if a.put.kind == Kind.FILE}
        for path in sorted({*shown, *live}):
            target = aims.get(path)
            if _shares_a_slot(host, path, live):
                continue
            if target is not None and (target.sources or _is_nowhere(world, target.contents)):
                continue
            require(shown.get(path) == live.get(path), "Converged", f"{host.name} shows something else at {path!r}")
    _same_index(world, members)


def _same_index(world: World, members: Sequence[Host]) -> None:
    """The merged view has the same bytes everywhere, if all its sources are anywhere."""
    path = parse("Cargo.ecc")
    aims = [_mandate(h).replica.plan.aims([path])[path] for h in members]
    if not any(_is_nowhere(world, target.contents) for target in aims):
        shown = {h.disk.files[path].content if path in h.disk.files else None for h in members}
        require(len(shown) == 1, "Converged", "the merged index differs between devices")


def _is_nowhere(world: World, contents: Sequence[ContentId]) -> bool:
    """A backup, or its own user, took the only copy away before another member had it; or who has it was revoked."""
    members = [h for h in world.hosts if not h.revoked]
    gone = world.users.excused | world.users.replaced | world.users.spoiled
    gone |= {c for h in world.hosts if h.revoked for c in contents if h.disk.find(c) is not None}
    return any(c in gone and all(h.disk.find(c) is None for h in members) for c in contents)


def _shares_a_slot(host: Host, path: RelPath, aims: Mapping[RelPath, ContentId | None]) -> bool:
    slot = fold(path, host.disk.folding)
    return sum(fold(p, host.disk.folding) == slot for p in {*aims, *host.disk.files}) > 1 or any(
        _in_slot_conflict(host, path, other) for other in aims
    )


def _in_slot_conflict(host: Host, path: RelPath, other: RelPath) -> bool:
    """A directory and a file that this disk takes for the same name."""
    a, b = fold(path, host.disk.folding), fold(other, host.disk.folding)
    return a.startswith(b + "/") or b.startswith(a + "/")


def _in_sync(world: World, members: Sequence[Host]) -> None:
    for host in members:
        if host.disk.folding.case_insensitive or any(h.disk.folding.case_insensitive for h in members):
            continue
        if any(_is_nowhere(world, _needed(target)) for target in _aims(host).values()):
            return
        require(_mandate(host).is_in_sync, "Terminates", f"{host.name} does not say that it is in sync")


def _needed(target: Aim) -> Sequence[ContentId]:
    """What a path asks for: its own contents and those of its losers."""
    losers = (loser.entry.content for loser in target.losers)
    return (*target.contents, *(content for content in losers if content is not None))


def _same_conflicts(members: Sequence[Host]) -> None:
    def listed(host: Host) -> list[tuple[str, frozenset[ChangeId]]]:
        return [(c.path, frozenset(h.id for h in (c.winner, *c.losers))) for c in _conflicts(host)]

    expected = listed(members[0])
    for host in members[1:]:
        require(listed(host) == expected, "Converged", f"{host.name} lists other conflicts than {members[0].name}")


def _master_rules(members: Sequence[Host]) -> None:
    host = members[0]
    authority = _mandate(host).authority
    for conflict in _conflicts(host):
        rule = authority.rules.rule_for(conflict.path)
        heads = (conflict.winner, *conflict.losers)
        masters = [h for h in heads if authority.is_master(h.author, conflict.path, rule)]
        if rule.mode in (Mode.PREFER, Mode.ENFORCE) and masters:
            right = conflict.winner in masters
            require(right, "MasterRules", f"{conflict.path!r}: the master's version did not win")


def _losers_kept(world: World, members: Sequence[Host]) -> None:
    for host in members:
        for conflict in _conflicts(host):
            for loser in conflict.losers:
                content = loser.entry.content
                if content in world.users.spoiled:
                    continue
                if content is not None and any(h.disk.find(content) is not None for h in members):
                    here = host.disk.keeps(content)
                    require(here, "NoLostWrite", f"{host.name} does not keep a loser of {conflict.path!r}")


def _no_lost_write(world: World, members: Sequence[Host]) -> None:
    """What a user saved and nobody knowingly replaced stands somewhere, or is kept and listed."""
    users = world.users
    for content, (host, path) in users.saved.items():
        if content in users.replaced | users.excused | users.spoiled or host.revoked:
            continue
        kept = any(h.disk.find(content) is not None for h in world.hosts)
        require(kept, "NoLostWrite", f"what {host.name} saved at {path!r} is nowhere any more")
    for host in members:
        for change in _state(host).all_changes():
            _check_parents(world, change)


def _check_parents(world: World, change: Stated) -> None:
    """A change names as parents only what its user had before him."""
    users = world.users
    owner = users.saved.get(change.entry.content) if change.entry.content is not None else None
    if owner is None or change.settled:
        return
    host, path = owner
    if host.keys.device != change.author or path != change.path:
        return
    if host.device is None or host.mandate not in host.device.mandates:
        return  # it has left
    allowed: set[ContentId | None] = set()
    ahead: list[ContentId | None] = [change.entry.content]
    while ahead:
        content = ahead.pop()
        if content not in allowed:
            allowed.add(content)
            ahead += users.wrote_over.get((host.name, change.path, content), ())
    allowed |= users.cut_off.get((host.name, path), set())
    for parent in change.parents:
        stated = _state(host).changes([parent]).get(parent)
        if stated is None or stated.entry.content is None:
            continue
        right = stated.entry.content in allowed
        require(right, "NoLostWrite", f"{host.name} replaced something at {path!r} that its user never saw")


def _removed_know(world: World, members: Sequence[Host]) -> None:
    """Who was removed knows it; but a backup may have made it forget."""
    for host in world.hosts:
        if host.revoked and host.device is not None and host.mandate in host.device.mandates:
            told = any(host.keys.device not in _mandate(member).farewells.untold for member in members)
            require(told or _mandate(host).is_removed, "Told", f"{host.name} does not know that it was removed")


def _same_secret(members: Sequence[Host]) -> None:
    """All know the newest discovery secret, and nobody who belongs no more can know it."""
    for host in members:
        mandate = _mandate(host)
        newest = mandate.secrets.newest
        require(not mandate.authority.secret_is_stale, "Secret", f"{host.name} goes on with a secret that others know")
        right = newest is not None and blake3(newest[1]).digest() == mandate.authority.secret_digest
        require(right, "Secret", f"{host.name} does not know the newest secret")

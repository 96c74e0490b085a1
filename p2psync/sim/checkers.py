"""What must hold: some of it after every step, the rest when everything healed and came to rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from p2psync.core.changelog import heads as heads_among
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, ContentId
from p2psync.core.relpath import fold, parse
from p2psync.core.rules import Mode
from p2psync.engine.effects import Effect, Fetch, Place
from p2psync.engine.placement import IN_FLIGHT_MAX

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
                require(parse(item.path) == item.path, "Contained", f"{host.name} places {item.path!r}")
        if isinstance(effect, Fetch):
            require(len(effect.wanted) <= IN_FLIGHT_MAX * 2, "Bounded", f"{host.name} fetches too much at once")
    if host.device is not None and host.mandate in host.device.mandates:
        placement = host.device.mandates[host.mandate].replica.placement
        require(placement.in_flight <= 2 * IN_FLIGHT_MAX, "Bounded", f"{host.name} has too much in flight")


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
    _master_rules(members)
    _losers_kept(members)
    _no_lost_write(world, members)


def _state(host: Host):  # type: ignore[no-untyped-def]
    assert host.device is not None
    assert host.mandate is not None
    return host.device.mandates[host.mandate].state


def _ledger(host: Host):  # type: ignore[no-untyped-def]
    assert host.device is not None
    assert host.mandate is not None
    return host.device.mandates[host.mandate].ledger


def _paths(host: Host) -> list[str]:
    return sorted({c.path for c in _state(host).all_changes()})


def _same_log(members: Sequence[Host]) -> None:
    first = members[0]
    for other in members[1:]:
        require(_ledger(other).tips == _ledger(first).tips, "Converged", f"{first.name} and {other.name}: logs differ")
        same = _ledger(other).authority.members == _ledger(first).authority.members
        require(same, "Converged", f"{first.name} and {other.name}: members differ")


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


def _winning(host: Host, members: Sequence[Host]) -> dict[str, ContentId | None]:
    """What should stand where, by the aims of this host."""
    plan = host.device.mandates[host.mandate].replica.plan  # type: ignore[union-attr, index]
    return {p: a.put.content for p, a in plan.aims(_paths(host)).items() if a.put.kind == Kind.FILE}


def _same_folders(world: World, members: Sequence[Host]) -> None:
    manual = {p for p in _paths(members[0]) if _ledger(members[0]).authority.rules.rule_for(p).mode == Mode.MANUAL}
    for host in members:
        shown = {p: f.content for p, f in host.disk.files.items()}
        aims = _winning(host, members)
        for path in sorted({*shown, *aims}):
            if path in manual or _shares_a_slot(host, path, aims):
                continue
            plan = host.device.mandates[host.mandate].replica.plan  # type: ignore[union-attr, index]
            target = plan.aims([path])[path]  # type: ignore[list-item]
            if target.sources or _is_nowhere(world, target.contents):
                continue
            require(shown.get(path) == aims.get(path), "Converged", f"{host.name} shows something else at {path!r}")
    merged = {f.content for h in members for p, f in h.disk.files.items() if p == "Cargo.ecc"}
    require(len(merged) <= 1, "Converged", "the merged index differs between devices")


def _is_nowhere(world: World, contents: Sequence[ContentId]) -> bool:
    """A backup, or its own user, took the only copy away before anybody else had it."""
    gone = world.users.excused | world.users.replaced
    return any(c in gone and all(h.disk.find(c) is None for h in world.hosts) for c in contents)


def _shares_a_slot(host: Host, path: str, aims: dict[str, ContentId | None]) -> bool:
    slot = fold(parse(path), host.disk.folding)
    return sum(fold(parse(p), host.disk.folding) == slot for p in {*aims, *host.disk.files}) > 1 or any(
        _in_slot_conflict(host, path, other) for other in aims
    )


def _in_slot_conflict(host: Host, path: str, other: str) -> bool:
    """A directory and a file that this disk takes for the same name."""
    a, b = fold(parse(path), host.disk.folding), fold(parse(other), host.disk.folding)
    return a.startswith(b + "/") or b.startswith(a + "/")


def _in_sync(world: World, members: Sequence[Host]) -> None:
    for host in members:
        if host.disk.folding.case_insensitive or any(h.disk.folding.case_insensitive for h in members):
            continue
        mandate = host.device.mandates[host.mandate]  # type: ignore[union-attr, index]
        aims = mandate.replica.plan.aims(_paths(host))  # type: ignore[arg-type]
        if any(_is_nowhere(world, target.contents) for target in aims.values()):
            return
        require(mandate.is_in_sync, "Terminates", f"{host.name} does not say that it is in sync")


def _same_conflicts(members: Sequence[Host]) -> None:
    def listed(host: Host) -> list[tuple[str, frozenset[ChangeId]]]:
        assert host.device is not None
        assert host.mandate is not None
        found = host.device.admin(host.mandate).conflicts()
        return [(c.path, frozenset(h.id for h in (c.winner, *c.losers))) for c in found]

    expected = listed(members[0])
    for host in members[1:]:
        require(listed(host) == expected, "Converged", f"{host.name} lists other conflicts than {members[0].name}")


def _master_rules(members: Sequence[Host]) -> None:
    host = members[0]
    authority = _ledger(host).authority
    for path, heads in _state(host).heads(_paths(host)).items():
        rule = authority.rules.rule_for(path)
        masters = [h for h in heads if authority.is_master(h.author, path, rule)]
        if rule.mode in (Mode.PREFER, Mode.ENFORCE) and masters and len(heads) > 1:
            winner = host.device.admin(host.mandate)  # type: ignore[union-attr, arg-type]
            open_ones = [c for c in winner.conflicts() if c.path == path]
            for conflict in open_ones:
                right = authority.is_master(conflict.winner.author, path, rule)
                require(right, "MasterRules", f"{path!r}: the master's version did not win")


def _losers_kept(members: Sequence[Host]) -> None:
    for host in members:
        for conflict in host.device.admin(host.mandate).conflicts():  # type: ignore[union-attr, arg-type]
            for loser in conflict.losers:
                content = loser.entry.content
                if content is not None and any(h.disk.find(content) is not None for h in members):
                    here = host.disk.find(content) is not None
                    require(here, "NoLostWrite", f"{host.name} does not keep a loser of {conflict.path!r}")


def _no_lost_write(world: World, members: Sequence[Host]) -> None:
    """What a user saved and nobody knowingly replaced stands somewhere, or is kept and listed."""
    users = world.users
    for content, (host, path) in users.saved.items():
        if content in users.replaced or content in users.excused or host.revoked:
            continue
        kept = any(h.disk.find(content) is not None for h in world.hosts)
        require(kept, "NoLostWrite", f"what {host.name} saved at {path!r} is nowhere any more")
    for host in members:
        for change in _state(host).all_changes():
            _check_parents(world, change)


def _check_parents(world: World, change) -> None:  # type: ignore[no-untyped-def]
    """A change names as parents only what its user had before him."""
    users = world.users
    owner = users.saved.get(change.entry.content)
    if owner is None or change.settled:
        return
    host, path = owner
    if host.keys.device != change.author or path != change.path:
        return
    allowed: set[ContentId | None] = set()
    ahead: list[ContentId | None] = [change.entry.content]
    while ahead:
        content = ahead.pop()
        if content not in allowed:
            allowed.add(content)
            ahead += users.wrote_over.get((host.name, change.path, content), ())
    for parent in change.parents:
        stated = _state(host).changes([parent]).get(parent) if host.device is not None else None
        if stated is None or stated.entry.content is None:
            continue
        right = stated.entry.content in allowed
        require(right, "NoLostWrite", f"{host.name} replaced something at {path!r} that its user never saw")

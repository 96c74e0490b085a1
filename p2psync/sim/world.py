"""A whole life of a mandate from one seed: faults first, then everything heals, and it must come to rest, equal.

Time is virtual, and everything that happens is an entry of one heap, so that the same seed is the same life.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from random import Random

from blake3 import blake3

from p2psync.core.relpath import Folding
from p2psync.core.rules import Role, parse_setting
from p2psync.engine.admin import Founding, Newcomer
from p2psync.engine.effects import Effect
from p2psync.engine.scope import Now
from p2psync.sim.checkers import Failure, check_always, check_at_rest
from p2psync.sim.host import Host
from p2psync.sim.knobs import Knobs
from p2psync.sim.network import Network
from p2psync.sim.users import Users

EVENTS_MAX = 400_000
"""A life that has not come to rest by then never will."""
REST_S = 120.0
"""Virtual time without faults and users after which all has to be equal."""
CRASHES_IN_BETWEEN = 0.1
"""Share of the late writes that are found, after which the device crashes before it could tell them."""
START_MS = 1_750_000_000_000
ROLES = (Role.INVOICING, Role.PAYROLL, Role.ACCOUNTING, Role.BANKING, Role.READER, Role.KEEPER)
SETTINGS = (
    *("*.txt=manual", "*.crp=enforce:accounting", "*.ecf=enforce:owner"),
    *("*.txt=newest", "*.crp=prefer:accounting", "*.ecf=prefer:owner", "*.txt=once"),
)


class World:
    def __init__(self, seed: int, knobs: Knobs | None = None):
        self.seed = seed
        self.rng = Random(seed)
        self.knobs = knobs or Knobs.draw(self.rng)
        self.now = Now(0.0, START_MS)
        self.healed = False
        self.events = 0
        self.network = Network(self)
        self.users = Users(self)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._trace = blake3()
        self.hosts = [self._host(i) for i in range(self.knobs.devices)]

    def _host(self, number: int) -> Host:
        return Host(self, number, Folding(self.rng.random() < self.knobs.folds_case, False))

    # -- time ------------------------------------------------------------------------------------------

    def spread(self, mean_s: float) -> float:
        """A random time around a mean; never exactly the same twice."""
        return self.rng.expovariate(1.0 / mean_s) if mean_s else 0.0

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.now.monotonic_s + seconds, action)

    def at(self, at_s: float, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at_s, self._order, action))

    def _run_until(self, end_s: float) -> None:
        while self._heap and self._heap[0][0] <= end_s:
            at_s, _, action = heapq.heappop(self._heap)
            self.now = Now(max(at_s, self.now.monotonic_s), START_MS + int(at_s * 1000))
            self.events += 1
            if self.events > EVENTS_MAX:
                raise Failure("Terminates", f"not at rest after {EVENTS_MAX} events")
            action()

    def trace(self, host: Host, effects: Sequence[Effect]) -> None:
        """One hash over all that every device ever decided; and what must hold after every step."""
        names = ",".join(type(e).__name__ for e in effects)
        self._trace.update(f"{self.now.monotonic_s:.6f} {host.name} {names}\n".encode())
        check_always(self, host, effects)

    @property
    def trace_hash(self) -> str:
        return self._trace.hexdigest()

    # -- a life ----------------------------------------------------------------------------------------

    def live(self) -> None:
        """Raises Failure with what did not hold."""
        self._found()
        for host in self.hosts[1 : self.knobs.devices - self.knobs.late_joins]:
            self._admit(host)
        self.after(0.0, self.network.dial)
        end_s = self.knobs.acts * self.knobs.act_every_s
        self._schedule(end_s)
        self._run_until(end_s)
        self._heal()
        self._run_until(self.now.monotonic_s + REST_S + 60 * self.knobs.latency_s + 60 * self.knobs.disk_s)
        check_at_rest(self)

    def _found(self) -> None:
        first = self.hosts[0]
        first.start()
        assert first.device is not None
        first.state.begin()
        first.device.act(self.now)
        certificate = b"certificate of " + first.name.encode()
        first.mandate = first.device.create(Founding("Cargo", Role.ACCOUNTING, certificate, first.name))
        first.device.admin(first.mandate).share()
        first._finish(first.device.finish())
        first.open_folder()

    def _admit(self, host: Host) -> None:
        admin_host = self.hosts[0]
        if host.mandate is not None:
            return
        if admin_host.device is None or admin_host.mandate not in admin_host.device.mandates:
            self.after(1.0, lambda: self._admit(host))
            return
        host.role = self.rng.choice(ROLES)
        ticket = host.name.encode()
        newcomer = Newcomer(host.keys.device, b"certificate of " + ticket, host.name, ticket)
        welcomes = []

        def deed(admin):  # type: ignore[no-untyped-def]
            admin.issue(ticket, host.role, False, 1, 4_000_000_000)
            welcomes.append(admin.admit(newcomer))

        admin_host.act(deed)
        admin_host.backups.clear()  # restored before anybody else knows the newcomer, a person has to invite it again
        host.start()
        host.adopt(welcomes[0])

    def _schedule(self, end_s: float) -> None:
        knobs = self.knobs
        for _ in range(knobs.acts):
            self.at(self.rng.uniform(0, end_s), self.users.act)
        for host in self.hosts[knobs.devices - knobs.late_joins :] if knobs.late_joins else ():
            self.at(self.rng.uniform(0, end_s), lambda host=host: self._admit(host))  # type: ignore[misc]
        for _ in range(knobs.revocations):
            self.at(self.rng.uniform(0, end_s), self._revoke)
        for _ in range(knobs.leaves):
            self.at(self.rng.uniform(0, end_s), self._leave)
        for _ in range(knobs.rule_changes):
            self.at(self.rng.uniform(0, end_s), self._change_rules)
        for _ in range(knobs.freezes):
            self.at(self.rng.uniform(0, end_s), lambda: self.users.close_books(self.hosts[0]))
        for _ in range(knobs.handovers):
            self.at(self.rng.uniform(0, end_s), lambda: self.users.hand_over(self.rng.choice(self.hosts)))
        self._repeat(knobs.partition_every_s, end_s, self._partition)
        self._repeat(knobs.crash_every_s, end_s, self._crash)
        self._repeat(20.0, end_s, self._back_up)

    def _repeat(self, every_s: float, end_s: float, action: Callable[[], None]) -> None:
        at_s = self.spread(every_s) if every_s else end_s
        while every_s and at_s < end_s:
            self.at(at_s, action)
            at_s += self.spread(every_s)

    def _heal(self) -> None:
        self.healed = True
        self.network.groups = {}
        for host in self.hosts:
            self._restart(host)
        for host in self.hosts:
            if host.mandate is None:
                self._admit(host)
            # The periodic rescan finds what the watcher overlooked.
            host.later(5.0, host.scan)
            host.later(30.0, host.scan)

    # -- faults ----------------------------------------------------------------------------------------

    def _partition(self) -> None:
        if not self.healed:
            self.network.groups = {h.name: self.rng.randrange(2) for h in self.hosts}
            self.network.cut()

    def _back_up(self) -> None:
        for host in self.hosts:
            if host.device is not None and host.mandate is not None and self.rng.random() < 0.5:
                host.backups.append((host.state.copy(), host.disk.copy()))
                host.renew_epoch()

    def _crash(self) -> None:
        host = self.rng.choice(self.hosts)
        if host.device is None or host.mandate is None or self.healed:
            return
        self._end_life(host)

    def crashes_now(self, host: Host) -> bool:
        """Between what it did to its disk and what it says of it."""
        if self.healed or not self.knobs.crash_every_s or self.rng.random() > CRASHES_IN_BETWEEN:
            return False
        self._end_life(host)
        return True

    def _end_life(self, host: Host) -> None:
        host.crash()
        self.network.cut()
        self._restore(host)
        self.after(self.spread(10.0), lambda: self._restart(host))

    def _restart(self, host: Host) -> None:
        if host.device is None:
            host.start()
            if host.welcome is not None and host.device is not None and not host.device.mandates:
                host.adopt(host.welcome)

    def _restore(self, host: Host) -> None:
        """What a backup brings back is older; what it takes away was taken by a person."""
        roll, knobs = self.rng.random(), self.knobs
        if roll < knobs.lose_state and host.welcome is not None:
            host.lose_state()
        elif host.backups:
            state, disk = self.rng.choice(host.backups)
            both = self.rng.random() < 0.5
            if self.rng.random() < knobs.restore_folder or (both and self.rng.random() < knobs.restore_state):
                self.users.excused.update(f.content for f in host.disk.files.values())
                self.users.excused.update(host.disk.versions)
                host.forget_outs()
                host.disk = disk.copy()
            if self.rng.random() < knobs.restore_state:
                host.state = state.copy()

    def _admin_host(self) -> Host | None:
        first = self.hosts[0]
        ready = first.device is not None and first.mandate in first.device.mandates
        return first if ready else None

    def _revoke(self) -> None:
        admin_host = self._admin_host()
        victim = self.rng.choice(self.hosts[1:])
        if admin_host is None or victim.mandate is None or victim.revoked:
            return
        victim.revoked = True
        self.users.excused.update(c for c, (h, _) in self.users.saved.items() if h is victim)
        admin_host.act(lambda admin: admin.revoke(victim.keys.device))

    def _leave(self) -> None:
        host = self.rng.choice(self.hosts[1:])
        if host.device is None or host.mandate not in host.device.mandates or host.revoked:
            return
        host.leave()
        self.users.excused.update(c for c, (h, _) in self.users.saved.items() if h is host)

    def _change_rules(self) -> None:
        admin_host = self._admin_host()
        if admin_host is None:
            return
        members = [h for h in self.hosts[1:] if h.mandate is not None and not h.revoked]
        if members and self.rng.random() < 0.5:
            member, role = self.rng.choice(members), self.rng.choice(ROLES)
            assert admin_host.device is not None
            known = admin_host.device.mandates[admin_host.mandate].authority.members  # type: ignore[index]
            if member.keys.device in known:
                admin_host.act(lambda admin: admin.set_role(member.keys.device, role))
        else:
            setting = parse_setting(self.rng.choice(SETTINGS))
            admin_host.act(lambda admin: admin.set_rule(setting))


def run(seed: int) -> World:
    """Live one life; raises Failure."""
    world = World(seed)
    try:
        world.live()
    except Failure as failure:
        failure.seed = seed
        raise
    except Exception as error:
        raise Failure("Total", f"{type(error).__name__}: {error}", seed) from error
    return world

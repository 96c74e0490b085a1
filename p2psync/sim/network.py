"""The simulated network: links with latency that break, partitions, and contents that travel beside the messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from p2psync.core.block import AUTHORITY, ORDINARY
from p2psync.core.ids import ContentId, DeviceId, MandateId
from p2psync.engine.events import LinkDown, LinkUp, Received
from p2psync.engine.mandate import Mandate
from p2psync.wire.messages import Message

if TYPE_CHECKING:
    from p2psync.sim.host import Host
    from p2psync.sim.world import World

RECONNECT_S = 2.0


class Network:
    def __init__(self, world: World):
        self._world = world
        self._ends: dict[int, tuple[Host, Host, int]] = {}
        """link -> (its host, the other host, the other's number for it)"""
        self._free_at: dict[int, float] = {}
        """When the last message sent on a link arrives: order is kept per link."""
        self._next = 1
        self.groups: dict[str, int] = {}
        """Which side of a partition a host is on; all 0 when there is none."""

    def reachable(self, a: Host, b: Host) -> bool:
        return (
            a.device is not None and b.device is not None and self.groups.get(a.name, 0) == self.groups.get(b.name, 0)
        )

    def linked(self, a: Host, b: Host) -> bool:
        return any(one is a and other is b for one, other, _ in self._ends.values())

    def dial(self) -> None:
        """Every two hosts that can reach each other and are not linked get a link."""
        hosts = [h for h in self._world.hosts if h.mandate is not None]
        for i, a in enumerate(hosts):
            for b in hosts[i + 1 :]:
                if self.reachable(a, b) and not self.linked(a, b) and self._trust(a, b) and self._trust(b, a):
                    self._connect(a, b)
        self._world.after(self._world.spread(RECONNECT_S), self.dial)

    @staticmethod
    def _trust(a: Host, b: Host) -> bool:
        """Members, and those who are to hear that they belong no more."""
        assert a.device is not None
        mandate = a.device.mandates.get(a.mandate) if a.mandate is not None else None
        return mandate is not None and b.keys.device in mandate.members().keys() | mandate.farewells.untold

    def _connect(self, a: Host, b: Host) -> None:
        here, there = self._next, self._next + 1
        self._next += 2
        self._ends[here], self._ends[there] = (a, b, there), (b, a, here)
        a.handle(LinkUp(here, b.keys.device, True, "lan"))
        b.handle(LinkUp(there, a.keys.device, False, "lan"))
        if self._world.knobs.break_every_s and not self._world.healed:
            self._world.after(self._world.spread(self._world.knobs.break_every_s), lambda: self.close(here))

    def close(self, link: int) -> None:
        if link not in self._ends:
            return
        host, other, back = self._ends.pop(link)
        self._ends.pop(back, None)
        host.handle(LinkDown(link, "broken"))
        other.handle(LinkDown(back, "broken"))

    def close_all(self, host: Host) -> None:
        for link in [link for link, (one, _, _) in self._ends.items() if one is host]:
            self.close(link)

    def cut(self) -> None:
        """Close what the partition, or a crash, made impossible."""
        for link in list(self._ends):
            if link in self._ends and not self.reachable(self._ends[link][0], self._ends[link][1]):
                self.close(link)

    def send(self, link: int, message: Message) -> None:
        if link not in self._ends:
            return
        _, other, back = self._ends[link]
        at_s = self._world.now.monotonic_s + self._world.spread(self._world.knobs.latency_s)
        at_s = max(at_s, self._free_at.get(link, 0.0))
        self._free_at[link] = at_s

        def arrive() -> None:
            if link in self._ends:
                other.handle(Received(back, message))

        self._world.at(at_s, arrive)

    def fetch(self, host: Host, mandate: MandateId, content: ContentId) -> None:
        """From the own disk, or from any linked host that has it and may give it."""
        here = host.disk.find(content)
        if here is not None:
            host.later(self._world.knobs.disk_s, lambda: host.staged(mandate, content, here))
            return
        sources = [other for one, other, _ in self._ends.values() if one is host and other.device is not None]
        self._world.rng.shuffle(sources)
        source = next((s for s in sources if s.disk.find(content) is not None), None)
        if source is None:
            host.later(self._world.knobs.latency_s, lambda: host.staged(mandate, content, None))
            return
        self._check_may_fetch(source, host, mandate, content)

        def arrive() -> None:
            data = source.disk.find(content) if self.linked(host, source) else None
            host.staged(mandate, content, data)

        host.later(2 * self._world.knobs.latency_s, arrive)

    def _check_may_fetch(self, source: Host, asker: Host, mandate: MandateId, content: ContentId) -> None:
        assert source.device is not None
        giver = source.device.mandates.get(mandate)
        if giver is not None and asker.keys.device in giver.authority.members:
            classes = giver.state.content_classes(content)
            assert not classes or may_fetch(giver, asker.keys.device, classes), "a content was asked for without right"


def may_fetch(giver: Mandate, device: DeviceId, classes: Iterable[str]) -> bool:
    """Whether a member may have a content that logs of these classes name: it may read one of them."""
    return any(c == ORDINARY or giver.authority.may_read(device, c) for c in classes if c != AUTHORITY)

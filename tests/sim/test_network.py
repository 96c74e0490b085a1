"""The simulated network: in order on each link, nothing across a partition, bytes from whoever has them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from p2psync.core.block import AUTHORITY, ORDINARY
from p2psync.core.ids import ContentId, MandateId, content_of
from p2psync.core.relpath import parse
from p2psync.engine.events import Event, Received
from p2psync.sim.host import Host
from p2psync.sim.network import may_fetch
from p2psync.sim.world import World
from p2psync.wire.messages import Message, Ping
from tests.sim.lives import again, apart, mandate_of, rest, save, shown, together


def link(world: World, a: Host, b: Host) -> int:
    """a's number for its link to b."""
    [number] = [number for number, (one, other, _) in world.network._ends.items() if one is a and other is b]
    return number


def heard(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Pings that a host receives from now on, instead of answering them."""
    found: list[Message] = []
    honest = host.handle

    def handle(*events: Event) -> None:
        pings = [event for event in events if isinstance(event, Received) and isinstance(event.message, Ping)]
        found.extend(event.message for event in pings)
        honest(*(event for event in events if event not in pings))

    monkeypatch.setattr(host, "handle", handle)
    return found


def fetched(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[tuple[ContentId, bytes | None]]:
    """What fetches of a host end with, from now on."""
    found: list[tuple[ContentId, bytes | None]] = []

    def staged(_: MandateId, content: ContentId, data: bytes | None) -> None:
        found.append((content, data))

    monkeypatch.setattr(host, "staged", staged)
    return found


def fetch(world: World, host: Host, data: bytes) -> None:
    assert host.mandate is not None
    world.network.fetch(host, host.mandate, content_of(data))


def names(world: World) -> set[tuple[str, str]]:
    return {(one.name, other.name) for one, other, _ in world.network._ends.values()}


# -- messages ------------------------------------------------------------------------------------------


def test_messages_on_a_link_arrive_later_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    world = together(latency_s=2.0)
    one, two = world.hosts
    arrived = heard(two, monkeypatch)
    pings = [Ping(number) for number in range(50)]
    begun_s = world.now.monotonic_s
    for ping in pings:
        world.network.send(link(world, one, two), ping)
    assert arrived == []
    rest(world)
    assert arrived == pings
    assert world.now.monotonic_s > begun_s


def test_what_is_on_a_link_that_breaks_is_lost_and_both_ends_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = together(latency_s=2.0)
    one, two = world.hosts
    arrived = heard(two, monkeypatch)
    number = link(world, one, two)
    world.network.send(number, Ping(1))
    world.network.close(number)
    world.network.close(number)
    world.network.send(number, Ping(2))
    assert not world.network.linked(one, two)
    assert not world.network.linked(two, one)
    assert not any(mandate_of(host).peers for host in world.hosts)
    rest(world)
    assert arrived == []
    assert world.network.linked(one, two), "they dial again"


def test_who_has_gone_is_told_of_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    world = together(3)
    one, two, three = world.hosts
    world.network.close_all(one)
    assert names(world) == {("pc1", "pc2"), ("pc2", "pc1")}
    two.crash()
    world.network.cut()
    assert names(world) == set()
    rest(world)
    assert names(world) == {("pc0", "pc2"), ("pc2", "pc0")}
    assert not world.network.reachable(one, two)
    assert world.network.reachable(one, three)


# -- partitions ----------------------------------------------------------------------------------------


def test_a_partition_cuts_what_goes_across_and_nothing_else() -> None:
    world = together(3)
    one, two, three = world.hosts
    world.network.groups = {one.name: 0, two.name: 0, three.name: 1}
    world.network.cut()
    save(world, one, "a.txt", "a")
    rest(world)
    assert names(world) == {("pc0", "pc1"), ("pc1", "pc0")}
    assert shown(two) == {parse("a.txt"): "a"}
    assert shown(three) == {}
    again(world)
    assert shown(three) == {parse("a.txt"): "a"}


def test_links_break_by_themselves_only_while_things_go_wrong() -> None:
    world = together(break_every_s=5.0)
    one, two = world.hosts
    seen: set[int] = set()
    for _ in range(60):
        rest(world, 1)
        seen |= set(world.network._ends)
    assert len(seen) > 4
    world.healed = True
    world.network.close_all(one)
    rest(world)
    stays = link(world, one, two)
    rest(world, 600)
    assert link(world, one, two) == stays


def test_a_revoked_device_hears_nothing_more_and_gets_no_new_link() -> None:
    world = together()
    one, two = world.hosts
    one.act(lambda admin: admin.revoke(two.keys.device))
    save(world, one, "a.txt", "for members")
    rest(world)
    assert shown(two) == {}
    world.network.close_all(one)
    rest(world)
    assert names(world) == set()


# -- bytes ---------------------------------------------------------------------------------------------


def test_bytes_come_from_the_own_disk_first(monkeypatch: pytest.MonkeyPatch) -> None:
    world = together()
    one, two = world.hosts
    one.disk.versions[content_of(b"here")] = b"here"
    apart(world)
    found = fetched(one, monkeypatch)
    fetch(world, one, b"here")
    rest(world)
    assert found == [(content_of(b"here"), b"here")]
    assert two.disk.find(content_of(b"here")) is None


def test_bytes_come_from_any_linked_pc_that_has_them_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    world = together(3)
    one, _two, three = world.hosts
    three.disk.versions[content_of(b"there")] = b"there"
    found = fetched(one, monkeypatch)
    for data in (b"there", b"nowhere"):
        fetch(world, one, data)
        rest(world)
    apart(world)
    fetch(world, one, b"there")
    rest(world)
    expected: Sequence[tuple[ContentId, bytes | None]] = [
        (content_of(b"there"), b"there"),
        (content_of(b"nowhere"), None),
        (content_of(b"there"), None),
    ]
    assert found == expected


@pytest.mark.parametrize("what", ["the link breaks", "the bytes go"])
def test_what_was_promised_may_not_come(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = together()
    one, two = world.hosts
    two.disk.versions[content_of(b"there")] = b"there"
    found = fetched(one, monkeypatch)
    fetch(world, one, b"there")
    if what == "the link breaks":
        apart(world)
    else:
        two.disk.versions.clear()
    rest(world)
    assert found == [(content_of(b"there"), None)]


def test_to_ask_for_what_one_may_not_read_is_a_bug_that_is_seen() -> None:
    world = together()
    one, two = world.hosts
    content = save(world, one, "a.txt", "for members")
    rest(world)
    assert one.mandate is not None
    world.network._check_may_fetch(one, two, one.mandate, content)
    giver, reader = mandate_of(one), two.keys.device
    assert may_fetch(giver, reader, [ORDINARY])
    assert not may_fetch(giver, reader, [AUTHORITY])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(giver.state), "content_classes", lambda *_: {AUTHORITY})
        with pytest.raises(AssertionError, match="without right"):
            world.network._check_may_fetch(one, two, one.mandate, content)

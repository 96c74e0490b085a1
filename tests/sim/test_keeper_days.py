"""Days of virtual time: two who are never on together keep the same books by a keeper, which changes none of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from p2psync.core.rules import Role
from p2psync.sim import network
from p2psync.sim.checkers import check_at_rest
from p2psync.sim.host import Host
from p2psync.sim.world import World
from tests.sim.lives import CALM, mandate_of, rest, shown

DAYS = 14
SHIFT_S = 12 * 3600.0


@pytest.fixture(autouse=True)
def minutes_until_they_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "RECONNECT_S", 300.0)


def office(seed: int) -> World:
    """Accounting, payroll, and a keeper; days are long, so that links break now and then."""
    world = World(seed, replace(CALM, devices=3, paths=8, break_every_s=3600.0))
    world._found()
    for host in world.hosts[1:]:
        world._admit(host)
    world.after(0.0, world.network.dial)
    rest(world, 3600.0)
    for host, role in zip(world.hosts[1:], (Role.PAYROLL, Role.KEEPER), strict=True):
        world.hosts[0].act(lambda admin, host=host, role=role: admin.set_role(host.keys.device, role))  # type: ignore[misc]
        host.role = role
    rest(world, 3600.0)
    return world


def on_together(world: World, *hosts: Host) -> None:
    world.network.groups = {h.name: 0 if h in hosts else n + 1 for n, h in enumerate(world.hosts)}
    world.network.cut()


@pytest.mark.parametrize("seed", range(8))
def test_who_never_meets_has_the_same_by_a_keeper(seed: int) -> None:
    world = office(seed)
    a, b, keeper = world.hosts
    for _ in range(DAYS):
        for on, off in ((a, b), (b, a)):
            on_together(world, on, keeper)
            for at_s in (600.0, 6 * 3600.0):
                world.after(at_s, partial(world.users._touch, on))
                world.after(at_s, partial(world.users._touch, off))
            rest(world, SHIFT_S)
            if not all(peer.greeted for peer in mandate_of(keeper).peers.values()):
                rest(world, 1.0)  # a link that broke is back this very moment
            assert not world.network.linked(a, b)
            assert shown(on) == shown(keeper)
            assert mandate_of(keeper).is_in_sync
    on_together(world, b, keeper)
    rest(world, SHIFT_S)
    on_together(world, a, keeper)
    rest(world, SHIFT_S)
    on_together(world, b, keeper)
    rest(world, SHIFT_S)
    assert shown(a) == shown(b) == shown(keeper)
    world.healed = True
    world.network.groups = {}
    rest(world, SHIFT_S)
    check_at_rest(world)
    assert {host for host, _path in world.users.saved.values()} == {a, b}


def test_what_is_edited_on_the_keeper_goes_nowhere() -> None:
    world = office(3)
    a, b, keeper = world.hosts
    for day in range(DAYS):
        for on in (a, b):
            on_together(world, on, keeper)
            world.after(600.0, partial(world.users._touch, on))
            for path in world.users.paths[:3]:
                text = f"meddled with on day {day} {path}".encode()
                world.after(3 * 3600.0, partial(world.users._write, keeper, path, text, fresh=False))
            rest(world, SHIFT_S)
            standing = shown(keeper)
            assert {path: text for path, text in standing.items() if path in shown(on)} == shown(on)
            assert not any("meddled" in text for text in shown(on).values())
    assert mandate_of(a).authority.members[keeper.keys.device].role == Role.KEEPER
    assert any(b"meddled" in data for data in keeper.disk.versions.values())

"""Small lives by hand: devices that share a mandate, in a world where nothing goes wrong unless a test says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from p2psync.core.ids import ContentId, content_of
from p2psync.core.relpath import RelPath, parse
from p2psync.engine.mandate import Mandate
from p2psync.sim.host import Host
from p2psync.sim.knobs import Knobs
from p2psync.sim.world import World

CALM = Knobs(
    devices=2,
    acts=0,
    act_every_s=0.0,
    paths=1,
    latency_s=0.05,
    disk_s=0.01,
    notice_s=0.1,
    overlook=0.0,
    break_every_s=0.0,
    partition_every_s=0.0,
    crash_every_s=0.0,
    restore_folder=0.0,
    restore_state=0.0,
    lose_state=0.0,
    folds_case=0.0,
    late_joins=0,
    revocations=0,
    leaves=0,
    rule_changes=0,
    decisions=0.0,
    open_handles=0.0,
    open_s=1.0,
    merged_files=0.0,
    marks=0.0,
    freezes=0,
    handovers=0,
)
REST_S = 60.0


def together(devices: int = 2, **knobs: Any) -> World:
    """A world in which all devices are members, linked, and at rest."""
    world = World(1, replace(CALM, devices=devices, **knobs))
    world._found()
    for host in world.hosts[1:]:
        world._admit(host)
    world.after(0.0, world.network.dial)
    rest(world)
    assert all(world.network.linked(a, b) for a in world.hosts for b in world.hosts if a is not b)
    return world


def rest(world: World, seconds: float = REST_S) -> None:
    """Let virtual time pass; it stands still where nothing happens."""
    world.after(seconds, lambda: None)
    world._run_until(world.now.monotonic_s + seconds)


def apart(world: World) -> None:
    """Every device is alone."""
    world.network.groups = {host.name: number for number, host in enumerate(world.hosts)}
    world.network.cut()


def again(world: World) -> None:
    """All are in reach of each other, and come to rest."""
    world.network.groups = {}
    rest(world)


def save(world: World, host: Host, path: str, text: str) -> ContentId:
    """A user saves; returns what."""
    data = text.encode()
    world.users._write(host, parse(path), data, fresh=True)
    return content_of(data)


def shown(host: Host) -> dict[RelPath, str]:
    return {path: file.data.decode() for path, file in host.disk.files.items()}


def mandate_of(host: Host) -> Mandate:
    assert host.device is not None
    assert host.mandate is not None
    return host.device.mandates[host.mandate]

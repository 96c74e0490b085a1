"""The limits that a person set for this PC: how much of the Internet line p2psync takes, and of a processor."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from p2psync.core.rate import LEAST, MOST, WHOLE
from p2psync.core.value import value
from p2psync.store.records import Records

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

SETTING: Final = "limits"
"""A device's limits."""


@value
class Limits:
    """None for as much as there is."""

    up: int | None = None
    """Bytes per second that leave."""
    down: int | None = None
    """Bytes per second that come."""
    cpu: int | None = None
    """Percent of one processor that reading everything takes."""


async def set_limits(node: Node, limits: Limits) -> None:
    """From now on, and in the next run."""
    await node.runtime.call(lambda *_: store_limits(node.records, limits))
    keep_to(node, limits)
    node.log.event("limits.changed", **asdict(limits))


async def load(node: Node) -> None:
    """Those that were set last hold."""
    keep_to(node, await node.runtime.query(lambda *_: stored_limits(node.records)))


def keep_to(node: Node, limits: Limits) -> None:
    node.bandwidth.put(limits)
    node.folders.pacer.put(limits.cpu)


def stored_limits(records: Records) -> Limits:
    """As they were set last."""
    found: Any = records.setting(SETTING)
    given = found if isinstance(found, dict) else {}
    bounds = {"up": (LEAST, MOST), "down": (LEAST, MOST), "cpu": (1, WHOLE - 1)}
    known = {name: given.get(name) for name in bounds}
    return Limits(**{n: it for n, it in known.items() if isinstance(it, int) and bounds[n][0] <= it <= bounds[n][1]})


def store_limits(records: Records, limits: Limits) -> None:
    records.put_setting(SETTING, asdict(limits))

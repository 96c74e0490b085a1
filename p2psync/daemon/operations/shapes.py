"""How things look in JSON: times, devices, mandates."""

from __future__ import annotations

from collections.abc import Iterable

from p2psync.core.ids import DeviceId, device_text, mandate_text
from p2psync.core.moment import moment_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.errors import UsageError

PREFIX_CHARACTERS_MIN = 3


def time_text(time_ms: int | float) -> str:
    """RFC 3339 in UTC, to the second; `time_ms` in milliseconds since 1970."""
    return f"{moment_of(time_ms):%Y-%m-%dT%H:%M:%SZ}"


def find_mandate(device: Device, named: str) -> Mandate:
    """By name, by id, or by the unambiguous beginning of an id. Raises UsageError."""
    by_name = [m for m in device.mandates.values() if m.name == named]
    by_name = by_name or [m for m in device.mandates.values() if m.name.casefold() == named.casefold()]
    if len(by_name) > 1:
        ids = ", ".join(sorted(mandate_text(m.id) for m in by_name))
        raise UsageError("Several mandates are called {name}. Name one by its id: {ids}", name=named, ids=ids)
    if by_name:
        return by_name[0]
    by_id = [m for m in device.mandates.values() if mandate_text(m.id).startswith(named.lower())]
    if len(by_id) == 1 and len(named) >= PREFIX_CHARACTERS_MIN:
        return by_id[0]
    raise UsageError("This device is a member of no mandate called {name}. See: p2psync mandate list", name=named)


def find_mandates(device: Device, named: str) -> list[Mandate]:
    """The one that is named, or all, in the order of their names. Raises UsageError."""
    if named:
        return [find_mandate(device, named)]
    return sorted(device.mandates.values(), key=lambda m: (m.name.casefold(), m.id))


def find_device(known: Iterable[tuple[DeviceId, str]], named: str) -> DeviceId:
    """By the unambiguous beginning of its id, or by its name. Raises UsageError."""
    several = list(known)
    compact = "".join(named.split()).replace("-", "").upper()
    by_id = [d for d, _ in several if device_text(d).replace("-", "").startswith(compact)]
    if len(by_id) == 1 and len(compact) >= PREFIX_CHARACTERS_MIN:
        return by_id[0]
    by_name = [d for d, name in several if name == named]
    if len(by_name) == 1:
        return by_name[0]
    if len(by_id) > 1 or len(by_name) > 1:
        raise UsageError(
            "{name} fits several devices: write more of the device's id. See: p2psync devices MANDATE", name=named
        )
    raise UsageError("There is no device {name}. See: p2psync devices MANDATE", name=named)

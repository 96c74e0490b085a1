"""Numbers for Prometheus, made from what `status` says: gauges of now, nothing estimated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Gauge(NamedTuple):
    """One number, of each mandate or of each peer."""

    name: str
    help: str
    path: tuple[str, ...]
    """Where it stands in the mandate's, or the peer's, part of `status`."""


MANDATE_GAUGES = (
    Gauge("p2psync_files", "Files in the mandate's folder.", ("files",)),
    Gauge("p2psync_bytes", "Bytes of these files.", ("bytes",)),
    Gauge("p2psync_in_sync", "1 if nothing is to be received and each connected member has all.", ("in_sync",)),
    Gauge("p2psync_to_receive_files", "Files that are not here yet.", ("to_receive", "files")),
    Gauge("p2psync_to_receive_bytes", "Bytes that are not here yet.", ("to_receive", "bytes")),
    Gauge("p2psync_to_send_files", "Files that a member lacks.", ("to_send", "files")),
    Gauge("p2psync_to_send_bytes", "Bytes that a member lacks.", ("to_send", "bytes")),
    Gauge("p2psync_conflicts", "Conflicts that nobody has decided.", ("conflicts",)),
    Gauge("p2psync_problems", "Files or devices that need attention.", ("problems",)),
    Gauge("p2psync_pending", "Bookings that wait for accounting.", ("pending",)),
)
PEER_GAUGES = (
    Gauge("p2psync_peer_connected", "1 if the member is connected.", ("connected",)),
    Gauge("p2psync_peer_rtt_milliseconds", "How long a word takes there and back.", ("rtt_ms",)),
    Gauge("p2psync_peer_behind_files", "Files that the member has not placed yet.", ("behind_files",)),
    Gauge("p2psync_peer_behind_bytes", "Bytes of these files.", ("behind_bytes",)),
)

Sample = tuple[Mapping[str, str], object]


def exposition(status: Mapping[str, Any], uptime_s: float) -> str:
    """The text that Prometheus reads; what a daemon does not know is left out."""
    device, mandates = status["device"], status["mandates"]
    build = {"device": str(device["name"]), "version": str(device["version"])}
    lines = [
        *_family("p2psync_build_info", "Which device this is.", [(build, 1)]),
        *_family("p2psync_uptime_seconds", "Since the daemon started.", [({}, round(uptime_s, 1))]),
    ]
    for gauge in MANDATE_GAUGES:
        lines += _family(gauge.name, gauge.help, [({"mandate": m["name"]}, _at(m, gauge.path)) for m in mandates])
    for gauge in PEER_GAUGES:
        lines += _family(gauge.name, gauge.help, [(_labels(m, p), _at(p, gauge.path)) for m, p in _peers(mandates)])
    return "\n".join(lines) + "\n"


def _peers(mandates: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(mandate, peer) for mandate in mandates for peer in mandate["peers"]]


def _labels(mandate: Mapping[str, Any], peer: Mapping[str, Any]) -> dict[str, str]:
    return {"mandate": str(mandate["name"]), "device": str(peer["device"]), "name": str(peer["name"])}


def _at(values: Mapping[str, Any], path: Sequence[str]) -> object:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [
        f"{name}{_written(labels)} {_number(value)}" for labels, value in samples if isinstance(value, int | float)
    ]
    return [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", *lines] if lines else []


def _written(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)

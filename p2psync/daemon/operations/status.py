"""`status`: all that a person wants to see at a glance; whether the daemon is there; and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2psync import __version__
from p2psync.core.authority import Member
from p2psync.core.ids import DeviceId, device_text
from p2psync.core.problem import Code
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.mandates import described
from p2psync.daemon.operations.shapes import find_mandates, time_text
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.peer import Peer
from p2psync.engine.scope import Now
from p2psync.pair.fingerprint import device_fingerprint

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

PROBLEMS_SHOWN_MAX = 200
PASSING = frozenset({Code.STILL_CHANGING, Code.LOCKED, Code.CONTENT_MISSING, Code.INCOMPLETE})
"""Problems that p2psync gets over by itself, most likely; all others ask for a person."""


async def status(node: Node, given: Arguments) -> object:
    named = given.text_or("mandate", "")
    given.done()
    return await node.runtime.query(lambda device, now: whole_status(node, device, now, named))


async def ping(node: Node, given: Arguments) -> object:
    given.done()
    return {"version": __version__}


async def stop(node: Node, given: Arguments) -> object:
    given.done()
    node.ask_to_stop()
    return {"stopping": True}


def whole_status(node: Node, device: Device, now: Now, named: str) -> dict[str, object]:
    own = device.keys.device
    return {
        "device": {
            "id": device_text(own),
            "name": device.name,
            "version": __version__,
            "fingerprint": device_fingerprint(own),
            "port": node.discovery.port,
            "mdns_problem": node.discovery.mdns_problem,
        },
        "mandates": [mandate_status(node, device, now, m) for m in find_mandates(device, named)],
    }


def mandate_status(node: Node, device: Device, now: Now, mandate: Mandate) -> dict[str, object]:
    files, size = mandate.state.live_totals()
    wanted_files, wanted_bytes = mandate.state.todo_totals()
    problems = mandate.state.problems()
    conflicts = len(device.admin(mandate.id).conflicts())
    seen = node.last_seen(mandate)
    peers = [
        _peer_row(node, device, now, mandate, m, seen)
        for m in mandate.authority.members.values()
        if m.device != device.keys.device
    ]
    behind = max((int(str(p["behind_files"])) for p in peers if p["behind_files"] is not None), default=0)
    return {
        **described(mandate),
        "files": files,
        "bytes": size,
        "in_sync": mandate.is_in_sync,
        "health": _health(mandate, bool(conflicts), [p.code for p in problems], peers),
        "to_receive": {"files": wanted_files, "bytes": wanted_bytes},
        "to_send": {"files": behind, "bytes": 0},
        "conflicts": conflicts,
        "problems": len(problems),
        "pending": 0,
        "peers": sorted(peers, key=lambda p: (str(p["name"]).casefold(), str(p["device"]))),
        "problem_list": [
            {"path": p.path, "code": p.code.value, "detail": p.detail} for p in problems[:PROBLEMS_SHOWN_MAX]
        ],
    }


def _health(mandate: Mandate, conflicts: bool, codes: list[Code], peers: list[dict[str, object]]) -> str:
    if mandate.is_stopped or conflicts or any(code not in PASSING for code in codes):
        return "action"
    alone = bool(peers) and not any(p["connected"] for p in peers)
    return "ok" if mandate.is_in_sync and not codes and not alone else "retrying"


def _peer_row(
    node: Node, device: Device, now: Now, mandate: Mandate, member: Member, seen: dict[DeviceId, int]
) -> dict[str, object]:
    links = [(link, way) for link, way in device.links_to(member.device) if link in mandate.peers]
    peer = mandate.peers[links[0][0]] if links else None
    last_ms = now.wall_ms if links else seen.get(member.device)
    rtt_ms = node.links.rtt_ms(links[0][0]) if links else None
    return {
        "device": device_text(member.device),
        "name": member.name,
        "role": member.role.value,
        "connected": bool(links),
        "path": links[0][1] if links else None,
        "rtt_ms": round(rtt_ms, 1) if rtt_ms is not None else None,
        "behind_files": _behind(peer) if peer is not None else None,
        "last_seen": time_text(last_ms) if last_ms is not None else None,
    }


def _behind(peer: Peer) -> int:
    """Files that a connected peer has still to place, as far as it has said; at least one if it lacks anything."""
    said = peer.placed.waiting if peer.placed is not None else 0
    return said if peer.has_placed_everything() else max(said, 1)


OPERATIONS = {"status": status, "ping": ping, "stop": stop}
